"""Statistics of textbook examples, of values worked out by hand, and of data on which tests break down."""

import builtins
import json
import sys
from dataclasses import asdict
from itertools import pairwise
from math import inf, nan, sqrt

import numpy as np
import pytest

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation.statistics import (
    adjust,
    auc,
    compare_two,
    describe,
    folds,
    groups,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

# hours of sleep gained with two drugs (Student 1908)
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
# differences in height of crossed and self-fertilised plants (Darwin 1876), as in Fisher's and SciPy's example
MAIZE = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]


def by_case(values):
    return {("case", index): value for index, value in enumerate(values)}


# describe, groups, folds


def test_values_are_described_by_those_that_count():
    found = describe([0.9, None, 0.8, inf, nan, 0.4])
    assert (found.n, found.n_undefined, found.n_infinite) == (3, 2, 1)
    assert (found.mean, found.median) == (pytest.approx(0.7), 0.8)
    assert found.sd == pytest.approx(sqrt(0.07))
    assert 0.4 <= found.low < 0.7 < found.high <= 0.9


@pytest.mark.parametrize("values", [[], [None, inf]])
def test_no_values_have_no_mean(values):
    found = describe(values)
    assert found.n == 0
    assert (found.mean, found.sd, found.median, found.low, found.high) == (None,) * 5


def test_one_value_has_no_spread():
    found = describe([0.5])
    assert (found.n, found.mean, found.sd, found.median, found.low, found.high) == (1, 0.5, None, 0.5, None, None)


def test_two_values_bound_their_interval():
    found = describe([0.5, 0.75])
    assert (found.mean, found.low, found.high) == (0.625, 0.5, 0.75)


@pytest.mark.parametrize("values", [[0.7, 0.7], [0.3, 0.1 + 0.2, 0.3]])
def test_equal_values_are_sure_whatever_their_last_digits(values):
    found = describe(values)
    assert found.sd == 0
    assert found.low == found.high == found.mean == pytest.approx(values[0])


def test_the_interval_is_the_same_at_every_run_and_in_any_order():
    values = np.random.default_rng(3).beta(8, 2, 40)
    first = describe(values)
    assert describe(values[::-1]) == first
    assert describe(iter(values)) == first
    # of nearly normal means it is near that of the t distribution
    half = 2.0227 * values.std(ddof=1) / sqrt(40)
    assert (first.low, first.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 5)


def test_the_interval_is_that_of_scipy():
    from scipy.stats import bootstrap

    values = np.sort(np.random.default_rng(5).beta(8, 2, 12))
    theirs = bootstrap((values,), np.mean, n_resamples=500, random_state=np.random.default_rng(0)).confidence_interval
    found = describe(values, resamples=500)
    assert (found.low, found.high) == (theirs.low, theirs.high)


def test_an_interval_of_many_equal_values_and_an_odd_one_is_defined():
    found = describe([1.0] * 30 + [0.0])
    assert found.low < found.mean < found.high <= 1


def test_groups_count_the_same_however_large():
    found = groups({"pancreas": [0.5, None, 0.7], "liver": [0.9] * 8, "none": [None]})
    assert list(found.parts) == ["pancreas", "liver", "none"]
    assert (found.means.n, found.means.n_undefined) == (2, 1)
    assert found.means.mean == pytest.approx(0.75)
    assert (found.pooled.n, found.pooled.n_undefined) == (10, 2)
    assert found.pooled.mean == pytest.approx(0.84)


def test_folds_are_in_their_order_with_the_mean_of_their_means():
    found = folds({"10": [0.6], "2": [0.7, 0.9], "0": [0.7]})
    assert list(found.parts) == ["0", "2", "10"]
    assert found.parts["2"].mean == pytest.approx(0.8)
    assert found.parts["2"].sd == pytest.approx(sqrt(0.02))
    assert (found.means.mean, found.means.sd) == (pytest.approx(0.7), pytest.approx(0.1))
    assert (found.pooled.n, found.pooled.mean) == (4, pytest.approx(0.725))
    assert folds({}).pooled.n == 0


