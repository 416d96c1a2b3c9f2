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


def suggestSlice(confidence, anchors, occupied):
    """The slice that it would help most to annotate next; None if all are.

    Coverage comes first: the middle of the widest stretch without anchor, since an anchor helps its neighbours and
    two close ones help no more than one. Of stretches about as wide, the least sure.

    Args:
        confidence: of each slice along the axis, 0 to 1, or None; NaN where nothing is known.
        anchors: slices that were drawn by hand.
        occupied: slices that the segment is on.
    """
    if not len(occupied):
        return None
    first, last = min(occupied), max(occupied)
    known = sorted(a for a in anchors if first <= a <= last)
    free = [(a, b) for a, b in runsOf(set(range(first, last + 1)) - set(known))]
    if not free:
        return None
    widest = max(b - a + 1 for a, b in free)
    wide = [(a, b) for a, b in free if b - a + 1 >= 0.75 * widest]
    if confidence is not None:
        values = np.nan_to_num(np.asarray(confidence, float), nan=1.0)
        wide.sort(key=lambda run: (values[run[0] : run[1] + 1].min(), run[0]))
    a, b = wide[0]
    # a stretch that an anchor bounds on one side only is reached from there: the structure's end is the far side
    if known and a == first and b != last:
        return a + (b - a) // 4 if b - a >= 4 else (a + b) // 2
    if known and b == last and a != first:
        return b - (b - a) // 4 if b - a >= 4 else (a + b) // 2
    return (a + b) // 2


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
