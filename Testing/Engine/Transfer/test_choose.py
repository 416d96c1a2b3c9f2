"""Slices that become anchors: in their order, at their distances, from volumes that are sure."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from FewShotSegmentLib import Settings
from FewShotSegmentLib.transfer.choose import choose_slices
from FewShotSegmentLib.transfer.frame import FramedSlice
from FewShotSegmentLib.transfer.locate import Sighting

SPACING = 3.0
PLAIN = Settings(body_weight=0.0, order_weight=0.1, volumes_within=0.1, anchors_within=0.2)


def sighting(scores, offset=0.0, support=0, place=0.5, index=0):
    framed = FramedSlice(torch.zeros(4, 4), torch.ones(4, 4), place, offset, support, index)
    scores = torch.as_tensor(scores, dtype=torch.float32)
    return Sighting(framed, scores, torch.zeros(len(scores), 2, dtype=torch.long))


def peak(at, height=0.8, count=12, floor=0.1):
    scores = np.full(count, floor)
    scores[at] = height
    return scores


def chosen(sightings, settings=PLAIN, spacing=SPACING):
    return [(c.index, round(c.score, 4)) for c in choose_slices(sightings, spacing, settings)]


def test_one_slice_goes_where_it_matches_best():
    assert chosen([sighting(peak(7))]) == [(7, 0.8)]


def test_the_first_of_equals():
    assert chosen([sighting(np.full(5, 0.4))]) == [(0, 0.4)]


def test_a_volumes_slices_at_their_own_peaks_where_these_are_in_order():
    found = choose_slices([sighting(peak(i), 3.0 * i) for i in (8, 2, 5)], SPACING, PLAIN)
    assert [(c.index, c.sighting.framed.offset) for c in found] == [(2, 6.0), (5, 15.0), (8, 24.0)]


def test_order_is_never_turned_round():
    # each by itself would be found in the other's place
    first, second = peak(9, 0.9), peak(2, 0.6)
    first[3], second[6] = 0.5, 0.55
    found = choose_slices([sighting(first, 0.0), sighting(second, 9.0)], SPACING, replace(PLAIN, anchors_within=9))
    offsets = {c.sighting.framed.offset: c.index for c in found}
    assert offsets[0.0] <= offsets.get(9.0, 99)
    # 3 and 6: 0.5 + 0.55; 9 and anything from there on: 0.9 + 0.1 less 0.1 × (at least) what the distance differs by
    assert [(c.index, c.score) for c in found] == [(3, pytest.approx(0.5)), (6, pytest.approx(0.55))]


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_assignments(seed, weight):
    """Dynamic programming against trying them all."""
    rng = np.random.default_rng(seed)
    count, offsets = 7, (0.0, 4.0, 13.0)
    scores = rng.random((3, count)).astype(np.float32).astype(float)

    def worth(places):
        total = sum(scores[i, p] for i, p in enumerate(places))
        for i in (0, 1):
            step, wanted = (places[i + 1] - places[i]) * SPACING, offsets[i + 1] - offsets[i]
            if step < 0:
                return -np.inf
            total -= weight * min(1.0, abs(step - wanted) / max(wanted, SPACING))
        return total

    best = max(product(range(count), repeat=3), key=worth)
    settings = replace(PLAIN, order_weight=weight, anchors_within=9)
    own = [sighting(s, o) for s, o in zip(scores, offsets, strict=True)]
    assert {c.index for c in choose_slices(own, SPACING, settings)} == set(best)


def test_distance_weighs_only_so_much():
    # 5 slices off costs the whole weight and no more: a much better match is taken all the same
    far = [sighting(peak(0), 0.0), sighting(peak(11, 0.8, floor=0.65), 3.0)]
    assert chosen(far, replace(PLAIN, order_weight=0.1)) == [(0, 0.8), (11, 0.8)]
    assert chosen(far, replace(PLAIN, order_weight=0.2)) == [(0, 0.8), (1, 0.65)]


def test_slices_of_a_finer_support_may_share_a_slice_which_is_taken_once():
    assert chosen([sighting(peak(4), 0.0), sighting(peak(4), 1.0)]) == [(4, 0.8)]


@pytest.mark.parametrize(("weak", "kept"), [(0.72, [3, 7]), (0.68, [3])])
def test_a_volume_that_is_much_less_sure_has_no_say(weak, kept):
    both = [sighting(peak(3, 0.8), support=0), sighting(peak(7, weak), support=1)]
    for sightings in (both, both[::-1]):
        assert [index for index, _ in chosen(sightings)] == kept


def test_volumes_are_ordered_each_for_itself():
    # the second volume's slices lie the other way along the first one's offsets, which says nothing
    own = [sighting(peak(2), 0.0, 0), sighting(peak(8), 18.0, 0), sighting(peak(5), 100.0, 1)]
    assert [index for index, _ in chosen(own)] == [2, 5, 8]


@pytest.mark.parametrize(("weak", "kept"), [(0.61, [2, 5]), (0.59, [2])])
def test_a_slice_that_matches_much_worse_becomes_no_anchor(weak, kept):
    own = [sighting(peak(2, 0.8), 0.0), sighting(peak(5, weak), 9.0)]
    assert [index for index, _ in chosen(own)] == kept


def test_of_two_volumes_on_one_slice_the_surer_stays():
    found = choose_slices([sighting(peak(4, 0.75), support=0), sighting(peak(4, 0.8), support=1)], SPACING, PLAIN)
    assert [(c.index, c.sighting.framed.support) for c in found] == [(4, 1)]


@pytest.mark.parametrize("supports", [(0, 0, 0), (0, 0, 1)])
def test_of_two_choices_on_one_slice_the_surer_stays(supports):
    scores = [peak(2, 0.9), peak(5, 0.75), peak(5, 0.8)]
    own = [sighting(s, 9.0 * i, n) for i, (s, n) in enumerate(zip(scores, supports, strict=True))]
    settings = replace(PLAIN, order_weight=0.0)
    assert chosen(own, settings) == [(2, 0.9), (5, 0.8)]


def test_place_along_the_body():
    settings = replace(PLAIN, body_weight=0.1, body_reach=0.2)
    flat = [sighting(np.full(11, 0.5), place=0.7)]
    assert chosen(flat, settings) == [(7, 0.5)]
    twins = np.full(11, 0.1)
    twins[[2, 8]] = 0.5
    # the far twin loses 0.1 × (1 − exp(−0.6² / (2 · 0.2²)))
    assert chosen([sighting(twins, place=0.8)], settings) == [(8, 0.5)]
    twins[2] = 0.7
    assert chosen([sighting(twins, place=0.8)], settings) == [(2, round(0.7 - 0.1 * (1 - np.exp(-4.5)), 4))]


def test_one_slice_in_the_query():
    own = [sighting([0.5], 0.0), sighting([0.6], 9.0)]
    assert [index for index, _ in chosen(own)] == [0]
