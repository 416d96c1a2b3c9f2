"""How far an organ may be carried from its anchors, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from FewShotSegmentLib import Settings
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.preprocessing.intensity import IntensityScale
from FewShotSegmentLib.support import Support, SupportSlice
from FewShotSegmentLib.transfer.extent import likely_range

SETTINGS = Settings(extent_diameters=0.9, extent_spans=0.6)
SPACING = (5.0, 1.0, 1.0)


def support(indices, spacing=5.0, count=60):
    grid = Geometry((1, 4, 4), np.diag([1.0, 1.0, spacing, 1.0]))
    slices = [SupportSlice(np.zeros((4, 4), np.float32), np.ones((4, 4), bool), grid, i, count) for i in indices]
    scale = IntensityScale(0.0, 1.0, 0.0, 1.0)
    return Support("organ", (1.0, 0.0, 0.0), {}, "ct", scale, tuple(slices), "0" * 16, None, "2024-05-06")


def box(rows, columns):
    mask = np.zeros((64, 64), bool)
    mask[:rows, :columns] = True
    return mask


def test_a_disc_of_the_same_area():
    # 400 mm² make a disc of 22.57 mm; 0.9 of that is 20.3 mm, four slices of 5 mm
    assert likely_range({20: box(20, 20)}, [support([3])], 60, SPACING, SETTINGS) == (16, 24)


def test_from_the_outermost_anchors_and_the_largest_area():
    anchors = {10: box(2, 2), 15: box(20, 20), 21: box(3, 3)}
    assert likely_range(anchors, [support([3])], 60, SPACING, SETTINGS) == (6, 25)


def test_pixels_are_counted_in_mm():
    # 100 pixels of 2 × 4 mm are 800 mm²: a disc of 31.92 mm; 0.5 of that are 15.96 mm, four slices of 4 mm
    settings = replace(SETTINGS, extent_diameters=0.5)
    assert likely_range({20: box(10, 10)}, [support([3])], 60, (4.0, 2.0, 4.0), settings) == (16, 24)


def test_never_beyond_the_volume():
    assert likely_range({2: box(40, 40)}, [support([3])], 12, SPACING, SETTINGS) == (0, 10)
    assert likely_range({9: box(40, 40)}, [support([3])], 12, SPACING, SETTINGS) == (1, 11)
    assert likely_range({0: box(4, 4)}, [support([3])], 1, SPACING, SETTINGS) == (0, 0)


def test_the_next_slice_is_always_allowed():
    assert likely_range({20: box(1, 1)}, [support([3])], 60, SPACING, SETTINGS) == (19, 21)


def test_distance_between_a_supports_outermost_slices():
    # 20.3 mm less half of 15 mm are 12.8 mm; 0.6 × 15 mm and one slice are more, 14 mm: three slices of 5 mm
    assert likely_range({20: box(20, 20)}, [support([3, 6])], 60, SPACING, SETTINGS) == (17, 23)
    # in the support's own mm: three slices of 2 mm are 6 mm; 20.3 mm less 3 mm are 17.3 mm
    assert likely_range({20: box(20, 20)}, [support([3, 6], 2.0)], 60, SPACING, SETTINGS) == (17, 23)
    # the most generous of several supports; one with a single slice says nothing
    three = [support([3, 4]), support([9, 12]), support([7])]
    assert likely_range({20: box(20, 20)}, three, 60, SPACING, SETTINGS) == (17, 23)


def test_two_neighbouring_slices_hardly_shorten_an_organ():
    one = likely_range({20: box(40, 40)}, [support([3])], 60, SPACING, SETTINGS)
    two = likely_range({20: box(40, 40)}, [support([3, 4])], 60, SPACING, SETTINGS)
    assert one == (12, 28) and two == (12, 28)


def test_a_large_distance_allows_no_more_than_the_disc():
    assert likely_range({20: box(20, 20)}, [support([3, 30])], 60, SPACING, SETTINGS) == (16, 24)


def test_an_organ_annotated_slice_by_slice_shows_its_ends():
    whole = support(range(10, 16), 4.0)  # 20 mm between its ends
    anchors = {20: box(20, 20), 22: box(20, 20)}
    # 10 mm of it are found; 5 mm on either side and one slice are two
    assert likely_range(anchors, [whole], 60, SPACING, SETTINGS) == (18, 24)
    # all of it and more is found: one slice
    anchors = {20: box(20, 20), 27: box(20, 20)}
    assert likely_range(anchors, [whole], 60, SPACING, SETTINGS) == (19, 28)
    # every other slice is as good
    sparse = support(range(10, 21, 2), 2.0)
    assert likely_range({20: box(20, 20), 22: box(20, 20)}, [sparse], 60, SPACING, SETTINGS) == (18, 24)


@pytest.mark.parametrize("other", [support([5]), support([10, 14, 18, 22, 26], 4.0), support([10, 11, 12, 13], 4.0)])
def test_unless_another_support_does_not(other):
    whole = support(range(10, 16), 4.0)
    anchors = {20: box(20, 20), 27: box(20, 20)}
    assert likely_range(anchors, [whole, other], 60, SPACING, SETTINGS)[0] < 19
