"""The Slicer module of FewShotSegment: annotate one slice of an organ, get the volume.

This file is what Slicer loads. What the user sees is in FewShotSegmentModule beside it, and what is computed in
FewShotSegmentLib, in a process of its own.
"""

import importlib.util
import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# In an installed extension the engine lies beside this file; a developer runs it from the source tree, one folder up.
_FOLDER = os.path.dirname(os.path.abspath(__file__))
for _folder in (_FOLDER, os.path.dirname(_FOLDER)):
    if _folder not in sys.path and (_folder == _FOLDER or importlib.util.find_spec("FewShotSegmentLib") is None):
        sys.path.append(_folder)

from FewShotSegmentModule import logic as moduleLogic  # noqa: E402 - the path has to be set first
from FewShotSegmentModule.parameters import FewShotSegmentParameterNode  # noqa: E402

#
# FewShotSegment
#


class FewShotSegment(ScriptedLoadableModule):
    """What Slicer's module list and help show."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("FewShotSegment")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "SegmentEditor"]
        self.parent.contributors = ["FewShotSegment contributors"]
        self.parent.helpText = _(
            "Annotate one slice of an organ and get the organ in the whole CT or MR volume, then in other patients' "
            "volumes. The few-shot network runs on this computer, with or without a GPU: no image leaves it."
        )
        self.parent.acknowledgementText = _(
            "FewShotSegment is free software under the Apache License 2.0. It builds on the published methods DSPNet "
            "(Tang et al.) and SSL-ALPNet (Ouyang et al., ECCV 2020)."
        )
        if hasattr(slicer.modules, "segmenteditor"):  # the extension was added to a Slicer that is running
            registerWithSlicer()
        else:
            slicer.app.connect("startupCompleted()", registerWithSlicer)


def registerWithSlicer():
    """Make the sample data and the Segment Editor effect known; nothing is downloaded."""
    from FewShotSegmentModule.effect.register import registerEffect
    from FewShotSegmentModule.setup.sampledata import registerSampleData

    registerSampleData()
    registerEffect()


#
# FewShotSegmentWidget
#


class FewShotSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: puts the sections together and tells them of scenes that come and go."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.context = None
        self.sections = []
        self._entered = False

    def setup(self):
        """Called when the user opens the module for the first time."""
        from FewShotSegmentModule.panels.context import PanelContext
        from FewShotSegmentModule.panels.sections import makeSections

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/FewShotSegment.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = FewShotSegmentLogic()
        self.context = PanelContext(self.logic, self.resourcePath)
        self.context.message.connect(self.showMessage)
        self.sections = makeSections(self.context, self.ui)

        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when Slicer exits and before the module is reloaded: nothing may be left running."""
        self.removeObservers()
        self.setParameterNode(None)
        for section in self.sections:
            section.cleanup()
        self.sections = []
        if self.logic is not None:
            self.logic.close()

    def enter(self):
        """Called each time the user opens the module."""
        self._entered = True
        self.initializeParameterNode()
        for section in self.sections:
            section.enter()

    def exit(self):
        """Called each time the user opens another module."""
        self._entered = False
        for section in self.sections:
            section.exit()

    def onReload(self):
        """Reload the files beneath this one, too."""
        from FewShotSegmentModule.reload import reloadAll

        reloadAll()
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        """The nodes are about to go."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        """An empty scene has taken their place; one that is not on screen waits for `enter`."""
        self.logic.sceneClosed()
        if self._entered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event):
        """A scene was loaded: its nodes were not there yet when the parameter node said which of them are chosen."""
        if self._entered:
            self.setParameterNode(self.logic.getParameterNode())

    def initializeParameterNode(self):
        """Take up the parameter node of the scene."""
        node = self.logic.getParameterNode()
        if self.context.parameterNode is None or self.context.parameterNode.parameterNode is not node.parameterNode:
            self.setParameterNode(node)

    def setParameterNode(self, node):
        """Show another parameter node, or none."""
        self.context.parameterNode = node  # the sections bind their widgets to it

    def showMessage(self, level, sentence):
        """Show one sentence above the sections; an empty one takes it away."""
        marks = {"warning": "⚠ ", "error": "✖ "}
        self.ui.messageLabel.text = marks.get(level, "") + sentence if sentence else ""
        self.ui.messageLabel.visible = bool(sentence)


#
# FewShotSegmentLogic
#


class FewShotSegmentLogic(moduleLogic.FewShotSegmentLogic, ScriptedLoadableModuleLogic):
    """The scripting interface (see FewShotSegmentModule.logic), with the parameter node of the module."""

    def __init__(self, **options):
        ScriptedLoadableModuleLogic.__init__(self)
        moduleLogic.FewShotSegmentLogic.__init__(self, **options)

    def getParameterNode(self):
        """State of the panel, as it is saved with the scene."""
        return FewShotSegmentParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))


#
# FewShotSegmentTest
#


class FewShotSegmentTest(ScriptedLoadableModuleTest):
    """Self test, run inside Slicer."""

    def setUp(self):
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Called by "Reload and Test"."""
        from FewShotSegmentModule.selfTest import runAll

        self.setUp()
        runAll(self)
