"""Which slices are visited, from which anchor and in which direction: decided before anything is computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

UP, DOWN = 1, -1

OUTERMOST = 3
"""Annotated slices on a side that tell of the open end there."""

Stretch = tuple[int, int]
"""First and last slice of a stretch, both included."""


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

    def reaches(self, stretches: Iterable[Stretch]) -> bool:
        """Whether a slice of one of these stretches lies on the way."""
        low, high = sorted((self.anchor + self.direction, self.last))
        return any(low <= last and first <= high for first, last in stretches)


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


def next_behind(run: Run, anchors: Mapping[int, NDArray[np.bool_]]) -> int | None:
    """The anchor next to a run's own on the side that it leaves; None where there is none, or an empty one."""
    behind = [index for index in anchors if (index - run.anchor) * run.direction < 0]
    nearest = min(behind, key=lambda index: abs(index - run.anchor), default=None)
    return nearest if nearest is not None and anchors[nearest].any() else None


def neighbourhood(
    changed: Collection[int], anchors: Mapping[int, NDArray[np.bool_]], first: int, last: int
) -> tuple[Stretch, ...]:
    """Slices whose outcome depends on anchors that are new, changed or gone.

    Every run lies between two neighbouring anchors (or an anchor and an end of the range), and so does what it meets;
    hence what depends lies between the next anchors. Where one of the outermost `OUTERMOST` on a side is concerned, so
    is the open end there: how the structure tapers is read from the last two, how far it reaches from the last three.

    Args:
        changed: slices of these anchors, themselves part of the neighbourhood.
        anchors: all anchors that there are now: {slice index: mask [row, column]}.
        first: first slice that may be visited.
        last: last slice that may be visited.

    Returns:
        Stretches, rising, with at least one slice between any two.
    """
    slices, within = set(changed), set(range(first, last + 1))
    for index in changed:
        for direction, end in ((DOWN, first), (UP, last)):
            ahead = sorted((a for a in anchors if (a - index) * direction > 0), key=lambda a: abs(a - index))
            slices.update(within.intersection(_between(index, next(iter(ahead), None), end, direction)))
            outer = list(takewhile(lambda a: anchors[a].any(), ahead))
            if 0 < len(outer) < OUTERMOST:
                behind = ahead[len(outer)] if len(outer) < len(ahead) else None
                slices.update(within.intersection(_between(outer[-1], behind, end, direction)))
    stretches: list[Stretch] = []
    for index in sorted(slices):
        if stretches and stretches[-1][1] == index - 1:
            stretches[-1] = stretches[-1][0], index
        else:
            stretches.append((index, index))
    return tuple(stretches)


def _between(start: int, stop: int | None, end: int, direction: int) -> range:
    """Slices behind `start` up to the one before `stop`, or up to the end of the range."""
    bound = end + direction if stop is None else stop
    return range(start + direction, bound, direction)
