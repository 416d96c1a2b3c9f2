"""A small scripted module in the stand-ins: built, bound, pressed, reloaded, as it would be in Slicer."""

from __future__ import annotations

import textwrap

import pytest

MODULE = """
from typing import Annotated

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Tiny")


@parameterNodeWrapper
class TinyParameterNode:
    volume: slicer.vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(0, 10)] = 3.0
    rounds: Annotated[int, WithinRange(1, 9)] = 2
    invert: bool = False
    method: Annotated[str, Choice(["near", "far"])] = "far"
    note: str = "empty"


class TinyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []
        self.parameterNode = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Tiny.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = TinyLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.connectNode()

    def connectNode(self):
        self.parameterNode = self.logic.getParameterNode()
        self.tag = self.parameterNode.connectGui(self.ui)

    def onStartClose(self, caller, event):
        self.parameterNode.disconnectGui(self.tag)
        self.parameterNode = None

    def onEndClose(self, caller, event):
        self.connectNode()

    def onApply(self):
        self.calls.append("apply")
        if slicer.util.confirmYesNoDisplay(_("Really?")):
            self.ui.noteEdit.text = "done"

    def enter(self):
        self.calls.append("enter")

    def exit(self):
        self.calls.append("exit")

    def cleanup(self):
        self.calls.append("cleanup")
        self.removeObservers()


class TinyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return TinyParameterNode(super().getParameterNode())
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Tiny</class>
<widget class="qMRMLWidget" name="Tiny"><layout class="QVBoxLayout">
 <item><widget class="ctkCollapsibleButton" name="inputsButton">
  <property name="text"><string>Inputs</string></property>
  <layout class="QFormLayout">
   <item row="0" column="1"><widget class="qMRMLNodeComboBox" name="volumeSelector">
     <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
     <property name="noneEnabled"><bool>true</bool></property>
     <property name="SlicerParameterName" stdset="0"><string>volume</string></property></widget></item>
   <item row="1" column="1"><widget class="ctkSliderWidget" name="thresholdSlider">
     <property name="SlicerParameterName" stdset="0"><string>threshold</string></property></widget></item>
   <item row="2" column="1"><widget class="QSpinBox" name="roundsBox">
     <property name="SlicerParameterName" stdset="0"><string>rounds</string></property></widget></item>
   <item row="3" column="1"><widget class="QCheckBox" name="invertBox">
     <property name="SlicerParameterName" stdset="0"><string>invert</string></property></widget></item>
   <item row="4" column="1"><widget class="QComboBox" name="methodBox">
     <property name="SlicerParameterName" stdset="0"><string>method</string></property></widget></item>
   <item row="5" column="1"><widget class="QLineEdit" name="noteEdit">
     <property name="SlicerParameterName" stdset="0"><string>note</string></property></widget></item>
  </layout></widget></item>
 <item><widget class="QPushButton" name="applyButton">
  <property name="text"><string>Apply</string></property></widget></item>
</layout></widget>
<resources/>
<connections><connection><sender>Tiny</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
 <receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>
</ui>
"""


@pytest.fixture
def tiny(load, tmp_path):
    """The module's widget; each test has its own copy of the files."""
    (tmp_path / "Resources/UI").mkdir(parents=True)
    (tmp_path / "Resources/UI/Tiny.ui").write_text(UI)
    (tmp_path / "Tiny.py").write_text(textwrap.dedent(MODULE))
    return load(tmp_path / "Tiny.py")


def add_volume(name="CT"):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_panel_shows_the_defaults(tiny):
    assert tiny.ui.thresholdSlider.value == 3.0
    assert (tiny.ui.thresholdSlider.minimum, tiny.ui.thresholdSlider.maximum) == (0, 10)
    assert tiny.ui.roundsBox.value == 2
    assert tiny.ui.invertBox.checked is False
    assert tiny.ui.methodBox.currentText == "far"
    assert tiny.ui.noteEdit.text == "empty"
    assert tiny.calls == ["enter"]


CHANGES = [
    ("threshold", "thresholdSlider", "value", 7.5, 7.5),
    ("rounds", "roundsBox", "value", 5, 5),
    ("invert", "invertBox", "checked", True, True),
    ("method", "methodBox", "currentIndex", 0, "near"),
    ("note", "noteEdit", "text", "hello", "hello"),
]


