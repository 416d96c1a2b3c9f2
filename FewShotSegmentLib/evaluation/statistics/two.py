"""Two methods on the same cases: whether they differ, and by how much."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .summary import DECIMALS, all_equal, mean_interval, scipy_stats

EXACT = 50
"""Differences up to which Wilcoxon's p is exact."""

Key = TypeVar("Key", bound=Hashable)
"""Whatever tells cases apart, such as (case, organ)."""
Values = Mapping[Key, float | None]
"""{case: value}."""


@dataclass(frozen=True)
class Pair:
    """Method a beside method b, on the cases where both have a finite value. p values are two-sided, not adjusted.

    Attributes:
        n: cases compared.
        n_left_out: cases that only one has, or where either value is undefined or infinite.
        mean_a: of a; None without cases.
        mean_b: of b; None without cases.
        difference: mean of a − b; None without cases.
        low: lower end of its 95 % bootstrap interval; None for fewer than two cases.
        high: its upper end.
        t: of the paired t-test; None for fewer than two cases, and where all differences are the same and not 0.
        t_p: its p; None where t is.
        wilcoxon: sum of signed ranks, the smaller one; None for fewer than two cases.
        wilcoxon_p: its p; None for fewer than two cases.
        d_z: Cohen's d of paired values: mean difference / its standard deviation; None where t is.
        rank_biserial: matched rank-biserial correlation, −1 to 1: (ranks where a is larger − ranks where b is) / all
            ranks; None for fewer than two cases.
    """

    n: int
    n_left_out: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    t: float | None
    t_p: float | None
    wilcoxon: float | None
    wilcoxon_p: float | None
    d_z: float | None
    rank_biserial: float | None


def compare_two(a: Values[Key], b: Values[Key]) -> Pair:
    """Paired t-test, Wilcoxon's signed-rank test and effect sizes; see `Pair`.

    Wilcoxon's test leaves out differences of 0, gives equal differences their mean rank, and is exact up to 50
    differences, with equal ones too; from there on `scipy.stats.wilcoxon` approximates it. Methods that never differ
    have p = 1 and effects of 0. Matched rank-biserial correlation: D. S. Kerby, “The simple difference formula”, Compr
    Psychol 3, 2014.

    Args:
        a: {case: value} of one method.
        b: {case: value} of the other.

    Raises:
        InputError: SciPy is missing.
    """
    keys = common({"a": a, "b": b})
    left_out = len({*a, *b}) - len(keys)
    first, second = table({"a": a, "b": b}, keys).T
    if not keys:
        return Pair(0, left_out, *[None] * 11)
    differences = np.round(first - second, DECIMALS)
    mean = float(differences.mean())
    low, high = mean_interval(differences)
    t, t_p, d_z = _t_test(differences)
    w, w_p, effect = _wilcoxon(differences)
    means = float(first.mean()), float(second.mean())
    return Pair(len(keys), left_out, *means, mean, low, high, t, t_p, w, w_p, d_z, effect)


def common(values: Mapping[str, Values[Key]]) -> list[Key]:
    """Cases where every method has a finite value, in an order that does not depend on the order of `values`."""
    first, *others = values.values()
    keys = set(first).intersection(*others)
    return sorted((key for key in keys if all(_is_finite(v[key]) for v in values.values())), key=repr)


def table(values: Mapping[str, Values[Key]], keys: list[Key]) -> NDArray[np.float64]:
    """[case, method] of those cases."""
    return np.array([[v[key] for v in values.values()] for key in keys], float).reshape(len(keys), len(values))


def _is_finite(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _t_test(differences: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """t, p and d_z of paired differences, [n]."""
    if len(differences) < 2:
        return None, None, None
    if all_equal(differences):
        return (None, None, None) if differences.any() else (0.0, 1.0, 0.0)
    found = scipy_stats().ttest_1samp(differences, 0.0)
    return float(found.statistic), float(found.pvalue), float(differences.mean() / differences.std(ddof=1))


def _wilcoxon(differences: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Smaller rank sum, p and matched rank-biserial correlation of paired differences, [n]."""
    if len(differences) < 2:
        return None, None, None
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return 0.0, 1.0, 0.0
    stats = scipy_stats()
    ranks = stats.rankdata(np.abs(nonzero))
    effect = float((ranks * np.sign(nonzero)).sum() / ranks.sum())
    smaller = float(min(ranks[nonzero > 0].sum(), ranks[nonzero < 0].sum()))
    p = _exact_p(ranks, smaller) if len(nonzero) <= EXACT else float(stats.wilcoxon(nonzero).pvalue)
    return smaller, p, effect


def _exact_p(ranks: NDArray[np.float64], smaller: float) -> float:
    """Two-sided p of the smaller sum of signed ranks: the share of all 2ⁿ signs that give one as small, or as large.

    With equal ranks too. There SciPy tries all signs one by one, which takes seconds, and approximates from 14
    differences on.
    """
    # in halves, since equal differences have the mean of their ranks; exact in floats up to 2⁵³ signs
    halves = np.rint(2 * ranks).astype(int)
    ways = np.ones(1)
    for rank in halves:
        ways = np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))
    share = float(ways[: round(2 * smaller) + 1].sum()) / 2.0 ** len(ranks)
    return min(1.0, 2 * share)
