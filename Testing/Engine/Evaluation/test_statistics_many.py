"""Comparisons of more than two methods, of textbook examples and of data on which tests break down."""

import json
from dataclasses import asdict
from math import inf, sqrt

import numpy as np
import pytest

from FewShotSegmentLib.evaluation.statistics import (
    adjust,
    compare_groups,
    compare_many,
    compare_two,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

# hours of sleep gained with two drugs (Student 1908)
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
# fitness before and after three and six months of training, six people
FITNESS = {"before": [45, 42, 36, 39, 51, 44], "three": [50, 42, 41, 35, 55, 49], "six": [55, 45, 43, 40, 59, 56]}
# areas under the ROC curve × 1000 of four classifiers on 14 data sets (Demšar 2006, table 6); on the last but one cf
# and m+cf are both printed as 975 but ranked 2 and 3
CLASSIFIERS = {
    "C4.5": [763, 599, 954, 628, 882, 936, 661, 583, 775, 1000, 940, 619, 972, 957],
    "m": [768, 591, 971, 661, 888, 931, 668, 583, 838, 1000, 962, 666, 981, 978],
    "cf": [771, 590, 968, 654, 886, 916, 609, 563, 866, 1000, 965, 614, 975.2, 946],
    "m+cf": [798, 569, 967, 657, 898, 931, 685, 625, 875, 1000, 962, 669, 974.8, 970],
}


def by_case(values):
    return {("case", index): value for index, value in enumerate(values)}


def methods(values):
    return {name: by_case(column) for name, column in values.items()}


def test_fitness_by_repeated_measures():
    found = compare_many(methods(FITNESS))
    assert (found.anova.f, found.anova.df) == (pytest.approx(12.534, abs=1e-3), (2, 10))
    assert found.anova.p == pytest.approx(0.00189, abs=1e-5)
    assert found.anova.partial_eta2 == pytest.approx(143.44 / (143.44 + 57.22), abs=1e-4)
    assert found.means == pytest.approx({"before": 257 / 6, "three": 272 / 6, "six": 298 / 6})


def test_anova_is_that_of_statsmodels():
    import pandas
    from statsmodels.stats.anova import AnovaRM

    x = np.random.default_rng(2).beta(8, 2, (9, 4)) + np.array([0, 0, 0.05, 0.1])
    frame = pandas.DataFrame(
        {"value": x.ravel(), "case": np.repeat(np.arange(9), 4), "method": np.tile(list("abcd"), 9)}
    )
    f, df_methods, df_rest, p = AnovaRM(frame, "value", "case", within=["method"]).fit().anova_table.iloc[0]
    found = compare_many({name: by_case(x[:, i]) for i, name in enumerate("abcd")}).anova
    assert (found.f, found.p, found.df) == (pytest.approx(f), pytest.approx(p), (df_methods, df_rest))


def test_two_methods_have_the_square_of_t():
    found = compare_many({"a": by_case(SLEEP[0]), "b": by_case(SLEEP[1])})
    (pair,) = found.pairs
    assert (found.anova.f, found.anova.p) == (pytest.approx(pair.pair.t**2), pytest.approx(pair.pair.t_p))
    assert (found.anova.epsilon, found.anova.p_corrected) == (pytest.approx(1), pytest.approx(found.anova.p))
    assert (found.friedman, pair.nemenyi) == (None, None)
    assert pair.pair == compare_two(*map(by_case, SLEEP))
    assert (pair.t_holm, pair.wilcoxon_holm) == (pair.pair.t_p, pair.pair.wilcoxon_p)


def test_sphericity_lowers_the_degrees_of_freedom():
    """Only the third method varies: its differences to the others are one number, so epsilon is 1 / (3 − 1)."""
    noise = [0.02, -0.03, 0.05, 0.01, -0.04, 0.06]
    found = compare_many({"a": by_case([0.5] * 6), "b": by_case([0.6] * 6), "c": by_case(0.7 + np.array(noise))}).anova
    assert found.epsilon == pytest.approx(0.5)
    assert found.p < found.p_corrected < 0.01


def test_demsars_classifiers():
    found = compare_many(methods(CLASSIFIERS))
    ranks = {"C4.5": 44 / 14, "m": 28 / 14, "cf": 40.5 / 14, "m+cf": 27.5 / 14}
    assert found.friedman.ranks == pytest.approx(ranks)
    # Demšar's 9.28 is not corrected for ties: four of the 14 rows have some
    raw = 12 * 14 / (4 * 5) * (sum(rank**2 for rank in ranks.values()) - 4 * 5**2 / 4)
    assert raw == pytest.approx(9.28, abs=0.01)
    assert found.friedman.df == 3
    assert found.friedman.chi2 > raw
    assert found.friedman.kendall_w == pytest.approx(found.friedman.chi2 / (14 * 3))
    # no pair is beyond the critical difference of 1.25 (5 %); two are beyond that of 1.12 (10 %)
    nemenyi = {(pair.a, pair.b): pair.nemenyi for pair in found.pairs}
    assert min(nemenyi.values()) > 0.05
    assert {pair for pair, p in nemenyi.items() if p < 0.1} == {("C4.5", "m"), ("C4.5", "m+cf")}


def test_friedman_is_that_of_scipy():
    from scipy.stats import friedmanchisquare

    theirs = friedmanchisquare(*CLASSIFIERS.values())
    found = compare_many(methods(CLASSIFIERS)).friedman
    assert (found.chi2, found.p) == (theirs.statistic, theirs.pvalue)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_nemenyi_has_the_critical_values_of_the_table(k, q):
    """Demšar 2006, table 5: p is 5 % where ranks differ by q √(k (k + 1) / 6 n)."""
    from FewShotSegmentLib.evaluation.statistics.many import Friedman, _nemenyi

    apart = q * sqrt(k * (k + 1) / (6 * 20))
    ranks = {"a": 1.0, "b": 1.0 + apart} | {str(other): 2.0 for other in range(k - 2)}
    assert _nemenyi(Friedman(0, k - 1, 1, 0, ranks), "a", "b", 20) == pytest.approx(0.05, abs=1e-4)


def test_perfect_agreement():
    found = compare_many({name: by_case(np.arange(8) / 10 + i) for i, name in enumerate("abc")}).friedman
    assert found.kendall_w == pytest.approx(1)
    assert found.chi2 == pytest.approx(16)
    assert found.ranks == {"a": 3, "b": 2, "c": 1}


def test_rank_one_goes_to_the_best():
    x = {"near": by_case([1.0, 2.0, 3.0]), "far": by_case([4.0, 5.0, 6.0]), "farther": by_case([7.0, 8.0, 9.5])}
    assert compare_many(x, higher_is_better=False).friedman.ranks == {"near": 1, "far": 2, "farther": 3}


def test_pairs_are_adjusted_for_their_number():
    found = compare_many(methods(CLASSIFIERS))
    assert [(pair.a, pair.b) for pair in found.pairs][:3] == [("C4.5", "m"), ("C4.5", "cf"), ("C4.5", "m+cf")]
    assert len(found.pairs) == 6
    assert [pair.wilcoxon_holm for pair in found.pairs] == adjust([pair.pair.wilcoxon_p for pair in found.pairs])
    assert [pair.t_holm for pair in found.pairs] == adjust([pair.pair.t_p for pair in found.pairs])


def test_only_cases_that_all_methods_have_are_compared():
    values = methods(FITNESS)
    values["six"][("case", 0)] = None
    values["six"][("case", 9)] = 50
    found = compare_many(values)
    assert (found.n, found.n_left_out) == (5, 2)
    assert {pair.pair.n for pair in found.pairs} == {5}


def test_identical_methods_do_not_differ_among_many():
    found = compare_many({name: by_case(SLEEP[0]) for name in "abc"})
    assert (found.anova.f, found.anova.p, found.anova.p_corrected, found.anova.partial_eta2) == (0, 1, 1, 0)
    assert (found.friedman.chi2, found.friedman.p, found.friedman.kendall_w) == (0, 1, 0)
    assert found.friedman.ranks == {"a": 2, "b": 2, "c": 2}
    for pair in found.pairs:
        assert (pair.t_holm, pair.wilcoxon_holm, pair.nemenyi) == (1, 1, pytest.approx(1))


def test_methods_that_differ_by_the_same_on_every_case():
    found = compare_many({name: by_case([0.3 + i / 10, 0.4 + i / 10, 0.6 + i / 10]) for i, name in enumerate("abc")})
    assert (found.anova.f, found.anova.p, found.anova.p_corrected, found.anova.partial_eta2) == (None, None, None, 1)
    assert found.friedman.kendall_w == pytest.approx(1)
    assert [pair.t_holm for pair in found.pairs] == [None] * 3


@pytest.mark.parametrize("values", [{}, {"a": {}}, {"a": {}, "b": {"x": 1.0}}, {n: {"x": 1.0} for n in "abc"}])
def test_too_little_to_compare(values):
    found = compare_many(values)
    assert (found.anova, found.friedman) == (None, None)
    assert all(pair.wilcoxon_holm is None for pair in found.pairs)


def test_one_method_alone():
    found = compare_many({"a": by_case([0.5, 0.7])})
    assert (found.n, found.anova, found.pairs, found.means) == (2, None, (), {"a": pytest.approx(0.6)})


# groups of different cases


def test_three_groups_by_hand():
    """Between groups the sum of squares is 6 with 2 degrees of freedom, within 6 with 6: F = 3, p = (1 + 1)⁻³."""
    found = compare_groups({"a": [1, 2, 3], "b": [2, 3, 4, None], "c": [3, inf, 4, 5], "d": []})
    assert (found.f, found.df, found.p) == (pytest.approx(3), (2, 6), pytest.approx(1 / 8))
    assert found.eta2 == pytest.approx(0.5)
    assert found.n == {"a": 3, "b": 3, "c": 3, "d": 0}
    # ranks 1, 2.5, 5 / 2.5, 5, 7.5 / 5, 7.5, 9, corrected for two pairs and one triple
    raw = 12 / 90 * (8.5**2 + 15**2 + 21.5**2) / 3 - 30
    assert found.h == pytest.approx(raw / (1 - (6 + 6 + 24) / 720))


def test_groups_that_do_not_vary():
    same = compare_groups({"a": [0.3, 0.3], "b": [0.1 + 0.2]})
    assert (same.f, same.p, same.eta2, same.h_p) == (0, 1, 0, 1)
    apart = compare_groups({"a": [0.3, 0.3], "b": [0.5, 0.5]})
    assert (apart.f, apart.p, apart.eta2) == (None, None, 1)
    assert apart.h == pytest.approx(3)
    alone = compare_groups({"a": [0.3, 0.4], "b": []})
    assert (alone.f, alone.p, alone.h) == (None, None, None)


def test_comparisons_are_plain_values_for_json():
    for part in (compare_many(methods(FITNESS)), compare_many({}), compare_groups(FITNESS), compare_groups({})):
        json.dumps(asdict(part), allow_nan=False)
