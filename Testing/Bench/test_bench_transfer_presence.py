"""Which part of a volume is left when an organ is taken out, and what is said of it."""

import numpy as np
import pytest
from transfer_accuracy import TransferRecord
from transfer_presence import Absence, lines, part_of, without

from FewShotSegmentLib.images.geometry import Geometry


@pytest.mark.parametrize(
    ("slices", "count", "expected"),
    [((3, 4, 5), 20, (7, 20)), ((12, 13), 20, (0, 11)), (range(20), 20, (0, 0)), ((0, 19), 20, (0, 0))],
)
def test_the_longer_part_without_the_organ_and_the_slice_beside_it(slices, count, expected):
    first, end = without(np.array(list(slices)), count)
    assert (first, end) == expected or end - first == expected[1] - expected[0] == 0


def test_the_part_lies_where_it_lay():
    whole = Geometry((20, 4, 5), np.array([[1.0, 0, 0.5, 7], [0, 2, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]))
    part = part_of(whole, 6, 11)
    assert part.shape == (5, 4, 5)
    np.testing.assert_allclose(part.ijk_to_lps @ [1, 2, 0, 1], whole.ijk_to_lps @ [1, 2, 6, 1])


def test_what_is_said():
    records = [TransferRecord("heart", "a", "b", "LV", 5), TransferRecord("heart", "b", "c", "LV", 5)]
    records[1].remarks.append("full pipeline, one: said not to be found")
    first, second = lines(records, [Absence("a → b LV", 7, False, 0.2), Absence("b → c LV", 9, True, 0.61)])
    assert (
        "of 2 structures that are there 1 were found" in first and "of 2 volumes" in first and ", 1 were said" in first
    )
    assert second == "taken for found: b → c LV (confidence 0.61)"
