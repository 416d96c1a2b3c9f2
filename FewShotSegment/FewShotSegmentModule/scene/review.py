"""Looking through a result: doubtful slices, where to annotate next, volume, status."""

import numpy as np
import slicer

from . import geometry
from .annotation import runsOf
from .segments import reader, segmentOf

DOUBTFUL = 0.8
"""Confidence below which a slice is worth a look."""

_Logic = slicer.vtkSlicerSegmentationsModuleLogic

STATUSES = {
    "not started": _Logic.NotStarted,
    "in progress": _Logic.InProgress,
    "completed": _Logic.Completed,
    "flagged": _Logic.Flagged,
}
"""Words for Slicer's constants."""


def doubtful(confidence, anchors, occupied, below=DOUBTFUL):
    """Slices worth a look, the least sure first: one of each run of doubtful neighbours.

    Args:
        confidence: of each slice along the axis, 0 to 1; NaN where nothing is known.
        anchors: slices that were drawn by hand.
        occupied: slices that the segment is on.
        below: confidence that is not worth a look.
    """
    if not len(occupied):
        return ()
    confidence = np.asarray(confidence, float)
    # next to the structure too: that it ends there may be what is doubtful
    first, last = max(min(occupied) - 1, 0), min(max(occupied) + 1, len(confidence) - 1)
    unsure = [i for i in range(first, last + 1) if i not in set(anchors) and confidence[i] < below]
    least = [min(range(a, b + 1), key=lambda i: confidence[i]) for a, b in runsOf(unsure)]
    return tuple(sorted(least, key=lambda i: (confidence[i], i)))


def nextSlice(slices, index):
    """The next of some slices after one, from the start again behind the last; None if there are none."""
    later = [s for s in slices if index is None or s > index]
    return min(later) if later else min(slices, default=None)


def previousSlice(slices, index):
    """The next of some slices before one, from the end again before the first; None if there are none."""
    earlier = [s for s in slices if index is None or s < index]
    return max(earlier) if earlier else max(slices, default=None)


def suggestSlice(confidence, anchors, areas, spacingAcross):
    """The slice whose correction would mend the largest area, by the engine's rule; None if none is worth a look.

    Args:
        confidence: of each slice along the axis, 0 to 1; NaN where nothing is known, which counts as sure.
        anchors: slices that were drawn by hand.
        areas: of the segment on each slice, in any unit; `areasAlong`.
        spacingAcross: mm from slice to slice.
    """
    from FewShotSegmentLib.review import propose

    return propose(areas, np.nan_to_num(np.asarray(confidence, float), nan=1.0), list(anchors), spacingAcross)


def areasAlong(mask, axis, count):
    """Voxels of a `segments.Mask` on each of a volume's `count` slices along an array axis, int64 [count]."""
    areas, voxels = np.zeros(count, np.int64), mask.voxels
    if voxels.size == 0:
        return areas
    if axis == 2:  # single columns lie apart in memory: one sum of them all is many times as fast
        found = voxels.sum(axis=0, dtype=np.min_scalar_type(len(voxels))).sum(axis=0, dtype=np.int64)
    else:
        found = [np.count_nonzero(part) for part in np.moveaxis(voxels.view(bool), axis, 0)]
    first = mask.origin[axis]
    areas[first : first + voxels.shape[axis]] = found
    return areas


def volumeMl(segmentationNode, segmentId, volumeNode):
    """Volume of the segment in ml, on the volume's grid."""
    mask = reader.readMask(segmentationNode, segmentId, volumeNode)
    return int(np.count_nonzero(mask.voxels)) * geometry.voxelMl(volumeNode)


def status(segmentationNode, segmentId):
    """Word for the segment's status, a key of STATUSES."""
    value = _Logic.GetSegmentStatus(segmentOf(segmentationNode, segmentId))
    return next(word for word, constant in STATUSES.items() if constant == value)


def setStatus(segmentationNode, segmentId, word):
    """Set the segment's status by word, a key of STATUSES."""
    _Logic.SetSegmentStatus(segmentOf(segmentationNode, segmentId), STATUSES[word])
