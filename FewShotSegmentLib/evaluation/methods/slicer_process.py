"""Slicer's own filters, run in a process of their own.

A process of its own because vtkITKMorphologicalContourInterpolator crashes when the interpreter ends (a destructor of
ITK runs after what it needs is gone): here that would lose the exit code of the evaluation. Slicer is imported there
only, by its name.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .base import needs

Array = NDArray[Any]


class SlicerProcess:
    """The process, started at the first use and ended with this one."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Load slicer (2 s) ahead of the first call, so that no organ is charged with it.

        Raises:
            InputError: slicer cannot be loaded.
        """
        if self._pool is None:
            pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _load_slicer)
            try:
                pool.submit(os.getpid).result()
            except BrokenProcessPool as error:
                raise InputError(needs("slicer")) from error
            self._pool = pool

    def fill(self, labels: NDArray[np.int16]) -> Array:
        """See `_fill`."""
        return self._call("_fill", labels)

    def grow(self, image: Array, painted: NDArray[np.uint8], spacing: tuple[float, float, float]) -> Array:
        """See `_grow`."""
        return self._call("_grow", image, painted, spacing)

    def _call(self, name: str, *arguments: object) -> Array:
        self.start()
        assert self._pool is not None
        try:
            found: Array = self._pool.submit(globals()[name], *arguments).result()
        except BrokenProcessPool as error:
            self._pool = None
            raise InputError("Slicer's filter ended unexpectedly, perhaps for want of memory; try again.") from error
        return found


PROCESS = SlicerProcess()
"""One for all methods of this process."""


def _load_slicer() -> None:
    import_module("slicer")
    atexit.register(os._exit, 0)  # ends before the destructors that crash


def _fill(labels: NDArray[np.int16]) -> Array:
    """Fill between slices with its defaults: labels [z, y, x] with some slices drawn → all slices between them."""
    interpolator = import_module("slicer").vtkITKMorphologicalContourInterpolator()
    interpolator.SetInputData(_vtk_image(labels, (1.0, 1.0, 1.0)))
    interpolator.Update()
    return _array(interpolator.GetOutput(), labels.shape)


def _grow(image: Array, painted: NDArray[np.uint8], spacing: tuple[float, float, float]) -> Array:
    """Grow from seeds with its defaults: each voxel of [z, y, x] gets a label of `painted`; spacing in mm (z, y, x)."""
    grow_cut = import_module("slicer").vtkImageGrowCutSegment()
    grow_cut.SetIntensityVolume(_vtk_image(image, spacing))
    grow_cut.SetSeedLabelVolume(_vtk_image(painted, spacing))
    # a third input is compulsory: zero means that a voxel may be labelled
    grow_cut.SetMaskVolume(_vtk_image(np.zeros_like(painted), spacing))
    grow_cut.SetDistancePenalty(0.0)  # the effect's default “seed locality”
    grow_cut.Update()
    return _array(grow_cut.GetOutput(), image.shape)


def _vtk_image(array: Array, spacing: tuple[float, float, float]) -> Any:
    """A vtkImageData of an array [z, y, x]; the spacing in the same order."""
    image = import_module("vtk").vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.SetSpacing(*spacing[::-1])
    values = np.ascontiguousarray(array).ravel()
    image.GetPointData().SetScalars(import_module("vtk.util.numpy_support").numpy_to_vtk(values, deep=True))
    return image


def _array(image: Any, shape: tuple[int, ...]) -> Array:
    """The voxels of a vtkImageData as [z, y, x]."""
    scalars = image.GetPointData().GetScalars()
    return np.array(import_module("vtk.util.numpy_support").vtk_to_numpy(scalars)).reshape(shape)
