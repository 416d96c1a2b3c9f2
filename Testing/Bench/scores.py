"""Dice over the slices that a method was not shown, and the means over structures and sources."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Score(NamedTuple):
    """Dice over the whole volume and over the structure's own slices; nan where no scored slice holds it."""

    whole: float
    extent: float


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Dice; nan if the reference is empty, where Dice says nothing (a single false voxel makes 0 of 1)."""
    if not reference.any():
        return math.nan
    overlap = np.count_nonzero(prediction & reference)
    return 2 * overlap / (np.count_nonzero(prediction) + np.count_nonzero(reference))


def score(prediction: np.ndarray, reference: np.ndarray, left_out: Iterable[int]) -> Score:
    """Score of a mask; `left_out` are the slices that were given, which would only flatter the figure."""
    whole = np.ones(len(reference), dtype=bool)
    whole[list(left_out)] = False
    held = np.flatnonzero(reference.any(axis=(1, 2)))
    extent = whole.copy()
    extent[: held[0]] = extent[held[-1] + 1 :] = False
    return Score(dice(prediction[whole], reference[whole]), dice(prediction[extent], reference[extent]))


def mean(scores: Iterable[Score]) -> Score:
    """Mean of each part over the scores that have it; nan if none has."""
    columns = list(zip(*scores, strict=True)) or [(), ()]
    return Score(*(_mean_of_finite(column) for column in columns))


def _mean_of_finite(values: Iterable[float]) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan
