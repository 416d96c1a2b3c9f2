"""Which slices are annotated, and which of them each slice of another scan is compared with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..case import Mask

Indices = NDArray[np.integer]

MIN_SLICES = 3
"""An organ on fewer slices has no slice before and behind the one in its middle; it is left out within a volume."""
PLACES: dict[int, tuple[float, ...]] = {
    1: (),
    2: (0.25, 0.75),
    3: (0.25, 0.5, 0.75),
    5: (0.0, 0.25, 0.5, 0.75, 1.0),
}
"""Where along the organ so many slices are annotated; one slice is `middle_slice`."""


def organ_slices(mask: Mask) -> Indices:
    """Sorted indices of the slices that hold something, of a mask [z, y, x]."""
    return np.flatnonzero(mask.any(axis=(1, 2)))


def middle_slice(slices: Indices) -> int:
    """The middle one of an organ's slices; of an even number, the upper of the two in the middle."""
    return int(slices[len(slices) // 2])


def anchor_slices(slices: Indices, count: int) -> tuple[int, ...]:
    """The annotated slices within a volume.

    Args:
        slices: sorted indices of the slices that hold the organ; at least one.
        count: of `PLACES`.

    Returns:
        Sorted indices; fewer than `count` where an organ is so short that places fall together.
    """
    if count == 1:
        return (middle_slice(slices),)
    return tuple(sorted({int(slices[round(place * (len(slices) - 1))]) for place in PLACES[count]}))


def support_slices(slices: Indices, parts: int = 3) -> tuple[int, ...]:
    """The annotated slices of a support scan, one in the middle of each of its equal parts.

    As SSL-ALPNet and DSPNet publish it: with three parts, entry int(p · n) of the n slices that hold the organ, for
    p = 1/6, 1/2 and 5/6.

    Args:
        slices: sorted indices of the slices that hold the organ; at least one.
        parts: number of parts.

    Returns:
        `parts` indices in rising order; equal ones where the organ has few slices.
    """
    # (2 i + 1) n // 2 parts is int(p n) without its rounding errors: 1/6 · 6 may be 0.999…
    return tuple(int(slices[(2 * part + 1) * len(slices) // (2 * parts)]) for part in range(parts))


def compared_slices(slices: Indices, count: int, support: tuple[int, ...]) -> NDArray[np.int64]:
    """Which annotated slice each slice of the query is compared with.

    As published: slice z belongs to part floor((z − first) / ((last − first) / parts)), the last part at most, where
    first and last are the ends of the organ in the QUERY's own reference. An organ on one slice belongs to the middle
    part, for which the published formula is not defined.

    Args:
        slices: sorted indices of the query's slices that hold the organ; at least one.
        count: slices of the query.
        support: annotated slice of each part.

    Returns:
        [count]; index of the annotated slice, −1 outside of the organ's extent.
    """
    first, last, parts = int(slices[0]), int(slices[-1]), len(support)
    compared = np.full(count, -1, np.int64)
    for z in range(first, last + 1):
        part = parts // 2 if first == last else min((z - first) * parts // (last - first), parts - 1)
        compared[z] = support[part]
    return compared


def annotated(reference: Mask, indices: Iterable[int]) -> dict[int, Mask]:
    """The reference on some slices, {index: bool [y, x]}: copies, so that no method sees more than these slices."""
    return {index: reference[index].copy() for index in indices}


def volume_ends(reference: Mask) -> dict[int, Mask]:
    """What `Within.ends` tells: the reference on the volume's first and last slice."""
    return annotated(reference, (0, len(reference) - 1))


def setting_title(count: int) -> str:
    """Setting of so many annotated slices."""
    return f"{count} slice{'s' if count > 1 else ''}"
