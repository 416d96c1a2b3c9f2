"""More than two methods on the same cases: whether any differ, which, and by how much."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .summary import DECIMALS, scipy_stats
from .two import Key, Pair, Values, common, compare_two, table


@dataclass(frozen=True)
class Anova:
    """Repeated-measures analysis of variance: do the methods' means differ?

    Attributes:
        f: None where the methods differ by the same on every case, so that nothing is left to compare with.
        df: degrees of freedom, of the methods and of what is left.
        p: if differences between all pairs of methods vary as much (sphericity); None where f is.
        epsilon: how far they do, 1 / (methods − 1) to 1 (Greenhouse and Geisser 1959).
        p_corrected: p with both degrees of freedom times epsilon; to be preferred.
        partial_eta2: share of the variance within cases that the methods explain, 0 to 1.
    """

    f: float | None
    df: tuple[int, int]
    p: float | None
    epsilon: float
    p_corrected: float | None
    partial_eta2: float


@dataclass(frozen=True)
class Friedman:
    """Friedman's test: do the methods' ranks differ?

    Attributes:
        chi2: corrected for equal ranks.
        df: methods − 1.
        p: from the chi-squared distribution: too large for fewer than about ten cases.
        kendall_w: agreement of the cases on the order of the methods, 0 to 1.
        ranks: {method: mean rank}, 1 is the best.
    """

    chi2: float
    df: int
    p: float
    kendall_w: float
    ranks: Mapping[str, float]


@dataclass(frozen=True)
class PostHoc:
    """Two of the methods.

    Attributes:
        a: one method.
        b: the other.
        pair: how they compare on the cases that all methods have; its p values are not adjusted.
        t_holm: p of the paired t-test, adjusted by Holm for all pairs.
        wilcoxon_holm: p of Wilcoxon's test, adjusted by Holm for all pairs.
        nemenyi: p of Nemenyi's test on Friedman's ranks, which adjusts for all pairs itself; None where Friedman is.
    """

    a: str
    b: str
    pair: Pair
    t_holm: float | None
    wilcoxon_holm: float | None
    nemenyi: float | None


@dataclass(frozen=True)
class Many:
    """Methods side by side.

    Attributes:
        n: cases where every method has a finite value; all tests are of these.
        n_left_out: all other cases.
        means: {method: mean over those cases}; None without cases.
        anova: None for fewer than two cases or methods.
        friedman: None for fewer than two cases or three methods.
        pairs: every two methods, in the order of the methods.
    """

    n: int
    n_left_out: int
    means: Mapping[str, float | None]
    anova: Anova | None
    friedman: Friedman | None
    pairs: tuple[PostHoc, ...]


@dataclass(frozen=True)
class OneWay:
    """One-way analysis of variance of groups of different cases.

    Attributes:
        n: {group: finite values}.
        f: None with fewer than two groups, where no group has two values, or where values differ between groups alone.
        df: degrees of freedom, between and within groups.
        p: None where f is.
        eta2: share of the variance that the groups explain, 0 to 1; None with fewer than two groups.
        h: of Kruskal and Wallis's test, which compares ranks; None with fewer than two groups.
        h_p: its p.
    """

    n: Mapping[str, int]
    f: float | None
    df: tuple[int, int]
    p: float | None
    eta2: float | None
    h: float | None
    h_p: float | None


def adjust(p_values: Sequence[float | None], method: Literal["holm", "bh"] = "holm") -> list[float | None]:
    """Adjust p values for their number, by `statsmodels.stats.multitest`.

    Args:
        p_values: 0 to 1; None ones stay None and do not count.
        method: "holm" (S. Holm 1979) bounds the chance of one false finding, "bh" (Y. Benjamini and Y. Hochberg 1995)
            the share of false findings.

    Returns:
        As many, in the same order.

    Raises:
        InputError: statsmodels is missing.
        ValueError: the method is unknown.
    """
    name = {"holm": "holm", "bh": "fdr_bh"}.get(method)
    if name is None:
        raise ValueError(f"unknown method {method!r}")
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    try:
        from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError(
            "Corrections for many tests need the package statsmodels: pip install 'fewshotsegment[evaluate]'."
        ) from None
    adjusted = iter(multipletests(known, method=name)[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def compare_many(values: Mapping[str, Values[Key]], *, higher_is_better: bool = True) -> Many:
    """Repeated-measures ANOVA, Friedman's test and all pairs; see `Many`.

    Post-hoc tests and ranks: J. Demšar, “Statistical comparisons of classifiers over multiple data sets”, J Mach Learn
    Res 7, 2006.

    Args:
        values: {method: {case: value}}.
        higher_is_better: whether rank 1 goes to the largest value; False for distances.

    Raises:
        InputError: SciPy or statsmodels is missing.
    """
    names = list(values)
    keys = common(values) if names else []
    x = table(values, keys)
    every = set().union(*values.values()) if names else set()
    enough = len(keys) >= 2
    friedman = _friedman(x, names, higher_is_better) if enough and len(names) >= 3 else None
    kept = {name: {key: values[name][key] for key in keys} for name in names}
    pairs = [(a, b, compare_two(kept[a], kept[b])) for a, b in combinations(names, 2)]
    t_holm = adjust([pair.t_p for _, _, pair in pairs])
    wilcoxon_holm = adjust([pair.wilcoxon_p for _, _, pair in pairs])
    nemenyi = [_nemenyi(friedman, a, b, len(keys)) for a, b, _ in pairs]
    return Many(
        n=len(keys),
        n_left_out=len(every) - len(keys),
        means={name: float(x[:, i].mean()) if keys else None for i, name in enumerate(names)},
        anova=_anova(x) if enough and len(names) >= 2 else None,
        friedman=friedman,
        pairs=tuple(
            PostHoc(*pair, *adjusted) for pair, *adjusted in zip(pairs, t_holm, wilcoxon_holm, nemenyi, strict=True)
        ),
    )


def compare_groups(values: Mapping[str, Iterable[float | None]]) -> OneWay:
    """One-way ANOVA and Kruskal and Wallis's test, where groups hold different cases; see `OneWay`.

    Args:
        values: {group: one value for each case}; None, NaN and infinite ones are left out, and so are empty groups.

    Raises:
        InputError: SciPy is missing.
    """
    finite = {
        name: np.round(np.sort([v for v in group if v is not None and isfinite(v)]), DECIMALS)
        for name, group in values.items()
    }
    n = {name: len(group) for name, group in finite.items()}
    filled = [group for group in finite.values() if len(group)]
    df = (max(len(filled) - 1, 0), sum(n.values()) - len(filled))
    if len(filled) < 2:
        return OneWay(n, None, df, None, None, None, None)
    pooled = np.concatenate(filled)
    within = float(sum(((group - group.mean()) ** 2).sum() for group in filled))
    total = float(((pooled - pooled.mean()) ** 2).sum())
    least = _rounding(pooled)
    if total <= least:
        return OneWay(n, 0.0, df, 1.0, 0.0, 0.0, 1.0)
    stats = scipy_stats()
    ranks = stats.kruskal(*filled)
    h, h_p = float(ranks.statistic), float(ranks.pvalue)
    if within <= least:
        return OneWay(n, None, df, None, 1.0, h, h_p)
    found = stats.f_oneway(*filled)
    return OneWay(n, float(found.statistic), df, float(found.pvalue), 1 - within / total, h, h_p)


def _anova(x: NDArray[np.float64]) -> Anova:
    """Repeated-measures ANOVA of [case, method].

    Sums of squares of a complete table, as in every textbook: `statsmodels.stats.anova.AnovaRM` says the same, but fits
    a column for every value and takes 10 s for 400 cases and 8 methods.
    """
    n, k = x.shape
    df = (k - 1, (n - 1) * (k - 1))
    centred = x - x.mean(axis=1, keepdims=True)
    methods = n * float((centred.mean(axis=0) ** 2).sum())
    rest = float(((centred - centred.mean(axis=0)) ** 2).sum())
    least = _rounding(x)
    if methods <= least:
        return Anova(0.0, df, 1.0, _epsilon(x), 1.0, 0.0)
    if rest <= least:
        return Anova(None, df, None, 1.0, None, 1.0)
    f = (methods / df[0]) / (rest / df[1])
    epsilon = _epsilon(x)
    survival = scipy_stats().f.sf
    return Anova(
        f=f,
        df=df,
        p=float(survival(f, *df)),
        epsilon=epsilon,
        p_corrected=float(survival(f, epsilon * df[0], epsilon * df[1])),
        partial_eta2=methods / (methods + rest),
    )


def _epsilon(x: NDArray[np.float64]) -> float:
    """Greenhouse and Geisser's epsilon of [case, method]; 1 where nothing varies."""
    centred = x - x.mean(axis=1, keepdims=True)
    centred = centred - centred.mean(axis=0)
    if float((centred**2).sum()) <= _rounding(x):
        return 1.0
    covariance = centred.T @ centred
    epsilon = np.trace(covariance) ** 2 / ((x.shape[1] - 1) * (covariance**2).sum())
    return float(min(epsilon, 1.0))