def test_summaries_are_plain_values_for_json():
    for part in (folds({"0": [0.5, 0.6, inf], "1": []}), compare_two(*map(by_case, SLEEP)), compare_two({}, {})):
        json.dumps(asdict(part), allow_nan=False)


# two methods


def test_students_sleep():
    found = compare_two(*map(by_case, SLEEP))
    assert (found.n, found.n_left_out) == (10, 0)
    assert (found.mean_a, found.mean_b, found.difference) == pytest.approx((0.75, 2.33, -1.58))
    assert (found.t, found.t_p) == pytest.approx((-4.0621, 0.002833), rel=1e-3)
    assert found.d_z == pytest.approx(found.t / sqrt(10))
    # one difference is 0 and two are equal; of the other nine all are negative: 2 of 2⁹ outcomes
    assert (found.wilcoxon, found.wilcoxon_p, found.rank_biserial) == (0, 2 / 2**9, -1)
    assert found.low < -1.58 < found.high < 0


def test_darwins_maize():
    found = compare_two(by_case(MAIZE), by_case([0] * 15))
    assert (found.wilcoxon, found.wilcoxon_p) == (24, 0.041259765625)
    assert found.rank_biserial == pytest.approx((96 - 24) / 120)
    assert (found.t, found.t_p) == pytest.approx((2.148, 0.0497), rel=1e-3)


def test_the_sign_turns_with_the_methods():
    one, other = compare_two(*map(by_case, SLEEP)), compare_two(*map(by_case, SLEEP[::-1]))
    for name in ("difference", "t", "d_z", "rank_biserial"):
        assert getattr(one, name) == -getattr(other, name)
    assert (one.t_p, one.wilcoxon_p) == (other.t_p, other.wilcoxon_p)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=0.05)


def test_only_cases_with_two_finite_values_are_compared():
    a = {"one": 0.5, "two": 0.75, "three": None, "four": inf, "five": 0.5, "six": 0.1}
    b = {"two": 0.5, "one": 0.5, "three": 0.5, "four": 0.5, "five": nan, "seven": 0.9}
    found = compare_two(a, b)
    assert (found.n, found.n_left_out) == (2, 5)
    assert (found.mean_a, found.mean_b, found.difference) == (0.625, 0.5, 0.125)
    assert (found.wilcoxon_p, found.rank_biserial) == (1, 1)


def test_differences_that_are_equal_but_for_their_last_digits_are_ties():
    """0.3 − 0.2, 0.2 − 0.1 and 0.8 − 0.9 share a rank."""
    found = compare_two(by_case([0.3, 0.2, 0.8]), by_case([0.2, 0.1, 0.9]))
    assert (found.wilcoxon, found.rank_biserial) == (2, pytest.approx(1 / 3))


def test_identical_methods_do_not_differ():
    found = compare_two(by_case(SLEEP[0]), by_case(SLEEP[0]))
    assert (found.t, found.t_p, found.wilcoxon_p, found.d_z, found.rank_biserial) == (0, 1, 1, 0, 0)
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_a_method_that_is_always_better_by_the_same():
    """The t-test has nothing to compare the difference with; ranks have."""
    found = compare_two(by_case([0.3, 0.5, 0.9, 0.7, 0.4]), by_case([0.2, 0.4, 0.8, 0.6, 0.3]))
    assert (found.t, found.t_p, found.d_z) == (None, None, None)
    assert (found.wilcoxon, found.wilcoxon_p, found.rank_biserial) == (0, 2 / 2**5, 1)
    assert found.low == found.high == found.difference == pytest.approx(0.1)


@pytest.mark.parametrize("n", [2, 9, 50])
def test_wilcoxon_is_that_of_scipy_where_no_differences_are_equal(n):
    from scipy.stats import wilcoxon

    differences = np.random.default_rng(n).normal(0.1, 0.3, n)
    theirs = wilcoxon(differences, method="exact")
    found = compare_two(by_case(differences), by_case(np.zeros(n)))
    assert (found.wilcoxon, found.wilcoxon_p) == (theirs.statistic, pytest.approx(theirs.pvalue, rel=1e-12))


