"""How well a result matches its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Dice coefficients 0 … 1; the annotated slices are left out of both, for they were given.

    Attributes:
        whole: Over the whole volume, so that slices found beyond the organ's ends count against it. ``None`` where
            neither reference nor result hold a voxel.
        own: Over the slices that hold the organ only. ``None`` where there are none but the annotated ones.
    """

    whole: float | None
    own: float | None


def slices_of(mask: Mask, axis: int) -> list[int]:
    """Indices of the slices along ``axis`` that hold at least one voxel, in order."""
    others = tuple(a for a in range(3) if a != axis)
    return [int(i) for i in np.flatnonzero(mask.any(axis=others))]


def dice(result: Mask, reference: Mask) -> float | None:
    """Dice coefficient of two masks of one shape; ``None`` where both are empty."""
    total = int(np.count_nonzero(result)) + int(np.count_nonzero(reference))
    return None if total == 0 else 2 * int(np.count_nonzero(result & reference)) / total


def score(result: Mask, reference: Mask, axis: int, annotated: Sequence[int]) -> Score:
    """Compare a result with its reference.

    Args:
        result: bool [z, y, x].
        reference: bool [z, y, x].
        axis: Array axis across which the annotated slices lie.
        annotated: Indices of the annotated slices, which do not count.

    Returns:
        Dice over the whole volume and over the organ's own slices.
    """
    result, reference = np.moveaxis(result, axis, 0), np.moveaxis(reference, axis, 0)
    counted = np.ones(len(reference), dtype=bool)
    counted[list(annotated)] = False
    own = counted & reference.any(axis=(1, 2))
    return Score(whole=dice(result[counted], reference[counted]), own=dice(result[own], reference[own]))


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values that exist; ``None`` where none does."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
