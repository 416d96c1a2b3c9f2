"""Where a reader's next look is worth most: the slice of a result whose correction would mend most of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .propagation import Result

LEAST_DOUBT = 0.02
"""Doubt in a slice with a mask, however sure the engine is of it: what it is all sure of is looked at where anchors are
farthest apart."""
LEAST_REACH_MM = 3.0
"""Distance over which a correction helps at least: thinner slices look alike, and a single odd one says little."""
SAME = 1e-9
"""Gains that differ by less than this share are equal: sums of the same areas differ in their last digits."""


def next_slice(result: Result, spacing_across: float = 1.0) -> int | None:
    """The slice of a result whose correction would mend the largest area, as far as the engine can tell; see `propose`.

    Args:
        result: of a propagation. Not changed.
        spacing_across: mm from slice to slice.

    Returns:
        Index along `result.axis` of a slice that is no anchor; None if there is none worth a look.
    """
    areas = np.count_nonzero(result.mask, axis=tuple(a for a in range(3) if a != result.axis))
    return propose(areas, result.slice_confidence, result.anchors, spacing_across)


def propose(
    areas: Sequence[int] | NDArray[np.integer[Any]],
    confidence: Sequence[float] | NDArray[np.floating[Any]],
    anchors: Collection[int],
    spacing_across: float = 1.0,
) -> int | None:
    """The slice whose correction would mend the largest area.

    The area expected to be wrong on a slice is its doubt, 1 − confidence, times the area of its mask; where nothing was
    found, times the area that the slices around it have. A correction mends what lies between the neighbouring anchors:
    all of it on its own slice and linearly less away from it, down to nothing a quarter of that stretch away. Worth a
    look are the slices from one before the first mask to one behind the last: that a structure runs on past its end, or
    stops short of it, is the commonest error.

    Args:
        areas: of the mask on each slice, in any unit.
        confidence: in each slice, 0 to 1.
        anchors: slices that were drawn by hand.
        spacing_across: mm from slice to slice.

    Returns:
        A slice that is no anchor; None if there is none worth a look. Of slices that would mend as much, the one
        nearest the middle between its anchors, then the lower one.
    """
    areas = np.asarray(areas)
    held = np.flatnonzero(areas)
    if not len(held):
        return None
    first, last = max(int(held[0]) - 1, 0), min(int(held[-1]) + 1, len(areas) - 1)
    doubt = np.clip(1.0 - np.asarray(confidence, dtype=np.float64), 0.0, 1.0)
    doubt[held] = np.maximum(doubt[held], LEAST_DOUBT)
    wrong = doubt * np.interp(np.arange(len(areas)), held, areas[held])
    found = []
    for low, high in _stretches(tuple(anchors), first, last):
        reach = max((high - low + 1) / 4, LEAST_REACH_MM / spacing_across, 1.0)
        for index, gain in zip(range(low, high + 1), _gains(wrong[low : high + 1], reach), strict=True):
            # certainly empty, or outside the range that was asked for
            if doubt[index] > 0:
                found.append((float(gain), abs(2 * index - low - high), index))
    if not found:
        return None
    best = max(gain for gain, _, _ in found)
    return min((off, index) for gain, off, index in found if gain >= best * (1 - SAME))[1]


def _stretches(anchors: tuple[int, ...], first: int, last: int) -> list[tuple[int, int]]:
    """(first, last) of each stretch of slices without anchors from `first` to `last`, both included, rising."""
    bounds = [first - 1, *(anchor for anchor in sorted(anchors) if first <= anchor <= last), last + 1]
    return [(below + 1, above - 1) for below, above in pairwise(bounds) if above - below > 1]


def _gains(wrong: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Area that correcting each slice of a stretch would mend, from the area expected wrong on each ([n] pixels)."""
    places = np.arange(len(wrong))
    weights = np.maximum(0.0, 1.0 - np.abs(places[:, None] - places) / reach)
    return np.asarray(weights @ wrong)
