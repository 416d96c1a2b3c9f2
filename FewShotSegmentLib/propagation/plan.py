"""Which slices are visited, from which anchor and in which direction: decided before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UP, DOWN = 1, -1


@dataclass(frozen=True)
class Run:
    """One way out from an anchor.

    Attributes:
        anchor: slice it starts from (known, not visited).
        direction: UP (+1) or DOWN (−1).
        last: last slice it may visit.
        meets: whether another anchor's run comes the other way over the same slices.
    """

    anchor: int
    direction: int
    last: int
    meets: bool

    def __len__(self) -> int:
        return abs(self.last - self.anchor)

    def visits(self, index: int) -> bool:
        """Whether slice `index` lies on the way."""
        return 0 < (index - self.anchor) * self.direction <= len(self)


def plan_runs(anchors: Mapping[int, NDArray[np.bool_]], first: int, last: int) -> list[Run]:
    """Runs of one segment: outwards from each anchor up to the next one or the end of the range.

    Args:
        anchors: {slice index: mask [row, column]}; an empty mask says "the structure is absent here": it is kept as it
            is, stops the runs that reach it, and starts none.
        first: first slice that may be visited.
        last: last slice that may be visited.
    """
    indices = sorted(anchors)
    filled = {i for i in indices if anchors[i].any()}
    runs = []
    for position, index in enumerate(indices):
        if index not in filled:
            continue
        above = indices[position + 1] if position + 1 < len(indices) else None
        below = indices[position - 1] if position else None
        up = Run(index, UP, last if above is None else above - 1, meets=above in filled)
        down = Run(index, DOWN, first if below is None else below + 1, meets=below in filled)
        runs += [run for run in (up, down) if (run.last - run.anchor) * run.direction > 0]
    return runs
