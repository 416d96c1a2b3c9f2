"""Slicer's slice and 3D views as pictures, without a screen: VTK's EGL window and Slicer's displayable managers.

A view shows the application's own nodes: ``SliceView("Red")`` what the layout's red slice shows. Where EGL is missing,
VTK's window cannot be made; that is an error with the names of the packages, never a skip.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

SLICE_MANAGERS = (
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.Render()
"""


@functools.cache
def require_rendering() -> None:
    """Ask another process first: where the libraries are missing VTK crashes."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"VTK cannot render without a screen; on Debian install libegl1 libgl1 libgl1-mesa-dri.\n{done.stderr}"
        )


class _View:
    """A window off screen with Slicer's displayable managers on one node."""

    def __init__(self, size: tuple[int, int]):
        require_rendering()
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.ShowWindowOff()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self.renderer)
        self.window.SetSize(*size)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()

    def _manage(self, factory, names: tuple[str, ...], node) -> None:
        factory = factory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)
        self.group.Initialize(factory, self.renderer)
        self.group.SetMRMLDisplayableNode(node)

    def image(self) -> np.ndarray:
        """What the view shows now, as uint8 with the axes row, column, RGB."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()

    def close(self) -> None:
        self.group.SetMRMLDisplayableNode(None)
        self.interactor.SetRenderWindow(None)
        self.window.Finalize()

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        self.close()


class SliceView(_View):
    """Renders the slice node of the layout with this name: "Red", "Yellow" or "Green"."""

    def __init__(self, name: str = "Red", size: tuple[int, int] = (400, 400)):
        super().__init__(size)
        self.logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
        self.node = self.logic.GetSliceNode()
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        over = vtk.vtkRenderer()
        over.GetActiveCamera().ParallelProjectionOn()
        over.SetLayer(1)
        self.window.SetNumberOfLayers(2)
        self.window.AddRenderer(over)
        self.window.SetAlphaBitPlanes(1)
        # before the displayable managers: else the fill of segments blends with black
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self.mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)
        self._manage(slicer.vtkMRMLSliceViewDisplayableManagerFactory, SLICE_MANAGERS, self.node)
        self.logic.ResizeSliceNode(*size)

    def show(self, volume, offset: float | None = None) -> SliceView:
        """The volume, fitted, along its own axes; ``offset`` in mm along the slice's normal."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.node.RotateToVolumePlane(volume)
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()
        if offset is not None:
            self.logic.SetSliceOffset(offset)
        return self

    def image(self) -> np.ndarray:
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        return super().image()


class ThreeDView(_View):
    """Renders the layout's 3D view."""

    def __init__(self, size: tuple[int, int] = (400, 400)):
        super().__init__(size)
        self.node = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
        self.node.SetOrientationMarkerType(self.node.OrientationMarkerTypeNone)
        self._manage(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, THREE_D_MANAGERS, self.node)

    def look(self, azimuth: float = 30, elevation: float = 15) -> ThreeDView:
        """From the front, turned; everything in sight."""
        self.node.SetBoxVisible(0)
        self.node.SetAxisLabelsVisible(0)
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(0, 500, 0)
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Azimuth(azimuth)
        camera.Elevation(elevation)
        self.renderer.ResetCamera()
        self.renderer.ResetCameraClippingRange()
        return self


# --- pictures of the panel, and both together ---

DARK = {
    "Window": "#353535",
    "WindowText": "#ffffff",
    "Base": "#2a2a2a",
    "AlternateBase": "#424242",
    "ToolTipBase": "#353535",
    "ToolTipText": "#ffffff",
    "Text": "#ffffff",
    "Button": "#353535",
    "ButtonText": "#ffffff",
    "BrightText": "#ff0000",
    "Light": "#505050",
    "Midlight": "#434343",
    "Mid": "#232323",
    "Dark": "#1b1b1b",
    "Shadow": "#000000",
    "Link": "#2a82da",
    "Highlight": "#2a82da",
    "HighlightedText": "#000000",
    "PlaceholderText": "#a0a0a0",
}
DARK_DISABLED = {"WindowText": "#7f7f7f", "Text": "#7f7f7f", "ButtonText": "#7f7f7f", "HighlightedText": "#7f7f7f"}


def set_palette(dark: bool) -> None:
    """Slicer's light or dark style for all widgets."""
    from PySide6 import QtGui, QtWidgets

    palette = QtWidgets.QApplication.style().standardPalette()
    if dark:
        for role, color in DARK.items():
            palette.setColor(getattr(QtGui.QPalette, role), QtGui.QColor(color))
        for role, color in DARK_DISABLED.items():
            palette.setColor(QtGui.QPalette.Disabled, getattr(QtGui.QPalette, role), QtGui.QColor(color))
    QtWidgets.QApplication.setPalette(palette)
    slicer.app.processEvents()


def grab_panel(widget, *, dark: bool = False, width: int = 480, height: int | None = None) -> np.ndarray:
    """The widget as uint8 RGB, in this width (what needs more is cut off, as in Slicer) and as high as it wants."""
    from PySide6 import QtGui, QtWidgets

    set_palette(dark)
    frame = widget.parent().parent() if widget.parent() is not None else None
    in_window = isinstance(frame, QtWidgets.QScrollArea)
    if in_window:
        frame.setWidgetResizable(False)
    try:
        widget.resize(width, 100)
        slicer.app.processEvents()
        wanted = widget.layout().totalHeightForWidth(width) if widget.layout() is not None else -1
        widget.resize(width, height or max(wanted, widget.sizeHint.height()))
        slicer.app.processEvents()
        picture = widget.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    finally:
        set_palette(False)
        if in_window:
            frame.setWidgetResizable(True)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    return rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3).copy()


def write_png(image: np.ndarray, path: Path | str) -> Path:
    """An RGB array as a file."""
    from PySide6 import QtGui

    image = np.ascontiguousarray(image)
    height, width, _ = image.shape
    assert QtGui.QImage(image.data, width, height, 3 * width, QtGui.QImage.Format_RGB888).save(str(path)), path
    return Path(path)


def composite(panel: np.ndarray, views: list[np.ndarray], path: Path | str, *, gap: int = 4) -> Path:
    """The panel at the left and the views beside it, two in a row, as Slicer arranges them."""
    size = max(max(view.shape[:2]) for view in views)
    rows = -(-len(views) // 2)
    height = max(panel.shape[0], rows * (size + gap) - gap)
    columns = min(len(views), 2)
    canvas = np.full((height, panel.shape[1] + columns * (size + gap), 3), 24, np.uint8)
    canvas[: panel.shape[0], : panel.shape[1]] = panel
    canvas[panel.shape[0] :, : panel.shape[1]] = panel[-1, -1]
    for index, view in enumerate(views):
        top, left = (index // 2) * (size + gap), panel.shape[1] + gap + (index % 2) * (size + gap)
        canvas[top : top + view.shape[0], left : left + view.shape[1]] = view
    return write_png(canvas, path)
