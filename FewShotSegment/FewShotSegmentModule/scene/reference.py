"""How well a segment agrees with a reference segment."""

import importlib
import sys
import threading
from typing import NamedTuple

import numpy as np

from . import geometry
from .errors import SceneError
from .i18n import _
from .segments import reader, segmentOf

_QUERY_POINTS = 4_000
"""Points in one piece of work, so that it takes about 20 ms."""


class Comparison(NamedTuple):
    """Agreement of a segment with a reference.

    Attributes:
        dice: 0 to 1.
        hd95: mm; the larger of the two directions' 95th percentiles of the distances from one surface to the other.
            None if one of them is empty.
        ml: volume of the segment.
        referenceMl: volume of the reference.
    """

    dice: float
    hd95: float | None
    ml: float
    referenceMl: float


def compareSteps(segmentationNode, segmentId, referenceNode, referenceId, volumeNode):
    """Compare a segment with a segment of the same or another segmentation, on the volume's grid.

    Yields:
        After each piece of work.

    Returns:
        Comparison.

    Raises:
        SceneError: a segment is not there or is a surface, or both are empty.
    """
    ours = reader.readMask(segmentationNode, segmentId, volumeNode)
    yield
    theirs = reader.readMask(referenceNode, referenceId, volumeNode)
    yield
    count, referenceCount = np.count_nonzero(ours.voxels), np.count_nonzero(theirs.voxels)
    if count + referenceCount == 0:
        raise SceneError(_("{name} and its reference are both empty: there is nothing to compare.").format(
            name=segmentOf(segmentationNode, segmentId).GetName()))  # fmt: skip
    dice = 2 * _overlap(ours, theirs) / (count + referenceCount)
    hd95 = None
    if count and referenceCount:
        size = geometry.spacing(volumeNode)
        first = yield from _surfaceSteps(ours, size)
        second = yield from _surfaceSteps(theirs, size)
        there = yield from _distanceSteps(first, second)
        back = yield from _distanceSteps(second, first)
        hd95 = float(max(np.percentile(there, 95), np.percentile(back, 95)))
    ml = geometry.voxelMl(volumeNode)
    return Comparison(float(dice), hd95, float(count * ml), float(referenceCount * ml))


def _overlap(one, other):
    """Voxels that two masks share."""
    if one.voxels.size == 0 or other.voxels.size == 0:
        return 0
    first = np.maximum(one.origin, other.origin)
    last = np.minimum(np.add(one.origin, one.voxels.shape), np.add(other.origin, other.voxels.shape))
    if (last <= first).any():
        return 0
    parts = [
        mask.voxels[tuple(slice(f - o, n - o) for f, n, o in zip(first, last, mask.origin, strict=True))]
        for mask in (one, other)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _surfaceSteps(mask, size):
    """Centers in mm of the voxels that have a neighbor (of six) outside the mask, [n, 3]; yields on the way."""
    box = mask.voxels.view(bool)
    points = []
    nothing = np.zeros(box.shape[1:], bool)
    for z in range(len(box)):
        layer = box[z]
        inner = layer & (box[z - 1] if z else nothing) & (box[z + 1] if z + 1 < len(box) else nothing)
        padded = np.pad(layer, 1)
        inner = inner & padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]
        rows, columns = np.nonzero(layer & ~inner)
        points.append(np.stack([np.full(rows.size, z), rows, columns], axis=1))
        if z % 8 == 7:
            yield
    return (np.concatenate(points) + np.array(mask.origin)) * np.array(size)


def _distanceSteps(points, others):
    """Distance of each point to the nearest of others; yields on the way."""
    yield from _importSteps("scipy.spatial")
    from scipy.spatial import cKDTree

    # neither balanced nor compact: much faster to build, and as fast to search on a grid's points
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    yield
    nearest = np.empty(len(points))
    for first in range(0, len(points), _QUERY_POINTS):
        nearest[first : first + _QUERY_POINTS] = tree.query(points[first : first + _QUERY_POINTS])[0]
        yield
    return nearest


def _importSteps(name):
    """Import a package that takes a while (scipy comes with Slicer); yields meanwhile."""
    if name in sys.modules:
        return
    thread = threading.Thread(target=importlib.import_module, args=(name,), daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.02)  # Python runs the thread only while we wait
        yield
