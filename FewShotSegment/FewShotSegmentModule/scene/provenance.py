"""What a segment was computed with, kept in the segment (and so in .seg.nrrd files and scenes) and in its node."""

import datetime

from .segments import segmentIdsOf, segmentOf
from .tags import PROVENANCE, encode, readTag, writeTag

TAG = PROVENANCE


def record(segmentationNode, segmentId, *, engineVersion, weights, axis, anchors, settings=None, device="", date=None):
    """Keep what a segment was computed with; what was kept before is replaced. Names no volume and no patient.

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        engineVersion: version of the engine.
        weights: {"name": …, "sha256": …}.
        axis: array axis along which it was propagated.
        anchors: {slice: "hand" or "corrected"}, or slices.
        settings: {name: value} of what was set otherwise: method, modality, range, …
        device: that it was computed on.
        date: text; now by default.

    Returns:
        What was kept.
    """
    kinds = dict(anchors) if isinstance(anchors, dict) else dict.fromkeys(anchors, "hand")
    entry = {
        "tool": "FewShotSegment",
        "engine": engineVersion,
        "weights": {key: weights.get(key, "") for key in ("name", "sha256")},
        "axis": int(axis),
        "anchors": {str(index): kinds[index] for index in sorted(kinds)},
        "settings": dict(settings or {}),
        "device": device,
        "date": date or datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    writeTag(segmentOf(segmentationNode, segmentId), TAG, entry)
    _toNode(segmentationNode)
    return entry


def read(segmentationNode, segmentId):
    """What a segment was computed with; None if it was not, or not by us."""
    return readTag(segmentOf(segmentationNode, segmentId), TAG)


def readAll(segmentationNode):
    """{segment ID: what it was computed with} of all segments that were."""
    entries = {segmentId: read(segmentationNode, segmentId) for segmentId in segmentIdsOf(segmentationNode)}
    return {segmentId: entry for segmentId, entry in entries.items() if entry is not None}


def _toNode(segmentationNode):
    # the tags are what counts (they are undone with the segment); this copy is for who looks at the node
    segmentationNode.SetAttribute(TAG, encode(readAll(segmentationNode)))