def _rounding(x: NDArray[np.float64]) -> float:
    """Sum of squares that is due to rounding alone."""
    return x.size * (float(np.abs(x).max()) * 1e-12) ** 2


def _friedman(x: NDArray[np.float64], names: list[str], higher_is_better: bool) -> Friedman:
    """Friedman's test of [case, method]; see `Friedman`."""
    stats = scipy_stats()
    rounded = np.round(x, DECIMALS)
    n, k = x.shape
    ranks = stats.rankdata(-rounded if higher_is_better else rounded, axis=1).mean(axis=0)
    by_name = dict(zip(names, ranks.tolist(), strict=True))
    if (rounded == rounded[:, :1]).all():
        return Friedman(0.0, k - 1, 1.0, 0.0, by_name)
    found = stats.friedmanchisquare(*rounded.T)
    chi2 = float(found.statistic)
    return Friedman(chi2, k - 1, float(found.pvalue), chi2 / (n * (k - 1)), by_name)


def _nemenyi(friedman: Friedman | None, a: str, b: str, n: int) -> float | None:
    """The p of two methods by their mean ranks over n cases (P. Nemenyi 1963, as in Demšar 2006)."""
    if friedman is None:
        return None
    k = len(friedman.ranks)
    distance = abs(friedman.ranks[a] - friedman.ranks[b]) / np.sqrt(k * (k + 1) / (6 * n))
    with warnings.catch_warnings():
        # the integral says where it is less exact than asked for, far out in the tail
        warnings.simplefilter("ignore")
        p = scipy_stats().studentized_range.sf(distance * np.sqrt(2), k, np.inf)
    return float(np.clip(p, 0.0, 1.0))
