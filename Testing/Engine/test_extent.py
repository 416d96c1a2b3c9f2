"""Towards an open end: how far annotated slices say that a structure reaches."""

from dataclasses import replace

import numpy as np
import pytest

from FewShotSegmentLib.propagation.extent import Extent
from FewShotSegmentLib.propagation.plan import DOWN, UP, Run
from FewShotSegmentLib.settings import Settings

SETTINGS = Settings(spread_weight=8.0, spread_least=0.2, absent_weight=2.0)
DRAWN, ABSENT = np.ones((1, 1), bool), np.zeros((1, 1), bool)


def extent(filled, empty=(), direction=UP, diameter=20.0, settings=SETTINGS):
    anchors = dict.fromkeys(filled, DRAWN) | dict.fromkeys(empty, ABSENT)
    outermost = max(filled) if direction == UP else min(filled)
    last = 100 if direction == UP else 0
    return Extent(Run(outermost, direction, last, meets=False), anchors, diameter, settings)


@pytest.mark.parametrize("filled", [(50,), (40, 50)])
def test_one_or_two_annotated_slices_say_nothing_of_the_length(filled):
    told = extent(filled)
    assert [told.weigh(0.9, slices) for slices in (1, 10, 50)] == pytest.approx([0.9] * 3)


@pytest.mark.parametrize(("direction", "filled"), [(UP, (30, 40, 50)), (DOWN, (50, 60, 70))])
def test_three_bound_it_from_one_gap_behind_the_outermost_on(direction, filled):
    told = extent(filled, direction=direction)
    assert told.weigh(0.98, 10) == pytest.approx(0.98)
    # half a gap further the odds are 1.5 to the power of 8 less
    assert told.weigh(0.98, 15) == pytest.approx((49 / 1.5**8) / (49 / 1.5**8 + 1))
    falling = [told.weigh(0.98, slices) for slices in range(10, 40)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.01


def test_the_larger_gap_of_the_outermost_three_counts():
    corrected_at_the_end = extent((20, 45, 50))
    assert corrected_at_the_end.weigh(0.9, 25) == pytest.approx(0.9)
    # what lies farther in does not
    assert extent((0, 40, 45, 50)).weigh(0.9, 25) < 0.1


def test_slices_corrected_side_by_side_say_nothing_of_the_length():
    told = extent((46, 48, 50), diameter=11.0)
    assert [told.weigh(0.9, slices) for slices in (1, 5, 50)] == pytest.approx([0.9] * 3)
    assert extent((46, 48, 50), diameter=9.0).weigh(0.9, 5) < 0.1


def test_an_absent_slice_ahead_bounds_it():
    told = extent((50,), empty=(60,))
    assert told.weigh(0.9, 5) == pytest.approx(9 / 4 / (9 / 4 + 1))
    assert told.weigh(0.999, 9) > 0.5 > told.weigh(0.9, 9)
    # one behind the outermost slice does not, and breaks the row of three
    assert extent((50, 45, 30), empty=(40,)).weigh(0.9, 40) == pytest.approx(0.9)


def test_what_is_sure_either_way_stays_finite():
    told = extent((30, 40, 50), empty=(60,))
    assert told.weigh(0.0, 9) == 0.0
    assert 0.0 <= told.weigh(1.0, 9) <= 1.0


def test_weights_of_nothing_leave_presence_as_it_is():
    off = replace(SETTINGS, spread_weight=0.0, absent_weight=0.0)
    assert extent((30, 40, 50), empty=(60,), settings=off).weigh(0.7, 9) == pytest.approx(0.7)
