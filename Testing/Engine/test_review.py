"""The slice that is proposed next: no anchor, doubtful and large, and at the ends too."""

import numpy as np
import pytest

from FewShotSegmentLib.propagation import Result
from FewShotSegmentLib.review import next_slice


def result(areas, confidence=0.8, anchors=(), axis=0):
    """A result with so many pixels on each slice; confidence for all, or {slice: confidence} with 0.9 on the others."""
    mask = np.zeros((len(areas), 10, 10), bool)
    for plane, area in zip(mask, areas, strict=True):
        plane.ravel()[:area] = True
    sure = np.full(len(areas), 0.9 if isinstance(confidence, dict) else confidence, np.float32)
    for index, value in confidence.items() if isinstance(confidence, dict) else ():
        sure[index] = value
    sure[list(anchors)] = 1
    found = Result(np.moveaxis(mask, 0, axis), None, sure, tuple(anchors), axis)
    found.find_slices()
    return found


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_most_doubtful_slice_is_proposed_along_any_axis(axis):
    assert next_slice(result([50] * 21, {6: 0.2}, anchors=(10,), axis=axis)) == 6
    assert next_slice(result([50] * 21, {15: 0.2}, anchors=(10,), axis=axis)) == 15


def test_doubt_counts_by_the_area_it_is_about():
    areas = [0, 0, 5, 5, 5, 50, 50, 50, 90, 90, 90, 0, 0]
    assert next_slice(result(areas, {3: 0.3, 9: 0.7, 0: 1, 1: 1, 11: 1, 12: 1}, anchors=(6,))) == 9


def test_a_stretch_of_doubt_counts_for_more_than_one_odd_slice():
    doubtful = {4: 0.6} | dict.fromkeys(range(24, 33), 0.75)
    assert next_slice(result([50] * 41, doubtful, anchors=(20,))) == 28


def test_equal_doubt_is_split_in_the_middle_of_the_wider_stretch():
    assert next_slice(result([50] * 30, anchors=(0, 10, 29))) == 19
    assert next_slice(result([50] * 30, anchors=(0, 19, 29))) == 9
    # of two middles the lower one
    assert next_slice(result([50] * 12, anchors=(0, 11))) == 5


def test_a_result_without_doubt_is_looked_at_where_anchors_are_farthest_apart():
    assert next_slice(result([50] * 30, 1.0, anchors=(0, 8, 29))) == 18


@pytest.mark.parametrize(("end", "beyond"), [(4, 3), (15, 16)])
def test_an_end_can_be_proposed_and_the_slice_beyond_it_and_none_further_out(end, beyond):
    areas = [50 if 4 <= index <= 15 else 0 for index in range(20)]
    further = dict.fromkeys((0, 1, 2, 17, 18, 19), 0.0)
    assert next_slice(result(areas, further | {end: 0.1}, anchors=(9,))) == end
    assert next_slice(result(areas, further | {beyond: 0.1}, anchors=(9,))) == beyond


def test_a_slice_beyond_the_end_that_is_surely_empty_or_out_of_range_is_not_proposed():
    areas = [0, 50, 50, 50, 0]
    sure = {0: 1.0, 4: 1.0}
    proposed = [next_slice(result(areas, sure, anchors=anchors)) for anchors in [(2,), (2, 1), (1, 2, 3)]]
    assert proposed == [1, 3, None]


def test_an_empty_anchor_ends_what_is_looked_at():
    """What was said to be absent bounds the stretch: neither it nor what lies behind it is proposed."""
    areas = [0] * 5 + [50] * 10 + [0] * 5
    found = [next_slice(result(areas, {15: 0.0, 4: 0.0}, anchors=anchors)) for anchors in [(10, 15), (4, 10, 15)]]
    assert found[0] == 4
    assert 5 <= found[1] <= 14


def test_a_hole_between_anchors_is_worth_what_lies_around_it():
    areas = [60] * 5 + [0] * 5 + [60] * 5
    assert next_slice(result(areas, dict.fromkeys(range(5, 10), 0.5), anchors=(0, 14))) == 7


def test_thin_slices_have_a_wider_reach():
    """Two doubtful slices that are near in mm outweigh one that is a little more so; far apart they do not."""
    doubtful = result([50] * 12, {1: 0.3, 8: 0.38, 10: 0.38}, anchors=(0, 5, 11))
    assert next_slice(doubtful, spacing_across=5.0) == 1
    assert next_slice(doubtful, spacing_across=0.5) in (8, 9, 10)


def test_every_slice_worth_a_look_is_proposed_once_and_then_none():
    areas = [0, 0, 10, 30, 50, 50, 40, 20, 0, 0]
    anchors = [4]
    while (index := next_slice(result(areas, anchors=tuple(anchors)))) is not None:
        assert index not in anchors
        anchors.append(index)
    assert sorted(anchors) == list(range(1, 9))


def test_nothing_found_gives_no_proposal():
    assert next_slice(result([0] * 6, 0.1)) is None


def test_the_result_is_not_changed():
    found = result([50] * 9, {2: 0.1}, anchors=(4,))
    mask, confidence = found.mask.copy(), found.slice_confidence.copy()
    next_slice(found)
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_array_equal(found.slice_confidence, confidence)
