"""What comes out for one segment of one volume."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FoundAnchor:
    """A slice of the query from which the mask was carried on.

    Attributes:
        index: of the slice along the axis.
        support: number of the support that it was found with, in the order given.
        support_index: index of that support's slice in its own volume.
        score: how well the two match, about 0 to 1.
    """

    index: int
    support: int
    support_index: int
    score: float


@dataclass
class TransferResult:
    """One segment in another patient's volume.

    Attributes:
        mask: bool [z, y, x]; empty if it was probably not found (but not that of a bare per-slice result).
        probability: float32 [z, y, x], 0 to 1, or None if not asked for.
        slice_confidence: float32 [n] along `axis`, 0 to 1: how sure the mask of each slice is, times `confidence`;
            where a slice is empty, how sure it is that it should be.
        confidence: overall, 0 to 1: 0.5 is the line between probably found and probably not; of a bare per-slice result
            the mean of the filled slices.
        found: whether the organ was probably found.
        anchors: found slices, rising; none for a bare per-slice result.
        axis: array axis across the slices.
        slices: indices of the slices that hold the mask, rising.
        seconds: time it took, without what is shared by all segments (reading and encoding the volume).
        note: why it could not be looked for, a sentence; empty if it could.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32] | None
    slice_confidence: NDArray[np.float32]
    confidence: float
    found: bool
    anchors: tuple[FoundAnchor, ...]
    axis: int
    seconds: float = 0.0
    note: str = ""
    slices: tuple[int, ...] = field(default=())

    def find_slices(self) -> None:
        """Fill in `slices` from the mask."""
        others = tuple(a for a in range(3) if a != self.axis)
        self.slices = tuple(int(i) for i in np.flatnonzero(self.mask.any(axis=others)))
