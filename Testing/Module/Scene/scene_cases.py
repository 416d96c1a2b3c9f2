"""Volumes, segmentations and transforms that the tests of this folder share."""

from __future__ import annotations

import headless_slicer as headless
import numpy as np
import slicer
import vtk
from FewShotSegmentModule.scene import geometry

SHAPE = (14, 30, 36)


def rotation(degrees: float, axis=(0.3, 1.0, -0.6)) -> np.ndarray:
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def affine(spacing, origin=(0, 0, 0), turn=None, flip=(1, 1, 1)) -> np.ndarray:
    """IJK to RAS."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if turn is None else turn) @ np.diag(np.multiply(spacing, flip))
    matrix[:3, 3] = origin
    return matrix


PLAIN = affine((1.5, 1.5, 3.0), (40, 30, -20), flip=(-1, -1, 1))
CUBIC = affine((2.0, 2.0, 2.0), (5, -7, 11))
OBLIQUE = affine((0.9, 1.4, 2.7), (-31.7, 44.1, 903.2), rotation(28), flip=(-1, 1, 1))
"""Left-handed, three different spacings."""
SAGITTAL = affine((1.0, 1.0, 1.0), (3, 2, 1))[:, [1, 2, 0, 3]] @ np.diag([1, 1, 3.0, 1])
"""Acquired across the patient's left-right axis: k runs along R."""


def volume(matrix=PLAIN, shape=SHAPE, dtype=np.int16, name="CT"):
    rng = np.random.default_rng(1)
    return headless.add_volume(rng.integers(-100, 300, shape).astype(dtype), np.asarray(matrix), name)


def ellipsoid(shape=SHAPE, center=(6, 14, 17), radius=(4, 8, 10)) -> np.ndarray:
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    z, y, x = ((g - c) / r for g, c, r in zip(grid, center, radius, strict=True))
    return (z**2 + (y - 0.25 * z) ** 2 + (x + 0.2 * z - 0.15 * y**2) ** 2 < 1).astype(np.uint8)


def segmentation(volumeNode, masks: dict[str, np.ndarray]):
    """A segmentation with a segment for each mask; the IDs are the names."""
    node = headless.add_segmentation(volumeNode)
    for name, mask in masks.items():
        add(node, volumeNode, name, mask)
    return node


def add(node, volumeNode, name, mask=None, color=(0.8, 0.4, 0.3)):
    node.GetSegmentation().AddEmptySegment(name, name, color)
    if mask is not None:
        draw(node, volumeNode, name, mask)


def draw(node, volumeNode, segmentId, mask):
    """Replace a segment, as an edit of the user's does."""
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), node, segmentId, volumeNode)


def whole(mask, shape=SHAPE) -> np.ndarray:
    """The full array of a (box, origin)."""
    out = np.zeros(shape, np.uint8)
    box, origin = mask
    out[tuple(slice(o, o + n) for o, n in zip(origin, box.shape, strict=True))] = box
    return out


def transform(matrix: np.ndarray, name="T"):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(geometry.matrixFromArray(matrix))
    return node


def warp():
    """A transform that bends: a thin plate spline."""
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x in (-60, 60):
        for y in (-60, 60):
            for z in (-60, 60):
                source.InsertNextPoint(x, y, z)
                target.InsertNextPoint(x + 0.04 * y + 4, y + 0.05 * z, z + 0.0005 * x * y)
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    node.SetAndObserveTransformToParent(spline)
    return node


def dice(one, other) -> float:
    one, other = np.asarray(one) > 0, np.asarray(other) > 0
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
