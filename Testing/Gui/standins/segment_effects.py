"""Segment Editor effects: the factory, and objects by which modules and scripted effects reach the segmentation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from standins.properties import kept, with_setters

BUILT_IN = ("Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Threshold", "Margin")


@with_setters
class qSlicerSegmentEditorAbstractEffect(QtCore.QObject):
    """What Slicer's effects offer to scripts; ``name`` is set once."""

    ModificationModeSet, ModificationModeAdd, ModificationModeRemove, ModificationModeRemoveAll = range(4)
    SIGNATURES: ClassVar = {}

    title = kept(str, "title", "")
    perSegment = kept(bool, "perSegment", True)
    requireSegments = kept(bool, "requireSegments", True)
    showEffectCursorInSliceView = kept(bool, "showEffectCursorInSliceView", True)
    showEffectCursorInThreeDView = kept(bool, "showEffectCursorInThreeDView", False)

    name = Property(str, lambda self: self.objectName, lambda self, text: self.setObjectName(text))

    def __init__(self, parent=None):
        super().__init__(parent)
        self._editor = None
        self._active = False
        self._frame = None
        self._layout = None

    def active(self) -> bool:
        return self._active

    def activate(self) -> None:
        self._active = True
        self.optionsFrame().setVisible(True)
        self.updateGUIFromMRML()

    def deactivate(self) -> None:
        self._active = False
        self.optionsFrame().setVisible(False)

    def updateGUIFromMRML(self) -> None:
        pass

    def self(self):
        return None

    def parameterSetNode(self):
        return self._editor.mrmlSegmentEditorNode() if self._editor is not None else None

    # --- parameters, kept in the segment editor node ---

    def _key(self, name: str) -> str:
        return f"{self.name}.{name}"

    def parameter(self, name: str) -> str:
        node = self.parameterSetNode()
        return (node.GetAttribute(self._key(name)) or "") if node is not None else ""

    def integerParameter(self, name: str) -> int:
        return int(float(self.parameter(name) or 0))

    def doubleParameter(self, name: str) -> float:
        return float(self.parameter(name) or 0)

    def parameterDefined(self, name: str) -> bool:
        node = self.parameterSetNode()
        return node is not None and node.GetAttribute(self._key(name)) is not None

    def setParameter(self, name: str, value) -> None:
        if self.parameterSetNode() is not None:
            self.parameterSetNode().SetAttribute(self._key(name), str(value))

    def setParameterDefault(self, name: str, value) -> None:
        if not self.parameterDefined(name):
            self.setParameter(name, value)

    # --- options ---

    def optionsFrame(self):
        if self._frame is None:
            self._frame = QtWidgets.QFrame(self._editor)
            self._frame.setVisible(False)
            self._layout = QtWidgets.QFormLayout(self._frame)
            if self._editor is not None:
                self._editor.add_options(self._frame)
        return self._frame

    def optionsLayout(self):
        self.optionsFrame()
        return self._layout

    def addOptionsWidget(self, widget):
        self.optionsLayout().addRow(widget)
        return widget

    def addLabeledOptionsWidget(self, label: str, widget):
        self.optionsLayout().addRow(label, widget)
        return widget

    # --- editing, by Slicer's logic ---

    def saveStateForUndo(self) -> None:
        self._editor.saveStateForUndo()

    def modifySelectedSegmentByLabelmap(self, labelmap, mode, extent=None, bypassMasking=False) -> None:
        node = self.parameterSetNode()
        self.modifySegmentByLabelmap(
            node.GetSegmentationNode(), node.GetSelectedSegmentID(), labelmap, mode, extent, bypassMasking
        )

    def modifySegmentByLabelmap(self, segmentation, id_, labelmap, mode, extent=None, bypassMasking=False) -> None:
        logic = self._editor._logic
        where = [] if extent is None else [list(extent)]
        modes = logic.ModificationModeSet, logic.ModificationModeAdd, logic.ModificationModeRemove
        modes = (*modes, logic.ModificationModeRemoveAll)  # an enum of its own that takes no integers
        logic.ModifySegmentByLabelmap(segmentation, id_, labelmap, modes[mode], *where, self.perSegment, bypassMasking)

    def selectedSegmentLabelmap(self):
        self._editor._logic.UpdateSelectedSegmentLabelmap()
        return self._editor._logic.GetSelectedSegmentLabelmap()

    def referenceGeometryImage(self):
        self._editor._logic.UpdateReferenceGeometryImage()
        return self._editor._logic.GetReferenceGeometryImage()

    def defaultModifierLabelmap(self):
        self._editor._logic.ResetModifierLabelmapToDefault()
        return self._editor._logic.GetModifierLabelmap()

    def selectEffect(self, name: str) -> None:
        self._editor.setActiveEffectByName(name)


