"""Means with how sure they are: of cases, and of groups and folds of cases."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, isinf, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

RESAMPLES = 5000
"""Of a bootstrap: its ends then vary by about 2 % of the interval's width from seed to seed."""
SEED = 0
AT_ONCE = 2_000_000
"""Values that a bootstrap draws at once, to keep its memory small."""
DECIMALS = 10
"""Values that agree so far are equal: differences such as 0.3 − 0.2 and 0.2 − 0.1 differ in their last digits."""


@dataclass(frozen=True)
class Summary:
    """Values in short. What is undefined or infinite counts in `n_undefined` and `n_infinite` alone.

    Attributes:
        n: how many values count.
        n_undefined: how many are None or not a number.
        n_infinite: how many are infinite, as where a surface is missing.
        mean: of those that count; None where none does, as for the others.
        sd: standard deviation of the sample (n − 1); None for fewer than two.
        median: of those that count.
        low: lower end of the mean's 95 % interval; None for fewer than two values.
        high: its upper end.
    """

    n: int
    n_undefined: int
    n_infinite: int
    mean: float | None
    sd: float | None
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Parts:
    """Values in parts, such as groups of a data set or folds of a cross-validation.

    Attributes:
        parts: {name: its values}.
        means: of the parts' means, so that each part counts the same; a part without a mean is undefined there.
        pooled: of all values, so that each value counts the same.
    """

    parts: Mapping[str, Summary]
    means: Summary
    pooled: Summary


def describe(values: Iterable[float | None], *, resamples: int = RESAMPLES) -> Summary:
    """Mean, spread and a bootstrap interval; the same whatever the order of the values.

    The interval is bias-corrected and accelerated (B. Efron, “Better bootstrap confidence intervals”, J Am Stat Assoc
    82, 1987), of `scipy.stats.bootstrap` with a fixed seed; the percentile interval where that is not defined. It takes
    the values to be independent, and of fewer than about ten it is too narrow. Of equal values it is their value.

    Args:
        values: one for each case; None, NaN and infinite ones are counted and left out.
        resamples: of the bootstrap.

    Raises:
        InputError: SciPy is missing.
    """
    listed = [float("nan") if value is None else float(value) for value in values]
    counted = np.sort([value for value in listed if isfinite(value)])
    low, high = mean_interval(counted, resamples)
    return Summary(
        n=len(counted),
        n_undefined=sum(map(isnan, listed)),
        n_infinite=sum(map(isinf, listed)),
        mean=_mean(counted),
        sd=_sd(counted),
        median=float(np.median(counted)) if len(counted) else None,
        low=low,
        high=high,
    )


def groups(values: Mapping[str, Collection[float | None]]) -> Parts:
    """Means over groups first, in the order of `values`; see `Parts`.

    Args:
        values: {group: one value for each case}, as `describe` takes them.
    """
    parts = {name: describe(part) for name, part in values.items()}
    means = describe([part.mean for part in parts.values()])
    return Parts(parts, means, describe([value for part in values.values() for value in part]))


def folds(values: Mapping[str, Collection[float | None]]) -> Parts:
    """A cross-validation: each fold (“2” before “10”), the mean of their means, and all cases pooled; see `Parts`.

    Args:
        values: {fold: one value for each case}, as `describe` takes them.
    """
    names = sorted(values, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    return groups({name: values[name] for name in names})


def auc(pairs: Iterable[tuple[float, float]], threshold: float = 0.7) -> float | None:
    """How well confidence tells good slices from bad: area under the ROC curve, by the Mann-Whitney statistic.

    Args:
        pairs: (confidence, Dice) of each slice, see `Row.confidence`; pairs with NaN are left out.
        threshold: Dice from which on a slice is good.

    Returns:
        0 to 1: the chance that a good slice has more confidence than a bad one, equal confidence counting half; None
        unless there are both.

    Raises:
        InputError: SciPy is missing.
    """
    known = [(sure, dice) for sure, dice in pairs if not (isnan(sure) or isnan(dice))]
    good = [sure for sure, dice in known if dice >= threshold]
    bad = [sure for sure, dice in known if dice < threshold]
    if not (good and bad):
        return None
    wins = scipy_stats().mannwhitneyu(good, bad, method="asymptotic").statistic
    return float(wins) / (len(good) * len(bad))


def mean_interval(values: NDArray[np.float64], resamples: int = RESAMPLES) -> tuple[float | None, float | None]:
    """95 % interval of the mean of finite values, [n], by bootstrap; see `describe`. None for fewer than two."""
    values = np.sort(values)
    if len(values) < 2:
        return None, None
    if all_equal(values):
        mean = float(values.mean())
        return mean, mean
    stats = scipy_stats()
    with warnings.catch_warnings():
        # BCa says so where it is not defined
        warnings.simplefilter("ignore")
        for method in ("BCa", "percentile"):
            found = stats.bootstrap(
                (values,),
                np.mean,
                n_resamples=resamples,
                batch=max(1, AT_ONCE // len(values)),
                confidence_level=0.95,
                method=method,
                random_state=np.random.default_rng(SEED),
            ).confidence_interval
            if isfinite(found.low) and isfinite(found.high):
                break
    return float(found.low), float(found.high)


def all_equal(values: NDArray[np.float64]) -> bool:
    """Whether values differ in their last digits at most."""
    return float(np.ptp(values)) <= 10.0**-DECIMALS


def scipy_stats() -> Any:
    """`scipy.stats`.

    Raises:
        InputError: it is missing.
    """
    try:
        from scipy import stats  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError("Statistics need the package scipy: pip install 'fewshotsegment[evaluate]'.") from None
    return stats


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _sd(values: NDArray[np.float64]) -> float | None:
    if len(values) < 2:
        return None
    return 0.0 if all_equal(values) else float(values.std(ddof=1))
