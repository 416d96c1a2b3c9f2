"""How far an organ may be carried from its anchors: nobody has said where it ends in this volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..settings import Settings
from ..support import Support

_WHOLE = 5
"""Annotated slices from which on a closed stack of them is taken for the whole organ."""


def likely_range(
    anchors: Mapping[int, NDArray[np.bool_]],
    supports: Sequence[Support],
    count: int,
    spacing: tuple[float, float, float],
    settings: Settings,
) -> tuple[int, int]:
    """First and last slice that may hold the organ.

    Most organs are not much longer than wide: from the outermost anchors on, at most `extent_diameters` times the
    diameter of a disc of the largest anchor's area. What a support's outermost slices already span is taken off that
    length; but as far as `extent_spans` times their distance it is carried in any case, since few readers annotate up
    to the ends (two neighbouring slices say next to nothing, quarters of the organ a lot). A support that is annotated
    on slice after slice shows where the ends are.

    Args:
        anchors: {slice index: bool [row, column]}, none empty.
        supports: of the organ.
        count: slices of the volume.
        spacing: mm (across, row, column).
        settings: `extent_diameters`, `extent_spans`.
    """
    area = max(int(mask.sum()) for mask in anchors.values()) * spacing[1] * spacing[2]
    reach = settings.extent_diameters * 2 * (area / np.pi) ** 0.5
    spans = [_span(support) for support in supports if len(support.slices) > 1]
    if spans:
        span = max(spans)
        reach = min(reach, max(reach - span / 2, settings.extent_spans * span + spacing[0]))
    ends = [_span(support) for support in supports if _is_whole(support)]
    if len(ends) == len(supports):
        # what is left of its length, half on either side
        found = (max(anchors) - min(anchors)) * spacing[0]
        reach = min(reach, max(0.0, max(ends) - found) / 2 + spacing[0])
    steps = max(1, round(reach / spacing[0]))
    return max(0, min(anchors) - steps), min(count - 1, max(anchors) + steps)


def _span(support: Support) -> float:
    """Mm between a support's outermost annotated slices."""
    first, last = support.slices[0], support.slices[-1]
    return (last.index - first.index) * first.geometry.spacing[0]


def _is_whole(support: Support) -> bool:
    """Whether a support is annotated on slice after slice (at least every other one, where only some were kept)."""
    first, last = support.slices[0].index, support.slices[-1].index
    return len(support.slices) >= _WHOLE and last - first < 2 * len(support.slices)
