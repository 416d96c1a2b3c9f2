"""Slicer's own filters, run in a process of their own.

A process of its own because vtkITKMorphologicalContourInterpolator crashes when the interpreter ends (a destructor of
ITK runs after what it needs is gone): here that would lose the exit code of the bench.
"""

from __future__ import annotations

import atexit
import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

_pool: ProcessPoolExecutor | None = None


def missing() -> str | None:
    """Why the Slicer baselines cannot be measured here, if they cannot."""
    return None if importlib.util.find_spec("slicer") else "slicer-core is not installed (it has no wheel for it here)"


def call(function: Callable[..., np.ndarray], *arrays: object) -> np.ndarray:
    """`function(*arrays)` in the process that has slicer loaded."""
    start()
    return _pool.submit(function, *arrays).result()


def start() -> None:
    """Load slicer (2 s) ahead of the first call, so that no structure is charged with it."""
    global _pool  # noqa: PLW0603 - one process for the whole run
    if _pool is None:
        context = multiprocessing.get_context("spawn")
        _pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load_slicer)
        _pool.submit(os.getpid).result()


def _load_slicer() -> None:
    import slicer  # noqa: F401

    atexit.register(os._exit, 0)  # ends before the destructors that crash


def vtk_image(array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)):
    """A vtkImageData of the array [z, y, x]; the spacing in the same order."""
    import vtk
    from vtk.util import numpy_support

    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.SetSpacing(*spacing[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def numpy_array(image, shape: tuple[int, ...]) -> np.ndarray:
    """The voxels of a vtkImageData as [z, y, x]."""
    from vtk.util import numpy_support

    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape).copy()
