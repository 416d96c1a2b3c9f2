"""Which slices are visited from which anchor."""

import numpy as np

from FewShotSegmentLib.propagation.plan import DOWN, UP, Run, plan_runs

FULL, EMPTY = np.ones((2, 2), bool), np.zeros((2, 2), bool)


def test_one_anchor_goes_both_ways_to_the_ends():
    assert plan_runs({5: FULL}, 0, 9) == [Run(5, UP, 9, False), Run(5, DOWN, 0, False)]


def test_nothing_to_visit_behind_the_ends():
    assert plan_runs({0: FULL}, 0, 3) == [Run(0, UP, 3, False)]
    assert plan_runs({4: FULL}, 4, 4) == []


def test_runs_meet_between_anchors_and_every_slice_between_is_visited_from_both():
    runs = plan_runs({2: FULL, 6: FULL}, 0, 9)
    assert runs == [Run(2, UP, 5, True), Run(2, DOWN, 0, False), Run(6, UP, 9, False), Run(6, DOWN, 3, True)]
    assert [sum(run.visits(i) for run in runs) for i in range(10)] == [1, 1, 0, 2, 2, 2, 0, 1, 1, 1]


def test_neighbouring_anchors_have_nothing_between_them():
    assert [r for r in plan_runs({4: FULL, 5: FULL}, 0, 9) if r.meets] == []


def test_an_empty_anchor_stops_runs_and_starts_none():
    assert plan_runs({2: EMPTY, 5: FULL, 7: EMPTY}, 0, 9) == [Run(5, UP, 6, False), Run(5, DOWN, 3, False)]


def test_range_bounds_the_runs():
    assert plan_runs({5: FULL}, 4, 7) == [Run(5, UP, 7, False), Run(5, DOWN, 4, False)]