class qSlicerSegmentEditorScriptedEffect(qSlicerSegmentEditorAbstractEffect):
    """An effect whose behavior is a Python class SegmentEditorEffect in a file."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._python = None
        self._source = ""

    def setPythonSource(self, path: str) -> bool:
        """As Slicer: the module is called after the file's folder, and is loaded only if there is none of that name."""
        self._source = path
        name, kind = Path(path).parent.name, Path(path).stem
        if "\\" in path or not path.endswith(".py"):
            return False
        if not hasattr(sys.modules.get(name), kind):
            specification = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(specification)
            sys.modules[name] = module
            specification.loader.exec_module(module)
        self._python = getattr(sys.modules[name], kind)(self)
        return True

    def pythonSource(self) -> str:
        return self._source

    def self(self):
        return self._python

    def activate(self) -> None:
        super().activate()
        self._call("activate")

    def updateGUIFromMRML(self) -> None:
        self._call("updateGUIFromMRML")

    def updateMRMLFromGUI(self) -> None:
        self._call("updateMRMLFromGUI")

    def deactivate(self) -> None:
        super().deactivate()
        self._call("deactivate")

    def _call(self, name: str, *arguments):
        method = getattr(self._python, name, None)
        return method(*arguments) if method is not None else None


class qSlicerSegmentEditorEffectFactory(QtCore.QObject):
    """Effects of which each editor makes its own clone."""

    effectRegistered = Signal()
    _instance = None

    def __init__(self, parent=None):
        super().__init__(parent)
        self._registered = []

    @classmethod
    def instance(cls):
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def registerEffect(self, effect) -> bool:
        if any(effect.name == other.name for other in self._registered):
            return False
        self._registered.append(effect)
        self.effectRegistered.emit()
        return True

    def registeredEffects(self) -> list:
        return list(self._registered)


def registered_names() -> list[str]:
    return [*BUILT_IN, *(effect.name for effect in qSlicerSegmentEditorEffectFactory.instance().registeredEffects())]


def title_of(name: str) -> str:
    effects = qSlicerSegmentEditorEffectFactory.instance().registeredEffects()
    return next((effect.title for effect in effects if effect.name == name and effect.title), name)


def clone(name: str, editor):
    """The editor's own effect of this name."""
    if name in BUILT_IN:
        effect = qSlicerSegmentEditorAbstractEffect(editor)
        effect.setObjectName(name)
    else:
        (original,) = [
            one for one in qSlicerSegmentEditorEffectFactory.instance().registeredEffects() if one.name == name
        ]
        effect = original._call("clone")
        effect.setParent(editor)
    effect._editor = editor
    if effect.self() is not None:
        effect._call("setMRMLDefaults")
        effect._call("setupOptionsFrame")
    return effect


class AbstractScriptedSegmentEditorEffect:
    """Base class of scripted effects: what it does unless they do otherwise."""

    def __init__(self, scriptedEffect):
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        qSlicerSegmentEditorEffectFactory.instance().registerEffect(self.scriptedEffect)

    def cleanup(self) -> None:
        pass

    def createCursor(self, _widget):
        return None

    def helpText(self) -> str:
        return ""

    def activate(self) -> None:
        pass

    def deactivate(self) -> None:
        pass

    def setupOptionsFrame(self) -> None:
        pass

    def setMRMLDefaults(self) -> None:
        pass

    def updateGUIFromMRML(self) -> None:
        pass

    def updateMRMLFromGUI(self) -> None:
        pass


def install() -> None:
    module = ModuleType("SegmentEditorEffects")
    module.AbstractScriptedSegmentEditorEffect = AbstractScriptedSegmentEditorEffect
    module.AbstractScriptedSegmentEditorAutoCompleteEffect = AbstractScriptedSegmentEditorEffect
    sys.modules["SegmentEditorEffects"] = module
    wrapped = ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
    for kind in (
        qSlicerSegmentEditorAbstractEffect,
        qSlicerSegmentEditorScriptedEffect,
        qSlicerSegmentEditorEffectFactory,
    ):
        setattr(slicer, kind.__name__, kind)
        setattr(wrapped, kind.__name__, kind)
    sys.modules[wrapped.__name__] = wrapped