@pytest.mark.parametrize(("parameter", "widget", "name", "shown", "value"), CHANGES)
def test_widget_and_parameter_node_follow_each_other(tiny, parameter, widget, name, shown, value):
    before = getattr(tiny.ui, widget), getattr(getattr(tiny.ui, widget), name), getattr(tiny.parameterNode, parameter)
    setattr(before[0], name, shown)
    assert getattr(tiny.parameterNode, parameter) == value
    setattr(tiny.parameterNode, parameter, before[2])
    assert getattr(before[0], name) == before[1]


def test_selector_and_parameter_node_follow_each_other(tiny):
    first, second = add_volume("first"), add_volume("second")
    assert tiny.ui.volumeSelector.currentNode() is None
    tiny.parameterNode.volume = second
    assert tiny.ui.volumeSelector.currentNode() is second
    tiny.ui.volumeSelector.setCurrentNode(first)
    assert tiny.parameterNode.volume is first
    assert tiny.parameterNode.parameterNode.GetNodeReferenceID("volume") == first.GetID()


def test_a_deleted_node_is_no_longer_current(tiny, scene):
    node = add_volume()
    tiny.parameterNode.volume = node
    scene.RemoveNode(node)
    assert tiny.ui.volumeSelector.currentNode() is None
    assert tiny.parameterNode.volume is None


def test_values_lie_in_the_node_as_slicer_writes_them(tiny):
    tiny.parameterNode.invert = True
    node = tiny.parameterNode.parameterNode
    texts = {name: node.GetParameter(name) for name in ("threshold", "rounds", "invert", "method", "note", "volume")}
    assert texts == {
        "threshold": "3.0",
        "rounds": "2",
        "invert": "True",
        "method": "far",
        "note": "empty",
        "volume": "",
    }


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("threshold", 11.0, ValueError),
        ("threshold", "7", TypeError),
        ("rounds", 2.5, TypeError),
        ("note", None, ValueError),
        ("method", "middle", ValueError),
    ],
)
def test_values_that_are_not_allowed_are_refused(tiny, name, value, error):
    with pytest.raises(error):
        setattr(tiny.parameterNode, name, value)


def test_closing_the_scene_brings_the_defaults_back(tiny, scene):
    tiny.parameterNode.threshold = 9.0
    tiny.parameterNode.volume = add_volume()
    scene.Clear(False)
    assert tiny.ui.thresholdSlider.value == 3.0
    assert tiny.ui.volumeSelector.currentNode() is None
    tiny.ui.thresholdSlider.value = 4.0
    assert tiny.logic.getParameterNode().threshold == 4.0


def test_saved_scene_brings_the_state_back(tiny, scene, tmp_path):
    import slicer

    tiny.parameterNode.threshold = 9.0
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert tiny.logic.getParameterNode().threshold == 9.0


@pytest.mark.parametrize(("answer", "note"), [(True, "done"), (False, "empty")])
def test_question_is_answered_by_the_test(tiny, press, dialogs, answer, note):
    dialogs.answer(answer, containing="really")
    press(tiny.ui.applyButton)
    assert tiny.parameterNode.note == note
    assert dialogs.texts("question") == ["Really?"]


def test_leaving_and_opening_the_module(tiny, application):
    application.select_module("Data")
    assert tiny.calls == ["enter", "exit"]
    assert not tiny.ui.applyButton.isVisible()
    application.select_module("Tiny")
    assert tiny.calls == ["enter", "exit", "enter"]
    assert tiny.ui.applyButton.isVisible()


def test_reload_makes_a_new_panel_and_cleans_up_the_old(tiny, application):
    import slicer

    application.wait_until(tiny.ui.applyButton.isVisible)
    tiny.onReload()
    slicer.app.processEvents()
    renewed = slicer.modules.TinyWidget
    assert renewed is not tiny
    assert tiny.calls == ["enter", "cleanup"]
    assert renewed.ui.thresholdSlider.value == 3.0
    renewed.ui.thresholdSlider.value = 5.0
    assert renewed.parameterNode.threshold == 5.0