def test_wilcoxon_is_exact_where_differences_are_equal():
    """Of the 2¹² signs of twelve differences of four sizes."""
    from itertools import product

    differences = np.array([1, 1, 1, -2, 2, 2, 3, -3, 3, 4, 4, 4])
    ranks = np.array([2.0, 2, 2, 5, 5, 5, 8, 8, 8, 11, 11, 11])
    sums = np.array(list(product([0, 1], repeat=12))) @ ranks
    found = compare_two(by_case(differences), by_case(np.zeros(12)))
    assert found.wilcoxon == 13
    assert found.wilcoxon_p == np.mean((sums <= 13) | (sums >= 78 - 13))


def test_wilcoxon_of_many_cases_is_near_the_exact_one():
    from FewShotSegmentLib.evaluation.statistics import two

    differences = np.random.default_rng(4).normal(0.05, 0.3, 51)
    found = compare_two(by_case(differences), by_case(np.zeros(51)))
    exact = two._exact_p(np.argsort(np.argsort(abs(differences))) + 1.0, found.wilcoxon)
    assert found.wilcoxon_p == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_cases_say_nothing(n):
    found = compare_two(by_case([0.5, None][: n + 1][:n]), by_case([0.25] * n))
    assert found.n == n
    assert found.difference == (0.25 if n else None)
    for name in ("t", "t_p", "wilcoxon", "wilcoxon_p", "d_z", "rank_biserial", "low", "high"):
        assert getattr(found, name) is None


# corrections and confidence


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.01, None, 0.04, 0.03, 0.005]
    assert adjust(p) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06), pytest.approx(0.02)]
    assert adjust(p, "bh") == [pytest.approx(0.02), None, pytest.approx(0.04), pytest.approx(0.04), pytest.approx(0.02)]
    assert adjust([0.6, 0.7]) == [1, 1]
    assert adjust([None]) == [None]
    assert adjust([]) == []
    with pytest.raises(ValueError, match="unknown"):
        adjust([0.5], "none")


def test_auc_by_hand():
    """Of four pairs of a good and a bad slice three are in order and one is equal."""
    assert auc([(0.9, 0.95), (0.6, 0.7), (0.6, 0.69), (0.3, 0), (nan, 1)]) == 3.5 / 4
    assert auc([(0.9, 0.6), (0.6, 0.6)]) is None
    assert auc([(0.9, 0.6), (0.6, 0.6)], threshold=0.5) is None
    assert auc([(0.9, 0.2), (0.6, 0.4)], threshold=0.3) == 0
    assert auc([]) is None


def test_confidence_that_knows_nothing():
    assert auc([(0.5, 0.9), (0.5, 0.1), (0.5, 0.8)]) == 0.5


def test_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    dice = rng.random(300)
    sure = np.round((dice + rng.random(300)) / 2, 1)
    assert auc(zip(sure, dice, strict=True)) == pytest.approx(roc_auc_score(dice >= 0.7, sure))


@pytest.mark.parametrize(
    ("package", "ask"), [("statsmodels", lambda: adjust([0.5])), ("scipy", lambda: describe([1, 2]))]
)
def test_a_missing_package_is_named(monkeypatch, package, ask):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for name in [name for name in sys.modules if name == "statsmodels.stats.multitest"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=rf"{package}: pip install 'fewshotsegment\[evaluate\]'"):
        ask()


def test_p_values_fall_as_evidence_grows():
    rng = np.random.default_rng(7)
    better = rng.normal(0.1, 0.1, 80)
    found = [compare_two(by_case(better[:n]), by_case(np.zeros(n))).wilcoxon_p for n in (5, 10, 20, 40, 80)]
    assert all(a > b for a, b in pairwise(found))
