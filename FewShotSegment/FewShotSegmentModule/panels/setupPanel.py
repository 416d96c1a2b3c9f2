"""Set-up: what is there and what is missing, sample data, and diagnostics for a bug report."""

import qt
import slicer
from slicer.i18n import tr as _

from ..setup import dependencies, diagnostics
from ..setup.installer import EXTENSION_MISSING, FAILED, RUNNING, Installer
from .deviceSection import DeviceSection
from .panel import Panel
from .sampleSection import SampleSection
from .weightsSection import WeightsSection


class SetupPanel(Panel):
    """The state of the engine, and what can be done about it. Made without effect: nothing is installed or fetched."""

    uiName = "Setup"

    def __init__(self, context, layout):
        super().__init__(context, layout)
        self._section = layout if hasattr(layout, "collapsed") else None
        self._thenDo = None
        self.installer = Installer()
        self.installer.changed.connect(self._onInstallerChanged)
        self.installer.finished.connect(self._onInstalled)
        self.errors = diagnostics.ErrorLog()
        self.errors.attach()
        self.devices = DeviceSection(context, self.ui)
        self.weights = WeightsSection(context, self.ui, self.widget)
        self.samples = SampleSection(context, self.ui, self.widget)
        self.devices.changed.connect(self.update)
        self.weights.changed.connect(self.update)
        self.ui.setUpButton.connect("clicked()", self.setUp)
        self.ui.extensionsManagerButton.connect("clicked()", self.openExtensionsManager)
        self.ui.copyDiagnosticsButton.connect("clicked()", self.copyDiagnostics)
        if self._section is not None:
            self._section.connect("contentsCollapsed(bool)", self._onCollapsed)
        # what other sections call before they need the engine
        context.ensureReady = self.ensureReady
        self.update()

    def enter(self):
        """Packages may have been installed since."""
        self.installer.resume()
        super().enter()

    def cleanup(self):
        """Nothing goes on, and nothing listens any more."""
        self.samples.cleanup()
        self.devices.cleanup()
        self.weights.cleanup()
        self.errors.detach()
        super().cleanup()

    def _onCollapsed(self, collapsed):
        """Who opens the section wants to know what there is: ask the engine, once."""
        if collapsed or not self.entered or not self.installer.isComplete():
            return
        if self.devices.answer is None:
            self.devices.check()
        if self.weights.entries is None:
            self.weights.refresh()

    # --- packages ---

    def setUp(self):
        """Ask once, then install what is missing."""
        self.ensureReady()

    def ensureReady(self, thenDo=None):
        """Whether the engine can run; if not, the user is asked, and the set-up begins if the answer is Yes.

        Args:
            thenDo: called once the set-up has succeeded.
        """
        if self.installer.state == RUNNING:
            return False
        if self.installer.isComplete():
            self.update()
            return True
        if self.installer.ask(self.widget):
            self._thenDo = thenDo
            # a process that runs keeps files open that an installer may want to replace
            self.context.logic.close()
            self.installer.start()
        return False

    def openExtensionsManager(self):
        """Where the PyTorch extension is installed; a restart of Slicer follows, and this module goes on there."""
        slicer.app.openExtensionsManagerDialog()

    def _onInstallerChanged(self):
        self.update()

    def _onInstalled(self, succeeded):
        thenDo, self._thenDo = self._thenDo, None
        # the next request starts a process that finds what is new
        self.context.logic.close()
        if succeeded:
            self.context.say(self.installer.sentence)
            self.context.selectionChanged.emit()
            if thenDo is not None:
                thenDo()
        else:
            if self._section is not None:
                self._section.collapsed = False
            self.context.fail(self.installer.sentence)
        self.update()

    # --- diagnostics ---

    def diagnosticsText(self):
        """What "Copy diagnostics" copies."""
        return diagnostics.collect(
            self.context.logic,
            parameterNode=self.context.parameterNode,
            errors=self.errors.texts,
            installerLog=self.installer.log,
            devices=self.devices.answer,
            weights=self.weights.entries,
            names=self.context.queueTitles(),
        )

    def copyDiagnostics(self):
        """Put the text on the clipboard."""
        qt.QApplication.clipboard().setText(self.diagnosticsText())
        self.ui.diagnosticsLabel.text = _("Copied to the clipboard: look it through, then paste it into your report.")
        self.ui.diagnosticsLabel.visible = True

    # --- showing ---

    def parameterModified(self):
        """Device or weights may be others."""
        self.update()

    def update(self):
        """Say what is there and what is missing."""
        ui, installer = self.ui, self.installer
        running = installer.state == RUNNING
        missing = installer.missing()
        ui.setupStatusLabel.text = self._status(missing, running)
        ui.setupProgressBar.visible = running
        ui.setUpButton.enabled = bool(missing) and not running
        ui.setUpButton.visible = bool(missing) or running
        pending = bool(missing) and installer.pending
        ui.setUpButton.text = _("Continue set-up") if pending and not running else _("Set up")
        lacksExtension = any(package.name == "torch" for package in missing) and not (
            dependencies.isTorchExtensionInstalled()
        )
        ui.extensionsManagerButton.visible = lacksExtension
        ui.diagnosticsLabel.visible = bool(ui.diagnosticsLabel.text)
        self.devices.update(not missing)
        self.weights.update(not missing)
        self.samples.update()

    def _status(self, missing, running):
        installer = self.installer
        if running:
            return installer.sentence
        if not missing:
            return _("Ready: engine {version}, weights {weights}, {device}").format(
                version=diagnostics.engineVersion() or "?",
                weights=self.weights.nameInUse(),
                device=self.devices.sentence(),
            )
        if installer.state in (FAILED, EXTENSION_MISSING):
            return installer.sentence
        words = _("Missing: {packages}.").format(packages=", ".join(package.requirement for package in missing))
        if installer.pending:
            return " ".join([words, _("You have agreed to the set-up; press “Continue set-up”.")])
        return " ".join([words, _("“Set up” shows what will be installed, and asks.")])
