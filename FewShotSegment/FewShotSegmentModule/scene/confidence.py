"""How sure the network is of each slice: kept with the segment, for the review."""

import numpy as np

from .tags import readTag, writeTag

TAG = "FewShotSegment.Confidence"
DECIMALS = 3
"""More would make the tag long, and nobody sees the difference."""


def write(segmentationNode, segmentId, axis, values, renewed=None, anchors=()):
    """Keep the confidence of a segment's slices.

    Args:
        segmentationNode: that holds the segment.
        segmentId: of it.
        axis: array axis of the volume across which the slices lie.
        values: 0 to 1, one for each slice of the volume along the axis; NaN where nothing is known.
        renewed: [first, last] runs of slices that `values` speaks of; the others keep what was known of them. All if
            None.
        anchors: slices that a person has drawn, which are certain.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    new = np.array(values, np.float32)
    if renewed is not None:
        merged = np.full(new.shape, np.nan, np.float32)
        before = read(segmentationNode, segmentId)
        if before is not None and before[0] == axis and before[1].shape == new.shape:
            merged = before[1]
        for first, last in renewed:
            merged[first : last + 1] = new[first : last + 1]
        new = merged
    inside = [index for index in anchors if 0 <= index < len(new)]
    new[inside] = 1
    rounded = [None if np.isnan(value) else round(float(value), DECIMALS) for value in new]
    writeTag(segment, TAG, {"axis": int(axis), "values": rounded})


def read(segmentationNode, segmentId):
    """What is known of a segment's slices.

    Returns:
        (axis, float32 array, NaN where nothing is known), or None if there is nothing that can be read.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    content = readTag(segment, TAG) if segment is not None else None
    if content is None:
        return None
    try:
        values = np.array([np.nan if value is None else float(value) for value in content["values"]], np.float32)
        axis = int(content["axis"])
    except (ValueError, KeyError, TypeError):  # the tag comes from a file
        return None
    return (axis, values) if axis in (0, 1, 2) and values.size else None


def remove(segmentationNode, segmentId):
    """Forget it: the segment is another one now."""
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is not None:
        writeTag(segment, TAG, None)
