"""Sets up the engine: one question, then PyTorch through its extension and the rest through slicer.packaging."""

import importlib
import logging

import qt
import slicer

from ..scene.i18n import _
from ..signals import Signal
from . import dependencies, pytorch

PENDING = "FewShotSegment/SetupPending"
"""Setting: what the user has agreed to install and is not there yet, because Slicer has to be started anew first."""

IDLE, RUNNING, DONE, FAILED, EXTENSION_MISSING = "idle", "running", "done", "failed", "extension missing"
_MOST_LINES = 200


class Installer:
    """The set-up. Made without effect; only `start` installs, and only after the user has agreed.

    state: IDLE, RUNNING, DONE, FAILED or EXTENSION_MISSING (the PyTorch extension has to be installed first).
    sentence: what it is doing, or what went wrong and what to do.
    log: last lines of the installers, for diagnostics.

    Signals:
        changed(): state or sentence.
        finished(succeeded): once for each start.
    """

    def __init__(self):
        self.state = IDLE
        self.sentence = ""
        self.log = []
        self.changed = Signal()
        self.finished = Signal()

    # --- what there is to do ---

    def missing(self):
        """Packages that have to be installed."""
        return dependencies.missingPackages()

    def isComplete(self):
        """Whether the engine can run; looks again."""
        return not dependencies.look()

    @property
    def pending(self):
        """Whether the user has agreed already, before Slicer was started anew, to all that is missing."""
        agreed = str(slicer.util.settingsValue(PENDING, "") or "").split()
        return bool(agreed) and all(package.requirement in agreed for package in self.missing())

    def question(self, missing):
        """The one question, with all that will be installed."""
        lines = [_("FewShotSegment needs some Python packages that Slicer does not have yet:"), ""]
        for package in missing:
            if package.name != "torch":
                lines.append(f"• {package.requirement}")
            elif dependencies.isTorchExtensionInstalled():
                lines.append(
                    _("• PyTorch ({requirement}), by the PyTorch extension: 0.2 to 3 GB").format(
                        requirement=package.requirement
                    )
                )
            else:
                lines.append(
                    _("• PyTorch ({requirement}), after you have installed the PyTorch extension").format(
                        requirement=package.requirement
                    )
                )
        lines += ["", _("They are downloaded and added to Slicer's Python. This takes some minutes. Install them now?")]
        return "\n".join(lines)

    def ask(self, parent=None):
        """Whether the set-up may start: the user is asked, but not a second time after Slicer was started anew."""
        if self.pending:
            return True
        return bool(slicer.util.confirmYesNoDisplay(self.question(self.missing()), _("FewShotSegment"), parent=parent))

    # --- doing it ---

    def start(self):
        """Install what is missing; the user has agreed."""
        if self.state == RUNNING:
            return
        self.log.clear()
        dependencies.look()
        if not dependencies.isSlicerRecent():
            self._end(
                FAILED,
                _("This needs Slicer {version} or newer: please update Slicer.").format(
                    version=".".join(map(str, dependencies.SLICER_VERSION))
                ),
            )
            return
        # before anything is done: pip_ensure may start Slicer anew
        qt.QSettings().setValue(PENDING, " ".join(package.requirement for package in self.missing()))
        self._set(RUNNING, _("Installing the Python packages…"))
        if not self._installPackages():
            return
        if not any(package.name == "torch" for package in self.missing()):
            self._conclude()
        elif not dependencies.isTorchExtensionInstalled():
            self._end(
                EXTENSION_MISSING,
                _(
                    "PyTorch is missing, and so is the PyTorch extension that installs it. Install the extension "
                    "“PyTorch” from the Extensions Manager, restart Slicer, and open this module again."
                ),
            )
        else:
            self._installTorch()

    def resume(self):
        """Called when the module is opened: look again, and forget the marker of a set-up that is complete by now."""
        if self.state != RUNNING and self.isComplete():
            qt.QSettings().remove(PENDING)

    # --- steps ---

    def _installPackages(self):
        wanted = [package.requirement for package in self.missing() if package.name != "torch"]
        if not wanted:
            return True
        try:
            # an attribute of slicer only after it was imported by name
            import slicer.packaging
        except ImportError:
            self._end(FAILED, _("This Slicer cannot install Python packages: please update Slicer."))
            return False
        try:
            # none of these packages needs PyTorch, so there is nothing to skip; the user has been asked already
            slicer.packaging.pip_ensure(wanted, prompt_install=False, requester="FewShotSegment")
        except Exception as error:  # CalledProcessError; RuntimeError if declined; whatever a network makes of it
            logging.exception("FewShotSegment: the Python packages were not installed")
            self.log.append(str(error))
            self._end(
                FAILED,
                _(
                    "The Python packages {names} could not be installed. Check the internet connection, then try "
                    "again; the Python console shows what pip said."
                ).format(names=", ".join(wanted)),
            )
            return False
        dependencies.look()
        return True

    def _installTorch(self):
        self._set(RUNNING, _("Installing PyTorch: this takes some minutes, and Slicer can be used meanwhile…"))
        if slicer.app.testingEnabled():
            logging.info("FewShotSegment: testing mode, PyTorch is not installed")
            self._conclude()
            return
        try:
            pytorch.installTorch(self._onLine, self._onTorchInstalled)
        except Exception as error:
            logging.exception("FewShotSegment: PyTorch was not installed")
            self.log.append(str(error))
            self._onTorchInstalled(False)

    def _onLine(self, line):
        self.log.append(line)
        del self.log[:-_MOST_LINES]

    def _onTorchInstalled(self, succeeded):
        if self.state != RUNNING:
            return
        if succeeded:
            self._conclude()
            return
        self._end(
            FAILED,
            _(
                "PyTorch could not be installed. Check the internet connection and the free disk space, then try "
                "again, or install it in the module “PyTorch Utils”; “Copy diagnostics” has what the installer said."
            ),
        )

    def _conclude(self):
        importlib.invalidate_caches()
        missing = dependencies.look()
        if not missing:
            qt.QSettings().remove(PENDING)
            self._end(DONE, _("The set-up is complete."))
            return
        names = ", ".join(package.requirement for package in missing)
        sentence = _("The set-up is not complete; still missing: {names}. Restart Slicer, then continue.")
        self._end(FAILED, sentence.format(names=names), restart=True)

    def _set(self, state, sentence):
        self.state, self.sentence = state, sentence
        self.changed.emit()

    def _end(self, state, sentence, restart=False):
        if state == FAILED:
            logging.error("FewShotSegment: %s", sentence)
            if not restart:
                qt.QSettings().remove(PENDING)
        self._set(state, sentence)
        self.finished.emit(state == DONE)
