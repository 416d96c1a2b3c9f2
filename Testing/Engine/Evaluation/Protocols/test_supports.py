"""Which slices are annotated, and what each slice of another scan is compared with."""

import numpy as np
import pytest

from FewShotSegmentLib.evaluation.protocols.supports import (
    anchor_slices,
    annotated,
    compared_slices,
    middle_slice,
    organ_slices,
    support_slices,
)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (20,)), (2, (12, 18)), (3, (12, 15, 18)), (5, (10, 12, 15, 18, 20))],
)
def test_anchors_of_eleven_slices_lie_at_the_places_that_are_told(count, expected):
    slices = np.arange(10, 21)
    assert anchor_slices(slices, count) == ((15,) if count == 1 else expected)


def test_an_even_number_of_slices_has_its_upper_middle_one():
    assert middle_slice(np.array([4, 5, 6, 7])) == 6


def test_gaps_in_an_organ_do_not_count():
    assert anchor_slices(np.array([0, 1, 2, 50, 51]), 3) == (1, 2, 50)


def test_places_fall_together_on_four_slices():
    assert anchor_slices(np.arange(4), 3) == (1, 2)


def test_support_slices_are_the_published_ones():
    for count in range(1, 300):
        slices = np.arange(7, 7 + count)
        assert support_slices(slices) == tuple(7 + int(p * count) for p in (1 / 6, 1 / 2, 5 / 6))
    assert support_slices(np.arange(10), 1) == (5,)
    assert support_slices(np.arange(10), 5) == (1, 3, 5, 7, 9)
    assert support_slices(np.array([3, 4])) == (3, 4, 4)


def test_query_slices_are_compared_with_the_slice_of_their_part():
    found = compared_slices(np.arange(2, 12), 14, (100, 200, 300))
    assert found.tolist() == [-1, -1, 100, 100, 100, 200, 200, 200, 300, 300, 300, 300, -1, -1]


def test_parts_are_those_of_the_published_formula():
    for first, last in [(0, 1), (3, 10), (2, 40), (5, 6), (1, 28)]:
        found = compared_slices(np.arange(first, last + 1), last + 3, (0, 1, 2))
        for z in range(first, last + 1):
            assert found[z] == min(int((z - first) / ((last - first) / 3)), 2)


def test_an_organ_on_one_slice_is_compared_with_the_middle_part():
    assert compared_slices(np.array([4]), 6, (0, 1, 2)).tolist() == [-1, -1, -1, -1, 1, -1]


def test_annotated_slices_are_copies():
    reference = np.zeros((5, 4, 4), bool)
    reference[2, 1:3, 1:3] = True
    anchors = annotated(reference, [2])
    assert anchors[2].base is None and (anchors[2] == reference[2]).all()
    assert organ_slices(reference).tolist() == [2]
