"""The stand-ins behave as Slicer's widgets do, and refuse what Slicer would not understand."""

from __future__ import annotations

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
    button.connect("clicked(bool)", calls.append)
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
