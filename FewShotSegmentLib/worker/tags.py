"""What a written segmentation tells of how it was made: the tags that Slicer's side keeps in its own segments."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

PROVENANCE = "FewShotSegment.Provenance"
CONFIDENCE = "FewShotSegment.Confidence"

_DECIMALS = 3


def provenance_tag(
    answer: Mapping[str, Any], axis: int, found: Collection[int], settings: Mapping[str, Any]
) -> dict[str, str]:
    """The tag that says what a segment was computed with; it names no volume and no patient.

    Args:
        answer: with `engine_version`, `weights` and `device`.
        axis: array axis along which the segment was carried.
        found: slices that it was found on first.
        settings: what else decided about it.
    """
    entry = {
        "tool": "FewShotSegment",
        "engine": answer["engine_version"],
        "weights": answer["weights"],
        "axis": axis,
        "anchors": {str(index): "found" for index in sorted(found)},
        "settings": dict(settings),
        "device": answer["device"],
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    return {PROVENANCE: _encode(entry)}


def confidence_tag(axis: int, values: Sequence[float]) -> dict[str, str]:
    """The tag that says how sure the network is of each slice along an axis, 0 to 1."""
    return {CONFIDENCE: _encode({"axis": axis, "values": [round(float(value), _DECIMALS) for value in values]})}


def _encode(value: object) -> str:
    # Slicer cuts tags at every "|"
    return json.dumps(value, separators=(",", ":")).replace("|", "\\u007c")
