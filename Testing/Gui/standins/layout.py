"""slicer.app.layoutManager(): slice and 3D widgets around Slicer's own slice and view logics, nothing rendered.

views.py renders what these nodes show.
"""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import QObject, Signal

SLICES = {"Red": ("Axial", (0.95, 0.29, 0.2)), "Yellow": ("Sagittal", (0.93, 0.84, 0.3)), "Green": ("Coronal", None)}


class _View(QtWidgets.QWidget):
    """qMRMLSliceView and qMRMLThreeDView: asked for a rendering, they count it."""

    def __init__(self, node, parent=None):
        super().__init__(parent)
        self._node = node
        self._rendered = 0
        self._interactor = vtk.vtkGenericRenderWindowInteractor()

    def _node_of(self):
        return self._node

    mrmlSliceNode = mrmlViewNode = _node_of

    def scheduleRender(self) -> None:
        self._rendered += 1

    forceRender = scheduleRender

    def interactor(self):
        return self._interactor

    interactorStyle = interactor

    def resetFocalPoint(self) -> None:
        pass

    def rotateToViewAxis(self, _axis: int) -> None:
        pass


class _SliceWidget(QtWidgets.QWidget):
    """qMRMLSliceWidget."""

    def __init__(self, name: str, orientation: str):
        super().__init__()
        application = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._node = self._logic.AddSliceNode(name)
        self._node.SetOrientation(orientation)
        self._node.SetMappedInLayout(1)
        application.GetSliceLogics().AddItem(self._logic)
        self._view = _View(self._node, self)
        self._controller = _SliceController(self)

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._node

    def sliceView(self):
        return self._view

    def sliceController(self):
        return self._controller

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    def sliceOrientation(self) -> str:
        return self._node.GetOrientation()

    def setSliceOrientation(self, orientation: str) -> None:
        self._node.SetOrientation(orientation)


class _SliceController(QtWidgets.QWidget):
    """qMRMLSliceControllerWidget."""

    def sliceOffsetSlider(self):
        return None

    def setSliceOffsetValue(self, offset: float) -> None:
        self.parent().sliceLogic().SetSliceOffset(offset)

    def fitSliceToBackground(self) -> None:
        self.parent().fitSliceToBackground()

    def mrmlSliceNode(self):
        return self.parent().mrmlSliceNode()


class _ThreeDWidget(QtWidgets.QWidget):
    """qMRMLThreeDWidget."""

    def __init__(self, name: str):
        super().__init__()
        application = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._node = self._logic.AddViewNode(name)
        self._node.SetMappedInLayout(1)
        application.GetViewLogics().AddItem(self._logic)
        self._view = _View(self._node, self)

    def viewLogic(self):
        return self._logic

    def mrmlViewNode(self):
        return self._node

    def threeDView(self):
        return self._view

    def threeDController(self):
        return QtWidgets.QWidget(self)


class qSlicerLayoutManager(QObject):
    """The conventional layout: Red, Yellow, Green and one 3D view."""

    layoutChanged = Signal(int)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slices = {name: _SliceWidget(name, orientation) for name, (orientation, _) in SLICES.items()}
        self._views = [_ThreeDWidget("1")]
        self._layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView

    threeDViewCount = property(lambda self: len(self._views))
    tableViewCount = plotViewCount = property(lambda self: 0)
    layout = property(lambda self: self._layout, lambda self, layout: self.setLayout(layout))

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._slices)

    def sliceWidget(self, name: str):
        return self._slices.get(name)

    def threeDWidget(self, which=0):
        return self._views[which if isinstance(which, int) else 0]

    def mrmlSliceLogics(self):
        return slicer.app.applicationLogic().GetSliceLogics()

    def setLayout(self, layout: int) -> None:
        self._layout = layout
        self.layoutChanged.emit(layout)

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        pass

    def selectModule(self, name: str) -> None:
        slicer.util.selectModule(name)

    def setRenderPaused(self, _paused: bool) -> None:
        pass

    def viewport(self):
        return slicer.util.mainWindow()
