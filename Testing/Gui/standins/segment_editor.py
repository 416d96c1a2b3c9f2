"""qMRMLSegmentEditorWidget around Slicer's own vtkMRMLSegmentEditorNode and vtkSlicerSegmentEditorLogic.

Undo, masking and overwriting are Slicer's. Effects are in segment_effects; nothing can be drawn with the mouse.
"""

from __future__ import annotations

from typing import ClassVar

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from standins import segment_effects
from standins.mrml_widgets import SCENE, observe, qMRMLWidget
from standins.node_combo_box import qMRMLNodeComboBox
from standins.properties import kept, with_setters
from standins.segment_views import qMRMLSegmentsTableView


@with_setters
class qMRMLSegmentEditorWidget(qMRMLWidget):
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    masterVolumeNodeChanged = Signal(object)
    currentSegmentIDChanged = Signal(str)
    SIGNATURES: ClassVar = {
        **SCENE,
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": None,
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": None,
        "masterVolumeNodeChanged(vtkMRMLVolumeNode*)": None,
    }

    segmentationNodeSelectorVisible = kept(bool, "segmentationNodeSelectorVisible", True, "_show")
    sourceVolumeNodeSelectorVisible = kept(bool, "sourceVolumeNodeSelectorVisible", True, "_show")
    autoShowSourceVolumeNode = kept(bool, "autoShowSourceVolumeNode", True)
    switchToSegmentationsButtonVisible = kept(bool, "switchToSegmentationsButtonVisible", True)
    undoEnabled = kept(bool, "undoEnabled", True)
    readOnly = kept(bool, "readOnly", False)
    effectButtonStyle = kept(int, "effectButtonStyle", 0)
    effectColumnCount = kept(int, "effectColumnCount", 2)
    unorderedEffectsVisible = kept(bool, "unorderedEffectsVisible", True, "updateEffectList")
    defaultTerminologyEntrySettingsKey = kept(str, "defaultTerminologyEntrySettingsKey", "")
    defaultTerminologyEntry = kept(str, "defaultTerminologyEntry", "")
    jumpToSelectedSegmentEnabled = kept(bool, "jumpToSelectedSegmentEnabled", False)
    maximumNumberOfUndoStates = Property(
        int,
        lambda self: self._logic.GetMaximumNumberOfUndoStates(),
        lambda self, count: self._logic.SetMaximumNumberOfUndoStates(count),
    )

    def __init__(self, parent=None):
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetMaximumNumberOfUndoStates(10)
        self._node = None
        self._told = (None, None, "")
        self._effect = None
        self._effects: dict[str, segment_effects.qSlicerSegmentEditorAbstractEffect] = {}
        self._order: list[str] = []
        self._shortcuts_parent = None
        self._observing_views = False
        self._build()
        observe(self._logic, self._logic.SegmentationHistoryChangedEvent, self, "_show")

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._form = QtWidgets.QFormLayout()
        self._selectors = {}
        for title, kind in (("Segmentation:", "vtkMRMLSegmentationNode"), ("Source volume:", "vtkMRMLVolumeNode")):
            selector = qMRMLNodeComboBox()
            selector.noneEnabled = True
            selector.nodeTypes = [kind]
            self._selectors[kind] = selector
            self._form.addRow(title, selector)
        layout.addLayout(self._form)
        self._selectors["vtkMRMLSegmentationNode"].currentNodeChanged.connect(self.setSegmentationNode)
        self._selectors["vtkMRMLVolumeNode"].currentNodeChanged.connect(self.setSourceVolumeNode)

        buttons = QtWidgets.QHBoxLayout()
        self._add, self._remove = QtWidgets.QPushButton("+ Add"), QtWidgets.QPushButton("− Remove")
        self._add.clicked.connect(self.onAddSegment)
        self._remove.clicked.connect(self.onRemoveSegment)
        buttons.addWidget(self._add)
        buttons.addWidget(self._remove)
        buttons.addStretch(1)
        layout.addLayout(buttons)

        self._table = qMRMLSegmentsTableView()
        self._table.setMaximumHeight(110)
        self._table.selectionChanged.connect(self._row_selected)
        layout.addWidget(self._table)

        self._grid = QtWidgets.QGridLayout()
        layout.addLayout(self._grid)
        self._options = QtWidgets.QVBoxLayout()
        layout.addLayout(self._options)
        history = QtWidgets.QHBoxLayout()
        self._undo_button, self._redo_button = QtWidgets.QPushButton("Undo"), QtWidgets.QPushButton("Redo")
        self._undo_button.clicked.connect(self.undo)
        self._redo_button.clicked.connect(self.redo)
        history.addStretch(1)
        history.addWidget(self._undo_button)
        history.addWidget(self._redo_button)
        layout.addLayout(history)
        self.updateEffectList()
        # an effect that is registered later appears at once
        segment_effects.qSlicerSegmentEditorEffectFactory.instance().effectRegistered.connect(self.updateEffectList)

    def _scene_set(self) -> None:
        self._logic.SetMRMLScene(self._scene)
        for selector in self._selectors.values():
            selector.setMRMLScene(self._scene)
        self._table.setMRMLScene(self._scene)
        if self._scene is not None:
            observe(self._scene, slicer.vtkMRMLScene.EndCloseEvent, self, "_scene_closed")

    def _scene_closed(self) -> None:
        # the parameter node has gone with the scene: Slicer makes no other, the module has to set one
        if self._node is not None and self._scene.GetNodeByID(self._node.GetID() or "") is not self._node:
            self.setActiveEffect(None)
            self.setMRMLSegmentEditorNode(None)

    # --- the nodes ---

    def setMRMLSegmentEditorNode(self, node) -> None:
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            observe(node, "ModifiedEvent", self, "updateWidgetFromMRML")
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self):
        return self._node

    def segmentationNode(self):
        return self._node.GetSegmentationNode() if self._node else None

    def segmentationNodeID(self) -> str:
        return self.segmentationNode().GetID() if self.segmentationNode() else ""

    def sourceVolumeNode(self):
        return self._node.GetSourceVolumeNode() if self._node else None

    def sourceVolumeNodeID(self) -> str:
        return self.sourceVolumeNode().GetID() if self.sourceVolumeNode() else ""

    def setSegmentationNode(self, node) -> None:
        if self._node is None or node is self.segmentationNode():
            return
        self._logic.SetSegmentationNode(node)
        self._node.SetAndObserveSegmentationNode(node)
        if node is not None:
            node.CreateDefaultDisplayNodes()
        ids = self._segment_ids()
        if self.currentSegmentID() not in ids:
            self._node.SetSelectedSegmentID(ids[0] if ids else "")
        self._logic.UpdateReferenceGeometryImage()

    def setSourceVolumeNode(self, node) -> None:
        if self._node is None or node is self.sourceVolumeNode():
            return
        self._logic.SetSourceVolumeNode(node)
        self._node.SetAndObserveSourceVolumeNode(node)
        segmentation = self.segmentationNode()
        if segmentation is not None and node is not None and not self._segment_ids():
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
        self._logic.UpdateReferenceGeometryImage()
        if node is not None and self.autoShowSourceVolumeNode:
            slicer.util.setSliceViewerLayers(background=node)

    def setSegmentationNodeID(self, id_: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(id_))

    def setSourceVolumeNodeID(self, id_: str) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(id_))

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node else ""

    def setCurrentSegmentID(self, id_: str) -> None:
        if self._node is not None:
            self._logic.SetCurrentSegmentID(id_)
            self._node.SetSelectedSegmentID(id_)

    def _segment_ids(self) -> list[str]:
        node = self.segmentationNode()
        return list(node.GetSegmentation().GetSegmentIDs()) if node else []

    # --- editing ---

    def saveStateForUndo(self) -> None:
        if self.undoEnabled:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def onAddSegment(self) -> None:
        if self.segmentationNode() is not None:
            self.saveStateForUndo()
            self.setCurrentSegmentID(self._logic.AddEmptySegment())

    def onRemoveSegment(self) -> None:
        if self.currentSegmentID():
            self.saveStateForUndo()
            self._logic.RemoveSelectedSegment()

    def toggleSourceVolumeIntensityMaskEnabled(self) -> None:
        self._logic.ToggleSourceVolumeIntensityMask()

    # --- effects ---

    def updateEffectList(self) -> None:
        """One button for each registered effect, in the wanted order."""
        names = segment_effects.registered_names()
        shown = [name for name in self._order if name in names]
        if self.unorderedEffectsVisible:
            shown += [name for name in names if name not in shown]
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        self._buttons = {}
        for index, name in enumerate(shown):
            self._buttons[name] = button = QtWidgets.QToolButton()
            button.setText(segment_effects.title_of(name))
            button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
            button.setCheckable(True)
            button.clicked.connect(lambda checked, name=name: self.setActiveEffectByName(name if checked else ""))
            self._grid.addWidget(button, index // 3, index % 3)

    def availableEffectNames(self) -> list[str]:
        return segment_effects.registered_names()

    def setEffectNameOrder(self, names) -> None:
        self._order = list(names)
        self.updateEffectList()

    def effectNameOrder(self) -> list[str]:
        return list(self._order)

    def effectCount(self) -> int:
        return len(self._buttons)

    def effectByIndex(self, index: int):
        return self.effectByName(list(self._buttons)[index])

    def effectByName(self, name: str):
        """This editor's own clone of the effect, or None if there is none of the name."""
        if name not in self._effects and name in segment_effects.registered_names():
            self._effects[name] = segment_effects.clone(name, self)
        return self._effects.get(name)

    def add_options(self, frame) -> None:
        """An effect's part of the editor."""
        self._options.addWidget(frame)

    def activeEffect(self):
        return self._effect

    def setActiveEffect(self, effect) -> None:
        if effect is self._effect:
            return
        if self._effect is not None:
            self._effect.deactivate()
        self._effect = effect
        if self._node is not None:
            self._node.SetActiveEffectName(effect.name if effect is not None else "")
        if effect is not None:
            effect.activate()
        for name, button in self._buttons.items():
            button.setChecked(effect is not None and effect.name == name)

    def setActiveEffectByName(self, name: str) -> None:
        self.setActiveEffect(self.effectByName(name) if name else None)

    def clean_up_effects(self) -> None:
        """As Slicer before it deletes the editor."""
        self.setActiveEffect(None)
        for effect in self._effects.values():
            if effect.self() is not None:
                effect._call("cleanup")
        self._effects.clear()

    # --- what the module calls on enter and exit ---

    def setupViewObservations(self) -> None:
        self._observing_views = True

    def removeViewObservations(self) -> None:
        self._observing_views = False

    def installKeyboardShortcuts(self, parent=None) -> None:
        self._shortcuts_parent = parent or slicer.util.mainWindow()

    def uninstallKeyboardShortcuts(self) -> None:
        self._shortcuts_parent = None

    def turnOffLightboxes(self) -> bool:
        return False

    def hideLabelLayer(self) -> None:
        pass

    def segmentationNodeSelectorAddAttribute(self, kind: str, name: str, value=None) -> None:
        self._selectors["vtkMRMLSegmentationNode"].addAttribute(kind, name, value)

    def sourceVolumeNodeSelectorAddAttribute(self, kind: str, name: str, value=None) -> None:
        self._selectors["vtkMRMLVolumeNode"].addAttribute(kind, name, value)

    # --- what is shown ---

    def updateWidgetFromMRML(self) -> None:
        now = (self.segmentationNode(), self.sourceVolumeNode(), self.currentSegmentID())
        before, self._told = self._told, now
        self._show()
        if self._effect is not None:
            self._effect.updateGUIFromMRML()
        if self._effect is not None and self._effect.self() is not None:
            self._effect._call("updateGUIFromMRML")
        if now[0] is not before[0]:
            self.segmentationNodeChanged.emit(now[0])
        if now[1] is not before[1]:
            self.sourceVolumeNodeChanged.emit(now[1])
            self.masterVolumeNodeChanged.emit(now[1])
        if now[2] != before[2]:
            self.currentSegmentIDChanged.emit(now[2])

    def _row_selected(self, *_) -> None:
        selected = self._table.selectedSegmentIDs()
        if selected and selected[0] != self.currentSegmentID():
            self.setCurrentSegmentID(selected[0])

    def _show(self) -> None:
        if "_redo_button" not in self.__dict__:
            return
        shown = {
            "vtkMRMLSegmentationNode": (self.segmentationNodeSelectorVisible, self.segmentationNode()),
            "vtkMRMLVolumeNode": (self.sourceVolumeNodeSelectorVisible, self.sourceVolumeNode()),
        }
        for kind, (visible, node) in shown.items():
            selector = self._selectors[kind]
            self._form.setRowVisible(selector, visible)
            selector.blockSignals(True)
            selector.setCurrentNode(node)
            selector.blockSignals(False)
        self._table.blockSignals(True)
        self._table.setSegmentationNode(self.segmentationNode())
        self._table.setSelectedSegmentIDs([self.currentSegmentID()] if self.currentSegmentID() else [])
        self._table.blockSignals(False)
        editable = self.segmentationNode() is not None and not self.readOnly
        self._add.setEnabled(editable)
        self._remove.setEnabled(editable and bool(self.currentSegmentID()))
        self._undo_button.setEnabled(self._logic.CanUndo())
        self._redo_button.setEnabled(self._logic.CanRedo())
