"""Subject hierarchy widgets, and the items that Slicer's plugins add for new nodes."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import ClassVar

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from standins.mrml_widgets import SCENE, HasScene, observe
from standins.properties import kept, with_setters

INVALID = 0


def hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None


def children(node, parent: int) -> list[int]:
    ids = vtk.vtkIdList()
    node.GetItemChildren(parent, ids, False)
    return [ids.GetId(index) for index in range(ids.GetNumberOfIds())]


def add_items_for_nodes(scene) -> None:
    """As the plugins do: volumes, segmentations and other data nodes get an item when they enter the scene."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene, _event, node):
        wanted = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLSequenceNode", "vtkMRMLMarkupsNode")
        if scene.IsImporting() or node.GetHideFromEditors() or not any(node.IsA(kind) for kind in wanted):
            return
        items = hierarchy(scene)
        if not items.GetItemByDataNode(node):
            items.CreateItem(items.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def removed(_scene, _event, node):
        items = hierarchy(scene)
        item = items.GetItemByDataNode(node) if items is not None and not node.IsA(items.GetClassName()) else INVALID
        if item:
            items.RemoveItem(item, False, False)  # neither the node, which goes anyway, nor what lies below

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, added)
    scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, removed)


class _Items(HasScene):
    """Items of the hierarchy with their depth, filtered by node type and level."""

    def _scene_set(self) -> None:
        if self._scene is None:
            return
        events = slicer.vtkMRMLSubjectHierarchyNode
        observe(self._scene, slicer.vtkMRMLScene.EndCloseEvent, self, "_refresh")
        node = hierarchy(self._scene)
        for event in (
            events.SubjectHierarchyItemAddedEvent,
            events.SubjectHierarchyItemRemovedEvent,
            events.SubjectHierarchyItemModifiedEvent,
            events.SubjectHierarchyItemReparentedEvent,
        ):
            observe(node, event, self, "_refresh")
        self._refresh()

    def subjectHierarchyNode(self):
        return hierarchy(self.mrmlScene())

    def setNodeTypes(self, types) -> None:
        self._types = list(types)
        self._refresh()

    def setLevelFilter(self, levels) -> None:
        self._levels = list(levels)
        self._refresh()

    def setRootItem(self, item: int) -> None:
        self._root = item
        self._refresh()

    def rootItem(self) -> int:
        return self.__dict__.get("_root", INVALID)

    def _items(self) -> list[tuple[int, int]]:
        node = self.subjectHierarchyNode()
        return self._below(node, self.rootItem() or node.GetSceneItemID(), 0) if node is not None else []

    def _below(self, node, parent: int, depth: int) -> list[tuple[int, int]]:
        found = []
        for item in children(node, parent):
            inside = self._below(node, item, depth + 1)
            if inside or self._shown(node, item):
                found += [(item, depth), *inside]
        return found

    def _shown(self, node, item: int) -> bool:
        data, levels, types = node.GetItemDataNode(item), self.__dict__.get("_levels"), self.__dict__.get("_types")
        if levels and node.GetItemLevel(item) not in levels:
            return False
        if data is None:
            return self.__dict__.get("_showEmptyHierarchyItems", True)
        return not types or any(data.IsA(kind) for kind in types)


@with_setters
class qMRMLSubjectHierarchyComboBox(_Items, QtWidgets.QComboBox):
    """Item IDs are integers, 0 for none."""

    mrmlSceneChanged = Signal(object)
    currentItemChanged = Signal(int)
    currentItemModified = Signal(int)
    SIGNATURES: ClassVar = {**SCENE, "currentItemChanged(vtkIdType)": None, "currentItemModified(vtkIdType)": None}

    noneEnabled = kept(bool, "noneEnabled", False, "_refresh")
    noneDisplay = kept(str, "noneDisplay", "None", "_refresh")
    showRootItem = kept(bool, "showRootItem", True)
    showCurrentItemParents = kept(bool, "showCurrentItemParents", True)
    showEmptyHierarchyItems = kept(bool, "showEmptyHierarchyItems", True, "_refresh")
    highlightReferencedItems = kept(bool, "highlightReferencedItems", True)
    maximumNumberOfShownItems = kept(int, "maximumNumberOfShownItems", 20)
    alignPopupVertically = kept(bool, "alignPopupVertically", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._current = INVALID
        self.currentIndexChanged.connect(self._picked)

    def currentItem(self) -> int:
        return self._current

    def setCurrentItem(self, item: int) -> None:
        index = self.findData(item)
        if index >= 0 or item == INVALID:
            self.setCurrentIndex(index)
            self._picked(index)

    def clearSelection(self) -> None:
        self.setCurrentItem(INVALID)

    def _picked(self, index: int) -> None:
        item = (self.itemData(index) or INVALID) if index >= 0 else INVALID
        if item != self._current:
            self._current = item
            self.currentItemChanged.emit(item)

    def _refresh(self) -> None:
        if "_current" not in self.__dict__:
            return
        self.blockSignals(True)
        self.clear()
        if self.noneEnabled:
            self.addItem(self.noneDisplay, INVALID)
        node = self.subjectHierarchyNode()
        for item, depth in self._items():
            self.addItem("  " * depth + node.GetItemName(item), item)
        index = self.findData(self._current)
        self.setCurrentIndex(index if index >= 0 else (0 if self.noneEnabled else -1))
        self.blockSignals(False)
        self._picked(self.currentIndex)


@with_setters
class qMRMLSubjectHierarchyTreeView(_Items, QtWidgets.QTreeWidget):
    mrmlSceneChanged = Signal(object)
    currentItemsChanged = Signal(list)
    SIGNATURES: ClassVar = {
        **SCENE,
        "currentItemChanged(vtkIdType)": None,
        "currentItemsChanged(QList<vtkIdType>)": None,
    }

    nodeTypes = Property("QStringList", lambda self: self.__dict__.get("_types", []), _Items.setNodeTypes)
    multiSelection = kept(bool, "multiSelection", False)
    editMenuActionVisible = kept(bool, "editMenuActionVisible", True)
    contextMenuEnabled = kept(bool, "contextMenuEnabled", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._item = INVALID

    def currentItem(self) -> int:
        return self._item

    def currentItems(self) -> list[int]:
        return [self._item] if self._item else []

    def setCurrentItem(self, item: int) -> None:
        if item != self._item:
            self._item = item
            self.currentItemsChanged.emit(self.currentItems())

    def setCurrentNode(self, node) -> None:
        self.setCurrentItem(self.subjectHierarchyNode().GetItemByDataNode(node))

    def clearSelection(self) -> None:
        self.setCurrentItem(INVALID)

    def _refresh(self) -> None:
        if self.__dict__.get("_item") and self._item not in [item for item, _ in self._items()]:
            self.setCurrentItem(INVALID)


def install() -> None:
    """Slicer's parameterNodeWrapper imports the tree view from this module."""
    module = ModuleType("qSlicerSubjectHierarchyModuleWidgetsPythonQt")
    for kind in (qMRMLSubjectHierarchyComboBox, qMRMLSubjectHierarchyTreeView):
        setattr(slicer, kind.__name__, kind)
        setattr(module, kind.__name__, kind)
    sys.modules[module.__name__] = module
