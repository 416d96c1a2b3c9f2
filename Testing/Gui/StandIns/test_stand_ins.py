"""The stand-ins behave as Slicer's widgets do, and refuse what Slicer would not understand."""

from __future__ import annotations

import logging

import numpy as np
import pytest


@pytest.fixture
def qt(scene):
    import qt

    return qt


# --- PythonQt ---


def test_properties_are_attributes(qt):
    button = qt.QPushButton("Go")
    assert (button.text, button.enabled, button.name) == ("Go", True, "")
    button.name, button.checkable, button.toolTip = "goButton", True, "why"
    assert (button.objectName, button.isCheckable(), button.toolTip) == ("goButton", True, "why")


@pytest.mark.parametrize("name", ["tooltip", "Text", "value"])
def test_a_misspelt_attribute_is_refused(qt, name):
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match=name):
        setattr(button, name, "x")
    with pytest.raises(AttributeError):
        getattr(button, name)


def test_a_text_property_takes_a_text_only(qt):
    with pytest.raises(AttributeError, match="QString"):
        qt.QLabel().text = 3


def test_classes_of_a_module_may_have_attributes_of_their_own(qt):
    class Mine(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.anything = 1

    assert Mine().anything == 1


def test_slots_get_the_arguments_that_they_take(qt):
    button, calls = qt.QPushButton(), []
    button.checkable = True
    button.connect("clicked(bool)", lambda checked: calls.append(checked))
    button.connect("clicked()", lambda default="nothing": calls.append(default))
    button.connect("toggled(bool)", lambda: calls.append("toggled"))
    button.click()
    assert sorted(map(str, calls)) == ["True", "nothing", "toggled"]


def test_a_slot_can_be_disconnected(qt):
    button, calls = qt.QPushButton(), []

    def slot():
        calls.append(1)

    button.connect("clicked()", slot)
    button.click()
    assert button.disconnect("clicked()", slot)
    assert not button.disconnect("clicked()", slot)
    button.click()
    assert calls == [1]


@pytest.mark.parametrize("signature", ["click()", "clicked", "clicked(int)", "valueChanged(int)"])
def test_a_signal_that_there_is_not_is_refused(qt, signature):
    with pytest.raises(AttributeError, match="does not exist"):
        qt.QPushButton().connect(signature, print)


def test_receivers_are_counted(qt):
    from standins.pythonqt import connections

    button = qt.QPushButton()
    assert connections(button, "clicked", "toggled") == 0
    button.clicked.connect(lambda: None)
    assert connections(button, "clicked", "toggled") > 0


def test_enums_are_integers(qt):
    assert qt.Qt.Checked == 2
    assert qt.QMessageBox.Yes | qt.QMessageBox.No == 81920
    box = qt.QCheckBox()
    box.checked = True
    assert box.checkState() == 2


def test_settings_are_the_tests_own(qt):
    import slicer

    qt.QSettings().setValue("FewShotSegment/Test", 5)
    assert slicer.util.settingsValue("FewShotSegment/Test", 0, converter=int) == 5
    assert qt.QSettings().fileName().startswith(slicer.app.temporaryPath)


# --- .ui files ---

UI = '<ui version="4.0"><class>A</class><widget class="{kind}" name="A">{inside}</widget><connections/></ui>'


@pytest.fixture
def load_ui(scene, tmp_path):
    import slicer

    def load(kind: str, inside: str = ""):
        path = tmp_path / "A.ui"
        path.write_text(UI.format(kind=kind, inside=inside))
        return slicer.util.loadUI(str(path))

    return load


def test_a_class_without_stand_in_is_refused(load_ui):
    with pytest.raises(RuntimeError, match="ctkNoSuchWidget"):
        load_ui("ctkNoSuchWidget")


def test_a_property_that_the_class_has_not_is_refused(load_ui):
    with pytest.raises(RuntimeError, match="no property tooltip"):
        load_ui("QLabel", '<property name="tooltip"><string>x</string></property>')


def test_children_are_no_attributes(load_ui):
    inside = '<layout class="QVBoxLayout"><item><widget class="QLabel" name="inner"/></item></layout>'
    widget = load_ui("QWidget", inside)
    assert not hasattr(widget, "inner")


def test_collapsed_sections_hide_what_they_hold(load_ui):
    import qt
    import slicer

    inside = '<layout class="QVBoxLayout"><item><widget class="QLabel" name="inner"/></item></layout>'
    section = load_ui("ctkCollapsibleButton", inside)
    label = slicer.util.childWidgetVariables(section).inner
    section.show()
    section.collapsed = True
    assert not label.isVisibleTo(section)
    label.visible = True
    assert not label.isVisibleTo(section)
    section.collapsed = False
    assert label.isVisibleTo(section)
    section.collapsed = True
    label.visible = False
    section.collapsed = False
    assert not label.isVisibleTo(section)
    assert isinstance(label, qt.QLabel)


# --- numbers ---


def test_range_keeps_its_order_and_limits(qt):
    import ctk

    widget, seen = ctk.ctkRangeWidget(), []
    widget.connect("valuesChanged(double,double)", lambda low, high: seen.append((low, high)))
    widget.setRange(0, 40)
    widget.setValues(30, 60)
    assert (widget.minimumValue, widget.maximumValue) == (30, 40)
    widget.minimumValue = 10
    assert seen[-1] == (10, 40)


# --- nodes ---


@pytest.fixture
def selector(scene):
    import slicer

    widget = slicer.qMRMLNodeComboBox()
    widget.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    widget.setMRMLScene(scene)
    return widget


def add(name="node", kind="vtkMRMLScalarVolumeNode"):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def test_first_node_is_current_unless_none_is_allowed(selector):
    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    selector.connect("currentNodeChanged(bool)", seen.append)
    node = add()
    assert selector.currentNode() is node
    assert seen == [node, True]


def test_hidden_and_other_nodes_are_not_offered(selector):
    hidden = add("hidden")
    hidden.SetHideFromEditors(True)
    add("model", "vtkMRMLModelNode")
    labelmap = add("labels", "vtkMRMLLabelMapVolumeNode")
    selector.noneEnabled = True
    assert selector.nodes() == [labelmap]  # a labelmap is a scalar volume, too
    selector.showChildNodeTypes = False
    assert selector.nodes() == []


def test_current_node_follows_its_removal(selector, scene):
    first, second = add("first"), add("second")
    selector.setCurrentNode(second)
    scene.RemoveNode(second)
    assert selector.currentNode() is first
    scene.Clear(False)
    assert selector.currentNode() is None


def test_subject_hierarchy_follows_nodes(scene):
    import slicer

    combo, seen = slicer.qMRMLSubjectHierarchyComboBox(), []
    combo.noneEnabled = True
    combo.setMRMLScene(scene)
    combo.connect("currentItemChanged(vtkIdType)", seen.append)
    node = add("CT")
    items = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = items.CreateFolderItem(items.GetSceneItemID(), "Patients")
    items.SetItemParent(items.GetItemByDataNode(node), folder)
    assert [combo.itemText(index).strip() for index in range(combo.count)] == ["None", "Patients", "CT"]
    combo.setCurrentItem(folder)
    assert (combo.currentItem(), seen) == (folder, [folder])
    scene.RemoveNode(node)
    assert combo.findText("CT") < 0


# --- the segment editor ---


@pytest.fixture
def editor(scene):
    import headless_slicer
    import slicer

    volume = headless_slicer.add_volume(np.zeros((6, 8, 10), np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
    segmentation = headless_slicer.add_segmentation(volume)
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(scene)
    widget.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setSegmentationNode(segmentation)
    widget.setSourceVolumeNode(volume)
    widget.onAddSegment()
    yield widget
    widget.delete()


def paint(editor, index: int) -> None:
    """One slice of the current segment, through the editor."""
    from vtk.util.numpy_support import vtk_to_numpy

    labelmap = editor.effectByName("Paint").defaultModifierLabelmap()
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    array.reshape(6, 8, 10)[index, 2:5, 3:7] = 1
    labelmap.Modified()
    effect = editor.effectByName("Paint")
    effect.saveStateForUndo()
    effect.modifySelectedSegmentByLabelmap(labelmap, effect.ModificationModeAdd)


def slices(editor) -> list[int]:
    import slicer

    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        editor.segmentationNode(), editor.currentSegmentID(), editor.sourceVolumeNode()
    )
    return [index for index in range(6) if mask[index].any()]


def test_undo_and_redo_are_slicers(editor):
    paint(editor, 2)
    paint(editor, 4)
    assert slices(editor) == [2, 4]
    editor.undo()
    assert slices(editor) == [2]
    editor.undo()
    assert slices(editor) == []
    editor.redo()
    assert slices(editor) == [2]


def test_overwrite_rules_are_slicers(editor):
    import slicer

    paint(editor, 2)
    first = editor.currentSegmentID()
    editor.onAddSegment()
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    paint(editor, 2)
    editor.setCurrentSegmentID(first)
    assert slices(editor) == []


def test_editor_tells_of_the_current_segment(editor):
    seen = []
    editor.connect("currentSegmentIDChanged(QString)", seen.append)
    first = editor.currentSegmentID()
    editor.onAddSegment()
    second = editor.currentSegmentID()
    editor.setCurrentSegmentID(first)
    assert seen == [second, first]


# --- what must not pass unnoticed ---


@pytest.fixture
def collected(application):
    from problems import Problems
    from standins.dialogs import dialogs

    with Problems(dialogs) as collected:
        yield collected


def test_exceptions_in_slots_are_noticed(collected):
    import qt

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in collected.all()[0]


def test_exceptions_in_observers_are_noticed(collected):
    import slicer

    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
    slicer.mrmlScene.Modified()
    slicer.mrmlScene.RemoveObserver(tag)
    assert "ZeroDivisionError" in collected.all()[0]


def test_logged_errors_are_noticed_unless_expected(collected):
    collected.expect_error("that goes wrong")
    logging.error("all that goes wrong")
    assert collected.all() == []
    logging.error("another")
    assert collected.all() == ["logged: another"]


def test_unexpected_and_missing_dialogs_are_noticed(collected):
    import slicer

    assert slicer.util.confirmYesNoDisplay("Delete all?") is False
    collected.dialogs.expect("error")
    said = collected.all()
    assert len(said) == 2
    assert "Delete all?" in said[0]
    assert "no error" in said[1]


@pytest.mark.parametrize(
    ("answer", "call", "expected"),
    [
        (True, lambda util, qt: util.confirmOkCancelDisplay("?"), True),
        (False, lambda util, qt: util.confirmOkCancelDisplay("?"), False),
        (True, lambda util, qt: util.confirmRetryCloseDisplay("?"), True),
        (True, lambda util, qt: qt.QMessageBox.question(None, "", "?"), 16384),
        (False, lambda util, qt: qt.QMessageBox.question(None, "", "?"), 65536),
        ("/a/b.nrrd", lambda util, qt: qt.QFileDialog.getOpenFileName(None, "Open"), "/a/b.nrrd"),
        (False, lambda util, qt: qt.QFileDialog.getExistingDirectory(None, "Folder"), ""),
        ("liver", lambda util, qt: qt.QInputDialog.getText(None, "Name", "Name:"), "liver"),
    ],
)
def test_answers(collected, answer, call, expected):
    import qt
    import slicer

    collected.dialogs.answer(answer)
    assert call(slicer.util, qt) == expected
    assert collected.all() == []


def test_button_with_its_own_text_is_pressed(collected):
    import qt

    box = qt.QMessageBox()
    install = box.addButton("Install", qt.QMessageBox.AcceptRole)
    box.addButton("Later", qt.QMessageBox.RejectRole)
    collected.dialogs.answer("Install")
    box.exec_()
    assert box.clickedButton() is install


def test_shortcuts_are_found_by_their_keys(application, qt):
    import slicer

    calls = []
    shortcut = qt.QShortcut(slicer.util.mainWindow())
    shortcut.setKey(qt.QKeySequence("Ctrl+G"))
    shortcut.connect("activated()", lambda: calls.append(1))
    application.press_key("Ctrl+G")
    assert calls == [1]
    shortcut.enabled = False
    assert "Ctrl+G" not in application.shortcuts()
    shortcut.delete()


def test_watchdog_sees_what_blocks(watchdog, monkeypatch):
    import time
    from types import SimpleNamespace

    slow = SimpleNamespace(write=lambda: time.sleep(0.15))
    with watchdog.step("ours"):
        slow.write()
    assert watchdog.longest > 0.1
    assert "ours" in watchdog.report()
    watchdog.gaps.clear()
    with watchdog.excused(slow, "write") as seconds, watchdog.step("Slicer's"):
        slow.write()
    assert len(seconds) == 1
    assert watchdog.longest < 0.1
