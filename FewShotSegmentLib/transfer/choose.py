"""The slices that become anchors: what all of a support's slices say, in their order and at their distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..settings import Settings
from .locate import Sighting


@dataclass(frozen=True)
class Choice:
    """A slice of the query on which a support's slice has been found.

    Attributes:
        sighting: what the support's slice says.
        index: of the query's slice.
        score: how well it matches there, place along the body included.
    """

    sighting: Sighting
    index: int
    score: float


def choose_slices(sightings: Sequence[Sighting], spacing: float, settings: Settings) -> list[Choice]:
    """The best slice for each support slice, those of one volume together.

    One volume's slices must be found in their order, and at about their distances: the sum of their scores, less what
    the distances differ by, is largest over all assignments (dynamic programming). Volumes whose surest
    choice is much less sure than the best one's have no say, and of two choices on one slice the surer one stays.

    Args:
        sightings: of all support slices of one segment.
        spacing: mm between the query's slices.
        settings: weight of place and order, and what is much less sure.

    Returns:
        By rising index, at least one.
    """
    per_volume = []
    for number in dict.fromkeys(s.framed.support for s in sightings):
        own = sorted((s for s in sightings if s.framed.support == number), key=lambda s: s.framed.offset)
        per_volume.append(_best_together(own, spacing, settings))
    best = max(_surest(choices) for choices in per_volume)
    kept: dict[int, Choice] = {}
    for choice in (c for choices in per_volume if _surest(choices) >= best - settings.volumes_within for c in choices):
        if choice.index not in kept or choice.score > kept[choice.index].score:
            kept[choice.index] = choice
    surest = max(choice.score for choice in kept.values())
    return [kept[i] for i in sorted(kept) if kept[i].score >= surest - settings.anchors_within]


def _surest(choices: Sequence[Choice]) -> float:
    return max(choice.score for choice in choices)


def _best_together(own: Sequence[Sighting], spacing: float, settings: Settings) -> list[Choice]:
    scores = [_with_place(sighting, settings) for sighting in own]
    count = len(scores[0])
    total, came_from = scores[0], []
    steps = np.arange(count)[None] - np.arange(count)[:, None]  # [from, to]
    for before, after, score in zip(own, own[1:], scores[1:], strict=False):
        wanted = max(after.framed.offset - before.framed.offset, 1e-6)
        cost = settings.order_weight * np.minimum(1.0, np.abs(steps * spacing - wanted) / max(wanted, spacing))
        reached = np.where(steps >= 0, total[:, None] - cost, -np.inf)
        came_from.append(reached.argmax(0))
        total = reached.max(0) + score
    index = int(total.argmax())
    chosen = [index]
    for before in reversed(came_from):
        chosen.append(int(before[chosen[-1]]))
    chosen.reverse()
    return [Choice(s, i, float(score[i])) for s, i, score in zip(own, chosen, scores, strict=True)]


def _with_place(sighting: Sighting, settings: Settings) -> NDArray[np.float64]:
    """Scores less a penalty for slices at another place along the body."""
    scores = sighting.scores.double().numpy()
    if sighting.framed.place is None:
        return np.asarray(scores)
    places = np.arange(len(scores)) / max(1, len(scores) - 1)
    near = np.exp(-((places - sighting.framed.place) ** 2) / (2 * settings.body_reach**2))
    return np.asarray(scores - settings.body_weight * (1 - near))
