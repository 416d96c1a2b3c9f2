"""Masks on voxel grids: images that know their place, and from one grid to another."""

from collections import OrderedDict

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from . import geometry
from .errors import SceneError
from .i18n import _

_TOLERANCE = 0.02
"""Grids agree when no voxel is off by more than this share of a voxel."""

_PIECE = 500_000
"""Voxels resampled at a time: about 30 ms."""

_CONTENTS = 64
_contents = OrderedDict()  # what `contentBox` found last


def imageArray(image):
    """Voxels of a vtkImageData with one value each as a view [z, y, x]; empty if there are none."""
    scalars = image.GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfTuples() == 0 or min(image.GetDimensions()) < 1:
        return np.zeros((0, 0, 0), np.uint8)
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def trim(mask, origin=(0, 0, 0)):
    """The smallest box of a bool [z, y, x] array that holds all of it, and its new origin; None if it is empty."""
    depth = np.flatnonzero(mask.reshape(mask.shape[0], -1).any(axis=1)) if mask.size else np.zeros(0, int)
    if depth.size == 0:
        return None
    mask = mask[depth[0] : depth[-1] + 1]
    rest = mask.any(axis=0)
    y, x = np.flatnonzero(rest.any(axis=1)), np.flatnonzero(rest.any(axis=0))
    box = mask[:, y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    return box, (origin[0] + int(depth[0]), origin[1] + int(y[0]), origin[2] + int(x[0]))


def contentBox(image):
    """The smallest box of a labelmap's array [z, y, x] that holds all that is not 0: (first, end); None if all is 0.

    A labelmap may be as large as the volume, so what was found is kept: it is gone through once after each change.
    """
    key = (image.GetMTime(), image.GetDimensions())  # VTK gives no modification time twice
    if key not in _contents:
        _contents[key] = _findContent(imageArray(image))
        while len(_contents) > _CONTENTS:
            _contents.popitem(last=False)
    _contents.move_to_end(key)
    return _contents[key]


def _findContent(array):
    # Bytes are looked through, whatever the type: several times as fast as comparing, and nothing is copied.
    found = trim(array.view(bool))
    if found is None:
        return None
    box, first = found
    end = [start + size for start, size in zip(first, box.shape, strict=True)]
    return (*first[:2], first[2] // array.itemsize), (*end[:2], -(-end[2] // array.itemsize))


def orientedImage(box, origin, ijkToRas):
    """A vtkOrientedImageData of a mask.

    Args:
        box: [z, y, x], 0 or 1.
        origin: (k, j, i) of its first voxel.
        ijkToRas: 4 × 4 of the grid.
    """
    image = _emptyImage(origin, box.shape, ijkToRas)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    if box.size:
        imageArray(image)[:] = box
    return image


def _emptyImage(origin, shape, ijkToRas):
    """A vtkOrientedImageData with a place and no voxels."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent([bound for axis in (2, 1, 0) for bound in (origin[axis], origin[axis] + shape[axis] - 1)])
    image.SetGeometryFromImageToWorldMatrix(geometry.matrixFromArray(ijkToRas))
    return image


def imageMatrix(image):
    """4 × 4 from a vtkOrientedImageData's indices to its coordinates."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return geometry.matrixArray(matrix)


def indexShift(fromIjk, toIjk, between, shape):
    """By how many voxels (k, j, i) one grid's indices are ahead of another's; None where the grids differ.

    Args:
        fromIjk: 4 × 4 of the one grid.
        toIjk: 4 × 4 of the other.
        between: 4 × 4 from the one's coordinates to the other's.
        shape: (z, y, x) within which they have to agree.
    """
    matrix = np.linalg.inv(toIjk) @ between @ fromIjk
    drift = np.abs(matrix[:3, :3] - np.eye(3)) @ np.array(shape[::-1], float)
    shift = np.rint(matrix[:3, 3])
    if drift.max() > _TOLERANCE or np.abs(matrix[:3, 3] - shift).max() > _TOLERANCE:
        return None
    return tuple(int(s) for s in shift[::-1])


def resampleSteps(box, origin, fromIjk, toIjk, limits, transform):
    """A mask on another grid, nearest neighbor, in pieces.

    Args:
        box: [z, y, x], 0 or 1.
        origin: (k, j, i) of its first voxel.
        fromIjk: 4 × 4 of its grid.
        toIjk: 4 × 4 of the other grid.
        limits: ((k, j, i) first, (k, j, i) last) voxel of the other grid that may be used.
        transform: `geometry.transformBetween` the two grids' nodes.

    Yields:
        After each piece.

    Returns:
        (bool [z, y, x], (k, j, i) of its first voxel), or None if nothing is left.
    """
    first, last = _boxOnGrid(box.shape, origin, fromIjk, toIjk, transform)
    first, last = np.maximum(first, limits[0]), np.minimum(last, limits[1])
    if (last < first).any():
        return None
    # Slicer's resampling looks up the image's own extent, so a border of zeros keeps the outermost voxels whole
    image = orientedImage(np.pad(box, 1), tuple(o - 1 for o in origin), fromIjk)
    matrix, general = transform
    if general is None and not np.allclose(matrix, geometry.IDENTITY):
        general = vtk.vtkTransform()
        general.SetMatrix(geometry.matrixFromArray(matrix))
    whole = np.zeros(tuple(last - first + 1), bool)
    slices = max(1, _PIECE // (whole.shape[1] * whole.shape[2]))
    for start in range(0, len(whole), slices):
        _resamplePiece(image, whole[start : start + slices], (first[0] + start, *first[1:]), toIjk, general)
        yield
    return trim(whole, tuple(int(f) for f in first))


def _resamplePiece(image, piece, origin, toIjk, transform):
    """Fill a part of the other grid."""
    output = slicer.vtkOrientedImageData()
    done = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, _emptyImage(tuple(int(o) for o in origin), piece.shape, toIjk), output, False, False, transform
    )
    if not done:
        raise SceneError(_("The segment could not be brought onto the volume's grid: check the transforms."))
    found = imageArray(output)
    extent = output.GetExtent()
    start = [extent[2 * (2 - axis)] - int(origin[axis]) for axis in range(3)]
    if found.size:
        piece[tuple(slice(s, s + n) for s, n in zip(start, found.shape, strict=True))] = found != 0


def _boxOnGrid(shape, origin, fromIjk, toIjk, transform):
    """First and last (k, j, i) of another grid that a box can reach."""
    steps = [np.linspace(start - 1, start + size, 2 if transform[1] is None else 12) for start, size in
             zip(origin, shape, strict=True)]  # fmt: skip
    k, j, i = (g.ravel() for g in np.meshgrid(*steps, indexing="ij"))
    points = (fromIjk @ np.stack([i, j, k, np.ones_like(i)]))[:3].T
    if transform[1] is None:
        points = points @ transform[0][:3, :3].T + transform[0][:3, 3]
    else:
        points = np.array([transform[1].TransformPoint(point) for point in points])
    toGrid = np.linalg.inv(toIjk)
    indices = (points @ toGrid[:3, :3].T + toGrid[:3, 3])[:, ::-1]
    # between the points a curved transform may reach a little further
    margin = 1 if transform[1] is None else 1 + 0.1 * (indices.max(axis=0) - indices.min(axis=0))
    return (np.floor(indices.min(axis=0) - margin).astype(int), np.ceil(indices.max(axis=0) + margin).astype(int))
