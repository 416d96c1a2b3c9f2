"""Towards an open end: what has begun to taper goes on tapering."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib.propagation.taper import Taper, shrink
from FewShotSegmentLib.settings import Settings

SETTINGS = Settings(taper_below=0.8, taper_steepening=1.0, taper_absence=0.0, taper_span=0.1, taper_doubt=0.0)


def ellipsoid(distance, half_length=20.0, area=1000.0):
    return area * max(0.0, 1 - (distance / half_length) ** 2)


def test_what_keeps_its_area_is_not_bounded():
    taper = Taper(100.0, 1.0, 1.0, SETTINGS)
    for distance in range(1, 60):
        assert taper.bound(distance, 1.0) == math.inf
        taper.add(distance, 100.0)
    # nor what grows, or falls little
    taper.add(60, 140.0)
    taper.add(61, 120.0)
    assert taper.bound(62, 1.0) == math.inf


def test_ups_and_downs_of_a_tube_are_no_taper():
    """A vessel of 30 pixels whose area swings by a third; a ball with such an area would have ended."""
    taper = Taper(30.0, 1.0, 1.0, SETTINGS)
    for distance in range(1, 80):
        area = 25.0 + 5 * math.sin(distance / 2)
        # within a diameter (6 pixels) it could still be a ball
        assert distance < 8 or taper.bound(distance, 1.0) >= area
        taper.add(distance, area)


def test_a_slow_fall_after_a_fast_one_is_bounded_and_ends():
    """As registration leaves it: an ellipsoid up to 15, then a mask that shrinks by 5 % a slice and never ends."""
    taper = Taper(1000.0, 1.0, 1.0, SETTINGS)
    for distance in range(1, 16):
        taper.add(distance, ellipsoid(distance))
    area, distance = ellipsoid(15), 15
    while area:
        distance += 1
        area = min(0.95 * area, taper.bound(distance, 1.0))
        assert area >= ellipsoid(distance)  # an ellipsoid would have lost as much or more
        taper.add(distance, area)
    assert 20 <= distance <= 30


def test_a_true_ellipsoid_is_left_as_it_is():
    taper = Taper(1000.0, 1.0, 1.0, SETTINGS)
    for distance in range(1, 20):
        assert taper.bound(distance, 1.0) >= ellipsoid(distance)
        taper.add(distance, ellipsoid(distance))


def test_two_annotated_slices_tell_of_the_taper_at_once():
    start, inner = ellipsoid(10), ellipsoid(0)
    assert Taper(start, 1.0, 1.0, SETTINGS).bound(11, 1.0) == math.inf
    bounded = Taper(start, 1.0, 1.0, SETTINGS, (10.0, inner)).bound(1.0, 1.0)
    # an ellipsoid's fall at the outer slice is twice the mean between both
    assert bounded == pytest.approx(start - 2 * (inner - start) / 10)
    # where the outer one is as large as the inner one, or larger, nothing tapers
    assert Taper(inner, 1.0, 1.0, SETTINGS, (10.0, start)).bound(1.0, 1.0) == math.inf


def test_two_slices_close_together_tell_of_the_fall_there():
    """Near the end of an ellipsoid: twice the fall between 16 and 18 of 20 would leave nothing of 19's."""
    outer, inner = ellipsoid(18), ellipsoid(16)
    bounded = Taper(outer, 1.0, 1.0, SETTINGS, (2.0, inner)).bound(1.0, 1.0)
    assert 0.7 * ellipsoid(19) <= bounded < outer
    assert outer - (inner - outer) < 0.5 * ellipsoid(19)


def test_doubt_in_its_presence_makes_it_end_sooner():
    taper = Taper(750.0, 1.0, 1.0, replace(SETTINGS, taper_absence=4.0), (10.0, 1000.0))
    assert taper.bound(1.0, 1.0) == pytest.approx(700.0)
    assert taper.bound(1.0, 0.75) == pytest.approx(650.0)
    assert taper.bound(1.0, 0.0) == pytest.approx(500.0)


def test_a_few_pixels_more_or_less_are_no_taper():
    doubting = replace(SETTINGS, taper_doubt=1.0)
    # 4 of 9 pixels lost: 2 beyond what the border explains; of 4000 of 9000 nearly all
    few = Taper(5.0, 1.0, 1.0, doubting, (10.0, 9.0))
    many = Taper(5000.0, 1.0, 1.0, doubting, (100.0, 9000.0))
    assert few.bound(1.0, 1.0) == pytest.approx(5 - 2 * (4 - 3) / 10)
    assert many.bound(1.0, 1.0) == pytest.approx(5000 - 2 * (4000 - math.sqrt(9000)) / 100)
    # coarse pixels are fewer
    coarse = Taper(5000.0, 1.0, 100.0, doubting, (100.0, 9000.0))
    assert coarse.bound(1.0, 1.0) > many.bound(1.0, 1.0)


def test_what_was_cut_is_no_fall_of_the_structure():
    """Else each cut would make the next one larger, and a clear ellipsoid would lose its ends."""
    areas = {}
    for told in (True, False):
        taper = Taper(700.0, 1.0, 1.0, replace(SETTINGS, taper_steepening=1.2), (10.0, 1000.0))
        for distance in range(1, 8):
            areas[told] = taper.bound(distance, 1.0)
            taper.add(distance, areas[told], cut=told)
    # 60 a slice, 1.2 times as fast each time, seven times
    assert areas[True] == pytest.approx(700 - 7 * 72)
    assert areas[False] < areas[True]


def test_a_trace_is_an_end():
    taper = Taper(100.0, 1.0, 1.0, SETTINGS, (4.0, 1000.0))
    assert taper.bound(1.0, 1.0) == 0.0


def test_shrink_keeps_the_likeliest_pixels():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 1, 40, 40, generator=generator) + 1
    smaller = shrink(logits, 300)
    assert abs(int((smaller > 0).sum()) - 300) <= 1
    kept, lost = logits[(smaller > 0)].mean(), logits[(smaller <= 0) & (logits > 0)].mean()
    assert kept > lost + 1


def test_of_equally_likely_pixels_those_at_the_border_go():
    rows, columns = np.mgrid[:40, :40]
    disc = torch.from_numpy(((rows - 20) ** 2 + (columns - 20) ** 2 < 15**2).astype(np.float32))[None, None]
    smaller = shrink((disc - 0.5) * 10, 500) > 0
    assert abs(int(smaller.sum()) - 500) < 30
    assert not bool((smaller & (disc < 0.5)).any())
    distance = torch.from_numpy(np.hypot(rows - 20, columns - 20))
    assert float(distance[smaller[0, 0]].max()) < 14


def test_shrinking_to_a_single_pixel():
    logits = torch.full((1, 1, 9, 9), -5.0)
    logits[0, 0, 4, 4] = 3.0
    assert (shrink(logits, 1) > 0).nonzero().tolist() == [[0, 0, 4, 4]]
