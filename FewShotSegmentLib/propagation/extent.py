"""How far a structure can still reach towards an open end, as far as the annotated slices tell.

What the refiner sees of a slice does not say whether a structure ends there by convention (a larynx goes over into a
windpipe, an anterior into a posterior part), and it is surer of itself than it is right. Where slices were annotated
says more: who annotates three or more spreads them over the structure, and who says of one that the structure is absent
bounds it. Both make presence less likely; neither cuts by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..settings import Settings
from .plan import OUTERMOST, Run

_NEVER = 1e-6
"""Share of the way to an absent slice that is left at the slice next to it, at least: odds stay finite."""


class Extent:
    """Weighs how likely a structure is there by how far a run has come from its anchor.

    Args:
        run: towards an open end.
        anchors: {slice index: mask [row, column]}, empty masks included. Only the outermost `OUTERMOST` on the run's
            side and the next one ahead are looked at.
        diameter: of a disc of the area of the run's anchor, in slices.
        settings: how much either says.
    """

    def __init__(self, run: Run, anchors: Mapping[int, NDArray[np.bool_]], diameter: float, settings: Settings):
        self._settings = settings
        gap = _gap(run, anchors)
        self._gap = gap if gap is not None and gap >= settings.spread_least * diameter else None
        ahead = [abs(i - run.anchor) for i in anchors if (i - run.anchor) * run.direction > 0]
        self._absent = min(ahead, default=None)

    def weigh(self, presence: float, slices: int) -> float:
        """How likely the structure is there, 0 to 1.

        Args:
            presence: as far as the slice itself tells, 0 to 1.
            slices: from the run's anchor, at least 1.
        """
        weight = 0.0
        if self._gap is not None:
            beyond = max(0.0, slices - self._gap) / self._gap
            weight -= self._settings.spread_weight * math.log1p(beyond)
        if self._absent is not None:
            left = max(_NEVER, 1 - slices / self._absent)
            weight += self._settings.absent_weight * math.log(left)
        odds = presence * math.exp(weight)
        return odds / (odds + 1 - presence) if odds else 0.0


def _gap(run: Run, anchors: Mapping[int, NDArray[np.bool_]]) -> float | None:
    """Slices between the outermost annotated ones on a run's side, the larger gap.

    None if there are too few: two may lie anywhere in a structure.
    """
    behind = sorted((i for i in anchors if (run.anchor - i) * run.direction >= 0), key=lambda i: abs(i - run.anchor))
    outermost = behind[:OUTERMOST]
    if len(outermost) < OUTERMOST or not all(anchors[i].any() for i in outermost):
        return None
    return float(max(abs(b - a) for a, b in pairwise(outermost)))
