"""Whether the engine knows which of its slices are bad: its confidence in a slice beside the slice's Dice.

Measured with one annotated slice, on all slices but that one on which the engine finds something or should have.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from methods import BY_KEY

from FewShotSegmentLib.evaluation.row import Row

BAD_BELOW = 0.7
BINS = 5


@dataclass
class SliceScores:
    """Slices of one source, in any order: the engine's confidence and the Dice of each, both 0 to 1."""

    source: str
    confidence: list[float]
    dice: list[float]


@dataclass(frozen=True)
class Bin:
    """Slices of about the same confidence."""

    slices: int
    confidence: float  # mean
    dice: float  # mean
    share_bad: float


@dataclass(frozen=True)
class Ranking:
    """How well confidence tells bad slices from good ones.

    `auc` is the chance that a bad slice is less sure than a good one; None where all are bad, or none is.
    """

    slices: int
    bad: int
    auc: float | None


@dataclass(frozen=True)
class Confidence:
    """All slices together, and those of each source."""

    pooled: Ranking
    sources: dict[str, Ranking]
    bins: tuple[Bin, ...]  # from unsure to sure

    def as_dict(self) -> dict:
        """For the JSON."""
        return asdict(self)


def missing() -> str | None:
    """Why the ranking cannot be measured here, if it cannot."""
    return None if importlib.util.find_spec("sklearn") else "scikit-learn is not installed"


def slice_scores(rows: Iterable[Row]) -> list[SliceScores]:
    """Confidence and Dice of the slices where the engine finds something or the structure is, annotated ones left out.

    Where only one of both is, Dice is 0.

    Args:
        rows: of the one-slice protocol; those of the engine with one slice are taken.
    """
    engine1 = BY_KEY["engine1"]
    return [
        SliceScores(row.group, [sure for sure, _ in row.confidence], [value for _, value in row.confidence])
        for row in rows
        if (row.method, row.setting) == (engine1.name, engine1.setting)
    ]


def measure(scores: Sequence[SliceScores]) -> Confidence:
    """Ranking of all slices and of each source's."""
    grouped: dict[str, list[SliceScores]] = {}
    for score in scores:
        grouped.setdefault(score.source, []).append(score)
    confidence, values = _joined(scores)
    return Confidence(
        pooled=_ranking(confidence, values),
        sources={source: _ranking(*_joined(own)) for source, own in grouped.items()},
        bins=tuple(_bins(confidence, values)),
    )


def _joined(scores: Sequence[SliceScores]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and Dice of all these slices, [n] each."""
    confidence = np.array([value for score in scores for value in score.confidence])
    return confidence, np.array([value for score in scores for value in score.dice])


def _ranking(confidence: np.ndarray, values: np.ndarray) -> Ranking:
    from sklearn.metrics import roc_auc_score

    bad = values < BAD_BELOW
    # one kind alone has no order
    auc = float(roc_auc_score(bad, 1 - confidence)) if 0 < bad.sum() < len(bad) else None
    return Ranking(len(bad), int(bad.sum()), auc)


def _bins(confidence: np.ndarray, values: np.ndarray) -> list[Bin]:
    """Bins of as many slices each; equal confidences stay in their order, so that two runs make the same bins."""
    parts = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return [
        Bin(
            len(part),
            float(confidence[part].mean()),
            float(values[part].mean()),
            float((values[part] < BAD_BELOW).mean()),
        )
        for part in parts
        if len(part)
    ]
