"""What comes out: one segment's mask with everything that is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Result:
    """One propagated segment.

    Attributes:
        mask: bool [z, y, x].
        probability: float32 [z, y, x], 0 to 1; exactly 0 or 1 on anchors. None if it was not asked for.
        slice_confidence: float32 [n] along the propagation axis, 0 to 1 (see `slice_confidence`); 1 on anchors
            and outside the range that was asked for. Slices behind the one where a run found nothing any more have the
            confidence of that slice: they were not looked at.
        anchors: indices of the annotated slices along the axis, rising.
        slices: indices of all slices that hold the structure, rising.
        axis: array axis along which the mask was carried.
        seconds: time this segment took; encoding is shared out evenly among segments.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32] | None
    slice_confidence: NDArray[np.float32]
    anchors: tuple[int, ...]
    axis: int
    seconds: float = 0.0
    slices: tuple[int, ...] = field(default=())

    def find_slices(self) -> None:
        """Fill in `slices` from the mask."""
        others = tuple(a for a in range(3) if a != self.axis)
        self.slices = tuple(int(i) for i in np.flatnonzero(self.mask.any(axis=others)))
