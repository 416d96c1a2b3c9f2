"""What is said of a transfer: its notes, and its entries in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .images import Volume
from .support import Support
from .support.collect import volume_id

if TYPE_CHECKING:
    from .transfer import TransferResult


def own_volume(volume: Volume, segments: dict[str, list[Support]]) -> list[str]:
    """A hint where a query is the very volume that was annotated: there is a better command for it."""
    own = volume_id(volume.array)
    drawn = [name for name, supports in segments.items() if any(s.volume_id == own for s in supports)]
    if not drawn:
        return []
    note = (
        f"This is the volume on which {', '.join(drawn)} was annotated; use “fewshotsegment propagate”, "
        "which keeps the annotated slices as they were drawn."
    )
    return [note]


def not_found(results: dict[str, TransferResult]) -> list[str]:
    """One plain sentence for each segment that was probably not found."""
    return [
        f"{name} was probably not found in this volume (confidence {result.confidence:.2f})"
        + (", so check what was segmented." if result.slices else "; annotate it here on one slice if it is there.")
        for name, result in results.items()
        if not result.found and not result.note
    ]


def support_entry(support: Support, number: int) -> dict[str, Any]:
    """What the report says of a support."""
    return {
        "segment": support.name,
        "number": number,
        "modality": support.modality,
        "source": support.source,
        "slices": [part.index for part in support.slices],
    }


def segment_entry(name: str, label: int, result: TransferResult, volume: Volume) -> dict[str, Any]:
    """What the report says of a segment in a query."""
    voxels = int(np.count_nonzero(result.mask))
    return {
        "name": name,
        "label": label,
        "found": result.found,
        "confidence": round(result.confidence, 4),
        "axis": result.axis,
        "anchors": [
            {"slice": a.index, "support": a.support, "support_slice": a.support_index, "score": round(a.score, 4)}
            for a in result.anchors
        ],
        "first_slice": result.slices[0] if result.slices else None,
        "last_slice": result.slices[-1] if result.slices else None,
        "slices_found": len(result.slices),
        "voxels": voxels,
        "ml": round(voxels * volume.geometry.voxel_ml, 4),
        "slice_confidence": {str(i): round(float(c), 4) for i, c in enumerate(result.slice_confidence)},
        "seconds": round(result.seconds, 3),
    }
