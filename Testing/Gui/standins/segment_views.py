"""Lists of the segments of a segmentation node."""

from __future__ import annotations

from typing import ClassVar

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from standins.mrml_widgets import SCENE, observe, qMRMLWidget
from standins.node_combo_box import qMRMLNodeComboBox
from standins.properties import kept, with_setters


class FollowsSegmentation:
    """Calls _fill when segments come, go or change."""

    def setSegmentationNode(self, node) -> None:
        if node is self.__dict__.get("_segmentation"):
            return
        self._segmentation = node
        if node is not None:
            segmentation = slicer.vtkSegmentation
            for event in (
                segmentation.SegmentAdded,
                segmentation.SegmentRemoved,
                segmentation.SegmentModified,
                segmentation.SegmentsOrderModified,
            ):
                observe(node.GetSegmentation(), event, self, "_fill")
        self._fill()

    def segmentationNode(self):
        return self.__dict__.get("_segmentation")

    def _ids(self) -> list[str]:
        node = self.segmentationNode()
        return list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []


@with_setters
class qMRMLSegmentsTableView(FollowsSegmentation, qMRMLWidget):
    """A table with the name and the color of each segment."""

    selectionChanged = Signal(QtCore.QItemSelection, QtCore.QItemSelection)
    segmentAboutToBeModified = Signal(str)

    headerVisible = kept(bool, "headerVisible", True)
    visibilityColumnVisible = kept(bool, "visibilityColumnVisible", True)
    colorColumnVisible = kept(bool, "colorColumnVisible", True)
    opacityColumnVisible = kept(bool, "opacityColumnVisible", True)
    statusColumnVisible = kept(bool, "statusColumnVisible", False)
    layerColumnVisible = kept(bool, "layerColumnVisible", False)
    readOnly = kept(bool, "readOnly", False)
    filterBarVisible = kept(bool, "filterBarVisible", False)
    textFilter = kept(str, "textFilter", "", "_fill")
    jumpToSelectedSegmentEnabled = kept(bool, "jumpToSelectedSegmentEnabled", False)
    useTerminologySelector = kept(bool, "useTerminologySelector", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._table = QtWidgets.QTableWidget(0, 1)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        self._table.setEditTriggers(QtWidgets.QAbstractItemView.NoEditTriggers)
        layout.addWidget(self._table)
        self._rows: list[str] = []
        self._hidden: list[str] = []
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged)

    selectionMode = Property(
        int,
        lambda self: int(self._table.selectionMode),
        lambda self, mode: setattr(self._table, "selectionMode", mode),
    )
    segmentCount = Property(int, lambda self: len(self._rows))

    def tableWidget(self):
        return self._table

    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self._rows[row] for row in rows]

    def setSelectedSegmentIDs(self, ids) -> None:
        if list(ids) == self.selectedSegmentIDs():
            return
        self._table.clearSelection()
        for id_ in ids:
            if id_ in self._rows:
                self._table.selectRow(self._rows.index(id_))

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def displayedSegmentIDs(self) -> list[str]:
        return list(self._rows)

    def setHideSegments(self, ids) -> None:
        self._hidden = list(ids)
        self._fill()

    def hideSegments(self) -> list[str]:
        return list(self._hidden)

    def rowForSegmentID(self, id_: str) -> int:
        return self._rows.index(id_) if id_ in self._rows else -1

    def segmentIDForRow(self, row: int) -> str:
        return self._rows[row]

    def _fill(self) -> None:
        if "_hidden" not in self.__dict__:
            return
        selected = self.selectedSegmentIDs()
        self._table.blockSignals(True)
        self._table.selectionModel().blockSignals(True)
        content = self.segmentationNode().GetSegmentation() if self.segmentationNode() else None
        self._rows = [
            id_
            for id_ in self._ids()
            if id_ not in self._hidden and self.textFilter.lower() in content.GetSegment(id_).GetName().lower()
        ]
        self._table.setRowCount(len(self._rows))
        for row, id_ in enumerate(self._rows):
            segment = content.GetSegment(id_)
            item = QtWidgets.QTableWidgetItem(segment.GetName())
            picture = QtGui.QPixmap(12, 12)
            picture.fill(QtGui.QColor.fromRgbF(*segment.GetColor()))
            item.setIcon(QtGui.QIcon(picture))
            self._table.setItem(row, 0, item)
        self._table.selectionModel().blockSignals(False)
        self._table.blockSignals(False)
        self.setSelectedSegmentIDs(selected)


@with_setters
class qMRMLSegmentSelectorWidget(FollowsSegmentation, qMRMLWidget):
    """A node selector and the segments of the node."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    SIGNATURES: ClassVar = {**SCENE, "currentNodeChanged(vtkMRMLNode*)": None}

    noneEnabled = kept(bool, "noneEnabled", False, "_options")
    segmentationNodeSelectorVisible = kept(bool, "segmentationNodeSelectorVisible", True, "_options")
    selectNodeUponCreation = kept(bool, "selectNodeUponCreation", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._selector = qMRMLNodeComboBox()
        self._selector.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._combo = QtWidgets.QComboBox()
        layout.addWidget(self._selector)
        layout.addWidget(self._combo)
        self._selector.currentNodeChanged.connect(self._node_changed)
        self._combo.currentIndexChanged.connect(lambda: self.currentSegmentChanged.emit(self.currentSegmentID()))

    def _scene_set(self) -> None:
        self._selector.setMRMLScene(self._scene)

    def _options(self) -> None:
        if "_combo" in self.__dict__:
            self._selector.noneEnabled = self.noneEnabled
            self._selector.setVisible(self.segmentationNodeSelectorVisible)

    def _node_changed(self, node) -> None:
        self.setSegmentationNode(node)
        self.currentNodeChanged.emit(node)

    def currentNode(self):
        return self._selector.currentNode()

    def setCurrentNode(self, node) -> None:
        self._selector.setCurrentNode(node)

    def currentNodeID(self) -> str:
        return self._selector.currentNodeID

    def currentSegmentID(self) -> str:
        return self._combo.currentData() or ""

    def setCurrentSegmentID(self, id_: str) -> None:
        self._combo.setCurrentIndex(self._combo.findData(id_))

    def segmentIDs(self) -> list[str]:
        return self._ids()

    def _fill(self) -> None:
        current = self.currentSegmentID()
        self._combo.blockSignals(True)
        self._combo.clear()
        for id_ in self._ids():
            self._combo.addItem(self._segmentation.GetSegmentation().GetSegment(id_).GetName(), id_)
        self._combo.setCurrentIndex(max(self._combo.findData(current), 0 if self._combo.count else -1))
        self._combo.blockSignals(False)
        if self.currentSegmentID() != current:
            self.currentSegmentChanged.emit(self.currentSegmentID())
