"""Set-up: one question, what is declined, what fails, and what goes on after a restart."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest
from panel_bench import Bench

NAMES = {"nrrd": "pynrrd"}


class Computer:
    """What is installed, and what is asked to be: stands in for pip, PyTorch's extension and Slicer's packaging."""

    def __init__(self, monkeypatch, slicer):
        self.absent = set()
        self.installed = []
        self.running = None  # of a non-blocking installer: its completedCallback
        self.error = None
        self.extension = True
        self.blocking = False
        self.restarts = 0
        self._monkeypatch = monkeypatch
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: self._find(find, name, *more))
        import slicer.packaging

        monkeypatch.setattr(slicer.packaging, "pip_ensure", self.pip_ensure)
        monkeypatch.setattr(slicer.util, "executePythonModule", self.execute)
        self.use_extension()

    def _find(self, find, name, *more):
        if name == "PyTorchUtils":
            return importlib.machinery.ModuleSpec(name, None) if self.extension else None
        if name in ("light_the_torch",) or NAMES.get(name, name) in self.absent:
            return None
        return find(name, *more)

    def use_extension(self, public=False):
        """The PyTorch extension; with nothing but its documented parts if `public`."""
        computer = self

        class PyTorchUtilsLogic:
            def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
                computer.installed.append(("installTorch", askConfirmation, torchVersionRequirement))
                if computer.error:
                    raise computer.error
                computer.absent.discard("torch")
                return object()

            if not public:

                @staticmethod
                def _getPipInstallArguments(forceComputationBackend=None, torchVersionRequirement=None):
                    return ["install", "torch" + torchVersionRequirement, "torchvision"]

                @staticmethod
                def _installLightTheTorch():
                    computer.installed.append("light-the-torch")

        module = ModuleType("PyTorchUtils")
        module.PyTorchUtilsLogic = PyTorchUtilsLogic
        self._monkeypatch.setitem(sys.modules, "PyTorchUtils", module)

    def pip_ensure(self, requirements, **options):
        self.installed.append((list(requirements), options))
        if self.error:
            raise self.error
        self.absent -= {requirement.partition(">")[0] for requirement in requirements}

    def execute(self, module, arguments, blocking=True, logCallback=None, completedCallback=None):
        assert not blocking, "this would hold up Slicer for minutes"
        self.installed.append((module, arguments))
        logCallback("Collecting torch from /home/huber/wheels")
        self.running = completedCallback

    def finish(self, exitCode):
        """The installer of PyTorch ends."""
        if exitCode == 0:
            self.absent.discard("torch")
        self.running(exitCode)


@pytest.fixture
def bench(application, scene):
    with Bench(application) as made:
        yield made


@pytest.fixture
def computer(bench, monkeypatch):
    import qt
    import slicer
    from FewShotSegmentModule.setup import dependencies

    qt.QSettings().remove("FewShotSegment")
    yield Computer(monkeypatch, slicer)
    qt.QSettings().remove("FewShotSegment")
    monkeypatch.undo()
    dependencies.look()


@pytest.fixture
def open_panel(bench, computer):
    """Open the section on a computer that lacks these packages."""

    def make(*absent, **options):
        from FewShotSegmentModule.panels.setupPanel import SetupPanel
        from FewShotSegmentModule.setup import dependencies

        computer.absent = set(absent)
        dependencies.look()
        return bench.open(SetupPanel, **options)

    return make


def pending():
    import qt

    return qt.QSettings().value("FewShotSegment/SetupPending")


# --- what is shown ---


def test_ready(open_panel, bench):
    panel = open_panel()
    text = panel.ui.setupStatusLabel.text
    assert text.startswith("Ready: engine 0.") and "propagator-v1" in text and "automatic" in text
    assert not panel.ui.setUpButton.isVisible() and not panel.ui.extensionsManagerButton.isVisible()
    assert not bench.fake.transports, "the engine was started without a click"


def test_what_is_missing_is_named_and_nothing_is_done(open_panel, computer):
    panel = open_panel("torch", "pynrrd")
    assert "torch>=2.1" in panel.ui.setupStatusLabel.text and "pynrrd>=1.0" in panel.ui.setupStatusLabel.text
    assert panel.ui.setUpButton.enabled and not panel.ui.checkDevicesButton.enabled
    assert computer.installed == [] and not pending()


def test_no_torch_in_this_process(open_panel, bench, press):
    before = "torch" in sys.modules
    panel = open_panel()
    press(panel.ui.checkDevicesButton)
    bench.wait()
    press(panel.ui.copyDiagnosticsButton)
    assert ("torch" in sys.modules) == before


# --- the question ---


def test_one_question_names_all(open_panel, computer, dialogs, press):
    panel = open_panel("torch", "pynrrd", "tqdm")
    dialogs.answer(False, containing="pynrrd>=1.0")
    press(panel.ui.setUpButton)
    (text,) = dialogs.texts("question")
    assert "PyTorch (torch>=2.1)" in text and "tqdm>=4.60" in text and "safetensors" not in text


def test_no_leaves_everything(open_panel, computer, dialogs, press, bench):
    panel = open_panel("torch", "pynrrd")
    status = panel.ui.setupStatusLabel.text
    dialogs.answer(False)
    press(panel.ui.setUpButton)
    assert computer.installed == [] and not pending()
    assert panel.ui.setupStatusLabel.text == status and panel.ui.setUpButton.enabled
    assert bench.messages == []


def test_other_sections_ask_the_same_question(open_panel, bench, computer, dialogs):
    open_panel("pynrrd")
    done = []
    dialogs.answer(False, containing="pynrrd")
    assert bench.context.ensureReady(lambda: done.append(1)) is False
    assert done == [] and computer.installed == []
    dialogs.answer(True, containing="pynrrd")
    assert bench.context.ensureReady(lambda: done.append(1)) is False
    assert done == [1] and bench.context.ensureReady() is True


# --- Yes ---


def test_yes_installs_all_in_the_background(open_panel, computer, dialogs, press, bench):
    panel = open_panel("torch", "pynrrd", "tqdm")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    (pip, ltt, run) = computer.installed
    assert pip[0] == ["pynrrd>=1.0", "tqdm>=4.60"]
    assert pip[1]["prompt_install"] is False and pip[1]["requester"] == "FewShotSegment"
    assert ltt == "light-the-torch"
    assert run == ("light_the_torch", ["install", "torch>=2.1", "torchvision"])
    assert not panel.ui.setUpButton.enabled and panel.ui.setupProgressBar.isVisible()
    assert "PyTorch" in panel.ui.setupStatusLabel.text and pending()
    computer.finish(0)
    assert panel.ui.setupStatusLabel.text.startswith("Ready") and not pending()
    assert not panel.ui.setupProgressBar.isVisible() and not panel.ui.setUpButton.isVisible()
    assert bench.messages == ["The set-up is complete."]
    assert len(dialogs.texts("question")) == 1


def test_only_what_is_missing_is_installed(open_panel, computer, dialogs, press):
    panel = open_panel("safetensors")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert [entry[0] for entry in computer.installed] == [["safetensors>=0.4"]]
    assert panel.ui.setupStatusLabel.text.startswith("Ready")


def test_an_extension_with_nothing_but_its_documented_parts(open_panel, computer, dialogs, press):
    computer.use_extension(public=True)
    panel = open_panel("torch")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert computer.installed == [("installTorch", False, ">=2.1")]
    assert panel.ui.setupStatusLabel.text.startswith("Ready")


def test_the_engine_is_started_anew(open_panel, bench, computer, dialogs, press):
    panel = open_panel()
    press(panel.ui.checkDevicesButton)
    bench.wait()
    first = bench.fake.transports[-1]
    computer.absent = {"tqdm"}
    panel.enter()
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert not first.running
    press(panel.ui.checkDevicesButton)
    bench.wait()
    assert bench.fake.transports[-1] is not first and panel.devices.answer


# --- what can go wrong ---


@pytest.mark.parametrize("error", [subprocess.CalledProcessError(1, "pip"), RuntimeError("declined"), OSError("full")])
def test_pip_fails(open_panel, computer, dialogs, press, problems, bench, error):
    panel = open_panel("pynrrd", "torch")
    computer.error = error
    problems.expect_error("packages were not installed")
    problems.expect_error("could not be installed")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert "pynrrd>=1.0 could not be installed" in panel.ui.setupStatusLabel.text
    assert len(computer.installed) == 1, "PyTorch is not installed after a failure"
    assert panel.ui.setUpButton.enabled and not pending()
    assert len(bench.messages) == 1 and "Traceback" not in bench.messages[0]
    computer.error = None
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    computer.finish(0)
    assert panel.ui.setupStatusLabel.text.startswith("Ready")


def test_torch_fails(open_panel, computer, dialogs, press, problems):
    panel = open_panel("torch")
    problems.expect_error("PyTorch could not be installed")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    computer.finish(1)
    assert "PyTorch could not be installed" in panel.ui.setupStatusLabel.text
    assert panel.ui.setUpButton.enabled and not pending()
    text = panel.diagnosticsText()
    assert "Collecting torch from <path>" in text and "huber" not in text


def test_torch_raises(open_panel, computer, dialogs, press, problems):
    computer.use_extension(public=True)
    panel = open_panel("torch")
    computer.error = RuntimeError("no wheel")
    problems.expect_error("PyTorch was not installed")
    problems.expect_error("PyTorch could not be installed")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert "PyTorch could not be installed" in panel.ui.setupStatusLabel.text


def test_the_pytorch_extension_is_missing(open_panel, computer, dialogs, press, monkeypatch, bench):
    opened = []
    kind = type(bench.slicer.app)
    monkeypatch.setattr(kind, "openExtensionsManagerDialog", lambda self: opened.append(1), raising=False)
    computer.extension = False
    panel = open_panel("torch", "tqdm")
    dialogs.answer(True, containing="after you have installed the PyTorch extension")
    press(panel.ui.setUpButton)
    assert [entry[0] for entry in computer.installed] == [["tqdm>=4.60"]]
    assert "Extensions Manager" in panel.ui.setupStatusLabel.text and opened == []
    press(panel.ui.extensionsManagerButton)
    assert opened == [1]
    assert pending()


def test_slicer_is_too_old(open_panel, computer, dialogs, press, monkeypatch, problems):
    from FewShotSegmentModule.setup import dependencies

    monkeypatch.setattr(dependencies, "isSlicerRecent", lambda: False)
    panel = open_panel("torch")
    problems.expect_error("5.12")
    dialogs.answer(True)
    press(panel.ui.setUpButton)
    assert "Slicer 5.12" in panel.ui.setupStatusLabel.text and computer.installed == [] and not pending()


def test_in_testing_mode_torch_is_left_alone(application, open_panel, computer, problems):
    panel = open_panel("torch")
    problems.expect_error("still missing")
    with application.testing_mode():
        panel.installer.start()
    assert computer.installed == []


# --- after a restart ---


def test_after_a_restart_it_goes_on_without_asking_again(open_panel, computer, dialogs, press, bench):
    computer.extension = False
    before = open_panel("torch")
    dialogs.answer(True)
    press(before.ui.setUpButton)
    before.exit()
    before.cleanup()
    # Slicer was started anew, with the extension
    computer.extension = True
    after = open_panel("torch")
    assert after.ui.setUpButton.text == "Continue set-up" and "agreed" in after.ui.setupStatusLabel.text
    assert computer.installed == [], "no network without a click"
    press(after.ui.setUpButton)
    computer.finish(0)
    assert after.ui.setupStatusLabel.text.startswith("Ready") and not pending()
    assert len(dialogs.texts("question")) == 1


def test_after_a_restart_with_all_there_nothing_is_left_to_do(open_panel):
    import qt

    qt.QSettings().setValue("FewShotSegment/SetupPending", "torch>=2.1")
    panel = open_panel()
    assert panel.ui.setupStatusLabel.text.startswith("Ready") and not pending()


def test_what_was_not_agreed_to_is_asked(open_panel, dialogs, press):
    import qt

    qt.QSettings().setValue("FewShotSegment/SetupPending", "torch>=2.1")
    panel = open_panel("torch", "tqdm")
    assert panel.ui.setUpButton.text == "Set up"
    dialogs.answer(False, containing="tqdm")
    press(panel.ui.setUpButton)
