"""qMRMLWidget and what is like it: widgets that are told the scene."""

from __future__ import annotations

from typing import ClassVar

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

SCENE = {"mrmlSceneChanged(vtkMRMLScene*)": None}


class HasScene:
    """setMRMLScene, mrmlScene and the signal that .ui files connect."""

    def setMRMLScene(self, scene) -> None:
        if scene is self.__dict__.get("_scene"):
            return
        self._scene = scene
        self._scene_set()
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self.__dict__.get("_scene")

    def _scene_set(self) -> None:
        """For those that look into the scene."""


class qMRMLWidget(HasScene, QtWidgets.QWidget):
    mrmlSceneChanged = Signal(object)
    SIGNATURES: ClassVar = SCENE


class qSlicerWidget(qMRMLWidget):
    """The same with the application's name."""


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The parent of a module's widget; the scene is set and the layout is there when the module gets it."""

    def __init__(self, parent=None):
        super().__init__(parent)
        QtWidgets.QVBoxLayout(self)
        self._python = None
        self._reload = None

    def self(self):
        """The module's Python widget."""
        return self._python

    def module(self):
        return getattr(slicer.modules, self._python.moduleName.lower())

    def enter(self) -> None:
        if hasattr(self._python, "enter"):
            self._python.enter()

    def exit(self) -> None:
        if hasattr(self._python, "exit"):
            self._python.exit()

    def setup(self) -> None:
        self._python.setup()

    def reload(self) -> None:
        self._reload()


def observe(source, event, widget, method: str) -> None:
    """Call the widget's method at a VTK event, for as long as Qt has the widget."""
    import shiboken6

    tags = []

    # not to hold the source: through its observer it would hold itself, and Python's garbage collection would take the
    # function to pieces while VTK still calls it
    def tell(caller, *_):
        if shiboken6.isValid(widget):
            getattr(widget, method)()
        else:
            caller.RemoveObserver(tags[0])

    tags.append(source.AddObserver(event, tell))
