"""qMRMLNodeComboBox: the nodes of some classes, in a list that follows the scene."""

from __future__ import annotations

from typing import ClassVar

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from standins.mrml_widgets import SCENE, HasScene, observe
from standins.properties import kept, with_setters


def _valid(node):
    return (node is not None,)


@with_setters
class qMRMLNodeComboBox(HasScene, QtWidgets.QWidget):
    """Without ``noneEnabled`` the first node is current as soon as there is one."""

    mrmlSceneChanged = Signal(object)
    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    SIGNATURES: ClassVar = {
        **SCENE,
        "currentNodeChanged(vtkMRMLNode*)": None,
        "currentNodeChanged(bool)": _valid,
        "nodeActivated(vtkMRMLNode*)": None,
        "nodeAdded(vtkMRMLNode*)": None,
        "nodeAddedByUser(vtkMRMLNode*)": None,
        "nodeAddedByUserAction(vtkMRMLNode*)": None,
        "nodeAboutToBeRemoved(vtkMRMLNode*)": None,
    }

    nodeTypes = kept(list, "nodeTypes", [], "_refresh")
    hideChildNodeTypes = kept(list, "hideChildNodeTypes", [], "_refresh")
    noneEnabled = kept(bool, "noneEnabled", False, "_refresh")
    noneDisplay = kept(str, "noneDisplay", "None", "_refresh")
    showHidden = kept(bool, "showHidden", False, "_refresh")
    showChildNodeTypes = kept(bool, "showChildNodeTypes", True, "_refresh")
    addEnabled = kept(bool, "addEnabled", True)
    removeEnabled = kept(bool, "removeEnabled", True)
    editEnabled = kept(bool, "editEnabled", False)
    renameEnabled = kept(bool, "renameEnabled", False)
    selectNodeUponCreation = kept(bool, "selectNodeUponCreation", True)
    baseName = kept(str, "baseName", "")
    interactionNodeSingletonTag = kept(str, "interactionNodeSingletonTag", "Singleton")
    sizeAdjustPolicy = kept(int, "sizeAdjustPolicy", 1)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        layout.addWidget(self._combo)
        self._current = None
        self._attributes: list[tuple[str, str, str | None]] = []
        self._combo.activated.connect(self._activated)

    def _scene_set(self) -> None:
        if self._scene is not None:
            for event in (
                slicer.vtkMRMLScene.NodeAddedEvent,
                slicer.vtkMRMLScene.NodeRemovedEvent,
                slicer.vtkMRMLScene.EndCloseEvent,
                slicer.vtkMRMLScene.EndImportEvent,
            ):
                observe(self._scene, event, self, "_refresh")
        self._refresh()

    # --- which nodes ---

    def nodes(self) -> list:
        if self.mrmlScene() is None or self.mrmlScene().IsClosing():
            return []
        collections = [self._scene.GetNodesByClass(kind) for kind in self.nodeTypes]
        found = []
        for collection in collections:
            collection.UnRegister(None)
            for index in range(collection.GetNumberOfItems()):
                node = collection.GetItemAsObject(index)
                if node not in found and self._shown(node):
                    found.append(node)
        return found

    def _shown(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        exact = node.GetClassName() in self.nodeTypes
        if not exact and (not self.showChildNodeTypes or any(node.IsA(kind) for kind in self.hideChildNodeTypes)):
            return False
        return all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for kind, name, value in self._attributes
            if node.IsA(kind)
        )

    def addAttribute(self, kind: str, name: str, value=None) -> None:
        self._attributes.append((kind, name, None if value is None else str(value)))
        self._refresh()

    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes = [entry for entry in self._attributes if entry[:2] != (kind, name)]
        self._refresh()

    def nodeCount(self) -> int:
        return len(self.nodes())

    def nodeFromIndex(self, index: int):
        nodes = self.nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    # --- the current one ---

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node) -> None:
        if isinstance(node, str):
            return self.setCurrentNodeID(node)
        # as Slicer: a node that the list does not have cannot be current
        node = node if node in self.nodes() else None
        if node is None and not self.noneEnabled and self.nodes() and self._current in self.nodes():
            node = self._current
        if node is self._current:
            return self._show()
        self._current = node
        self._show()
        self.currentNodeChanged.emit(node)
        self.currentNodeIDChanged.emit(self._id())
        return None

    def _id(self) -> str:
        return self._current.GetID() if self._current is not None else ""

    def setCurrentNodeID(self, id_: str) -> None:
        self.setCurrentNode(self.mrmlScene().GetNodeByID(id_) if id_ and self.mrmlScene() else None)

    currentNodeID = Property(str, _id, setCurrentNodeID)
    currentNodeId = Property(str, _id, setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    def addNode(self, kind: str | None = None):
        """What the entry "Create new …" does."""
        kind = kind or self.nodeTypes[0]
        name = self.baseName or kind.removeprefix("vtkMRML").removesuffix("Node")
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(name))
        for wanted, attribute, value in self._attributes:
            if node.IsA(wanted):
                node.SetAttribute(attribute, value or "")
        self._refresh()
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        for signal in (self.nodeAdded, self.nodeAddedByUser, self.nodeAddedByUserAction):
            signal.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self._current is not None:
            self._scene.RemoveNode(self._current)

    # --- the list ---

    def _refresh(self) -> None:
        if "_combo" not in self.__dict__:
            return
        nodes = self.nodes()
        self._combo.blockSignals(True)
        self._combo.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay, "")
        for node in nodes:
            self._combo.addItem(node.GetName() or node.GetID(), node.GetID())
        self._combo.blockSignals(False)
        if self._current is not None and self._current not in nodes:
            self._lose(nodes)
        elif self._current is None and nodes and not self.noneEnabled:
            self.setCurrentNode(nodes[0])
        else:
            self._show()

    def _lose(self, nodes: list) -> None:
        self._current = nodes[0] if nodes and not self.noneEnabled else None
        self._show()
        self.currentNodeChanged.emit(self._current)
        self.currentNodeIDChanged.emit(self._id())

    def _show(self) -> None:
        self._combo.blockSignals(True)
        self._combo.setCurrentIndex(self._combo.findData(self._id()))
        self._combo.blockSignals(False)

    def _activated(self, index: int) -> None:
        self.setCurrentNodeID(self._combo.itemData(index))
        self.nodeActivated.emit(self._current)


@with_setters
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Several nodes at once."""

    checkedNodesChanged = Signal()

    def checkedNodes(self) -> list:
        return [node for node in self.nodes() if node.GetID() in self.__dict__.get("_checked", ())]

    def setCheckState(self, node, state: int) -> None:
        checked = set(self.__dict__.get("_checked", ()))
        (checked.add if state else checked.discard)(node.GetID())
        self._checked = checked
        self.checkedNodesChanged.emit()
