"""The Slicer module of FewShotSegment: annotate one slice of an organ, get the volume.

This version shows what the extension is and whether its engine is complete; the work is done by the engine's command
line. The engine, FewShotSegmentLib, lies beside this file in an installed extension and knows nothing of Slicer.

Slicer 5.8 runs Python 3.9, so this file keeps to its syntax.
"""

import importlib
import importlib.util
import json
import os
import shlex
import sys
from typing import NamedTuple

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# Import name -> name of what the user installs. torch comes with the PyTorch extension, never by pip from here.
ENGINE_PACKAGES = {
    "torch": "PyTorch",
    "numpy": "numpy",
    "SimpleITK": "SimpleITK",
    "nrrd": "pynrrd",
    "safetensors": "safetensors",
    "tqdm": "tqdm",
}


#
# FewShotSegment
#


class FewShotSegment(ScriptedLoadableModule):
    """What Slicer's module list and help show."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("FewShotSegment")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["FewShotSegment contributors"]
        self.parent.helpText = _(
            "Annotate one slice of an organ and get the organ in the whole CT or MR volume. "
            "The few-shot network runs on this computer, with or without a GPU: no image leaves it."
        )
        self.parent.acknowledgementText = _("FewShotSegment is free software under the Apache License 2.0.")


#
# FewShotSegmentWidget
#


class FewShotSegmentWidget(ScriptedLoadableModuleWidget):
    """The panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None

    def setup(self):
        """Called when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/FewShotSegment.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = FewShotSegmentLogic()
        # enter() is not called when the module is reloaded
        self.showEngineStatus()

    def enter(self):
        """Called each time the user opens the module: packages may have been installed in between."""
        self.showEngineStatus()

    def showEngineStatus(self):
        """Fill the panel from the state of the engine."""
        status = self.logic.engineStatus()
        self.ui.versionLabel.text = status.version or _("The engine was not found: install the extension again.")
        if status.missingWeights:
            self.ui.weightsLabel.text = _("Missing: {files}. Install the extension again.").format(
                files=", ".join(status.missingWeights)
            )
        elif status.presentWeights:
            self.ui.weightsLabel.text = _("Present: {files}").format(files=", ".join(status.presentWeights))
        else:
            self.ui.weightsLabel.text = _("There is no list of weights: install the extension again.")
        if status.missingPackages:
            self.ui.packagesLabel.text = _(
                "Missing in Slicer's Python: {packages}. PyTorch comes with the PyTorch extension, "
                'the others with slicer.util.pip_install("NAME") in the Python console.'
            ).format(packages=", ".join(status.missingPackages))
        else:
            self.ui.packagesLabel.text = _("All present")
        self.ui.commandTextEdit.plainText = self.logic.commandHint(status)


#
# FewShotSegmentLogic
#


class EngineStatus(NamedTuple):
    """What can be said of the engine without importing torch."""

    version: str
    """Empty if the engine was not found."""
    folder: str
    """The folder that contains FewShotSegmentLib and Resources/weights."""
    presentWeights: list
    missingWeights: list
    """Names of files in the weights manifest that are, or are not, in the folder of the manifest."""
    missingPackages: list
    """Packages that the engine needs and Slicer's Python has not, by the names under which they are installed."""


class FewShotSegmentLogic(ScriptedLoadableModuleLogic):
    """What the panel shows, usable without the panel."""

    def engineStatus(self):
        """Look at the engine's files; imports its version number and nothing else."""
        folder = self._engineFolder()
        if not folder:
            return EngineStatus("", "", [], [], self._missingPackages())
        version = importlib.import_module("FewShotSegmentLib.version").__version__
        present, missing = self._weights(os.path.join(folder, "Resources", "weights"))
        return EngineStatus(version, folder, present, missing, self._missingPackages())

    def commandHint(self, status):
        """The commands that run the engine with Slicer's own Python."""
        if not status.version:
            return ""
        # In Slicer, sys.executable is PythonSlicer, or Slicer itself in versions that do not set it.
        python = os.path.join(os.path.dirname(sys.executable), "PythonSlicer" + os.path.splitext(sys.executable)[1])
        python = python if os.path.isfile(python) else "PythonSlicer"
        quote = '"{}"'.format if os.name == "nt" else shlex.quote
        changeFolder = "cd /d" if os.name == "nt" else "cd"
        return (
            f"{changeFolder} {quote(status.folder)}\n"
            f"{quote(python)} -m FewShotSegmentLib.cli.main propagate VOLUME ANNOTATION -o OUT.seg.nrrd"
        )

    @staticmethod
    def _engineFolder():
        """The folder that contains the engine; empty if there is none."""
        specification = importlib.util.find_spec("FewShotSegmentLib")
        if specification is None:
            # A developer runs this file from the source tree, where the engine lies one folder up.
            sourceFolder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            if not os.path.isfile(os.path.join(sourceFolder, "FewShotSegmentLib", "version.py")):
                return ""
            sys.path.append(sourceFolder)
            specification = importlib.util.find_spec("FewShotSegmentLib")
        return os.path.dirname(next(iter(specification.submodule_search_locations)))

    @staticmethod
    def _weights(folder):
        """Names of the files that the manifest lists, as (present, missing)."""
        manifest = os.path.join(folder, "weights.json")
        if not os.path.isfile(manifest):
            return [], []
        with open(manifest, encoding="utf-8") as stream:
            names = [entry["file"] for entry in json.load(stream)["weights"]]
        present = [name for name in names if os.path.isfile(os.path.join(folder, name))]
        return present, [name for name in names if name not in present]

    @staticmethod
    def _missingPackages():
        # find_spec only looks for the package: importing torch takes seconds
        return [name for package, name in ENGINE_PACKAGES.items() if importlib.util.find_spec(package) is None]


#
# FewShotSegmentTest
#


class FewShotSegmentTest(ScriptedLoadableModuleTest):
    """Self test, run inside Slicer."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Called by "Reload and Test"; ctest calls the tests one by one."""
        for test in (self.test_EngineIsComplete, self.test_EngineStatusDoesNotImportTorch, self.test_Panel):
            self.setUp()
            test()

    def test_EngineIsComplete(self):
        """The engine is beside the module, with every file of its weights."""
        status = FewShotSegmentLogic().engineStatus()
        self.assertRegex(status.version, r"^\d+\.\d+")
        self.assertTrue(os.path.isfile(os.path.join(status.folder, "FewShotSegmentLib", "cli", "main.py")))
        self.assertEqual(status.missingWeights, [])
        self.assertNotEqual(status.presentWeights, [])

    def test_EngineStatusDoesNotImportTorch(self):
        """Opening the panel stays quick, and works before PyTorch is installed."""
        before = "torch" in sys.modules
        FewShotSegmentLogic().engineStatus()
        self.assertEqual("torch" in sys.modules, before)

    def test_Panel(self):
        """The panel says what the logic found."""
        widget = slicer.modules.fewshotsegment.widgetRepresentation().self()
        widget.enter()
        status = widget.logic.engineStatus()
        self.assertEqual(widget.ui.versionLabel.text, status.version)
        for name in status.presentWeights:
            self.assertIn(name, widget.ui.weightsLabel.text)
        for name in status.missingPackages:
            self.assertIn(name, widget.ui.packagesLabel.text)
        self.assertIn("FewShotSegmentLib.cli.main propagate", widget.ui.commandTextEdit.plainText)
