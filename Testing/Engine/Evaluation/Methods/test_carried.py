"""Methods without learning within a volume: copy, demons and optical flow; runs, ends and corrections."""

import numpy as np
import pytest
from scipy import ndimage

from FewShotSegmentLib.evaluation.method import Within
from FewShotSegmentLib.evaluation.methods.base import Anew, keep_anchors, soft_tissue, to_grey, widest_gap
from FewShotSegmentLib.evaluation.methods.chain import carry
from FewShotSegmentLib.evaluation.methods.copy_slice import CopySlice
from FewShotSegmentLib.evaluation.methods.demons import Demons, displacement, warp
from FewShotSegmentLib.evaluation.methods.flow import FlowChain
from FewShotSegmentLib.evaluation.methods.histograms import refine


@pytest.fixture(scope="module", params=[Demons, FlowChain], ids=["demons", "flow"])
def carried(request, recipe):
    return request.param(recipe(request.param.__name__.lower()))


def anchors(mask, *indices):
    return {z: mask[z] for z in indices}


def steps(calls=None, factor=1.0):
    """Carries a mask as it is, times a factor."""

    def step(source, target, fraction):
        if calls is not None:
            calls.append((source, target))
        return fraction * np.float32(factor)

    return step


def test_copy_takes_the_nearest_annotated_slice(recipe, moving):
    volume, mask = moving
    found = CopySlice(recipe("copy")).within(Within(volume, anchors(mask, 2, 7))).mask
    assert found.dtype == bool and found.shape == mask.shape
    assert all((found[z] == mask[2 if z < 5 else 7]).all() for z in range(12))


def test_copy_stays_within_the_range(recipe, moving):
    volume, mask = moving
    found = CopySlice(recipe("copy")).within(Within(volume, anchors(mask, 5), (3, 8))).mask
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [3, 4, 5, 6, 7, 8]


def test_a_moving_disc_is_followed(carried, recipe, moving, dice):
    volume, mask = moving
    found = carried.within(Within(volume, anchors(mask, 4))).mask
    copied = CopySlice(recipe("copy")).within(Within(volume, anchors(mask, 4))).mask
    assert dice(copied, mask) < 0.75
    assert dice(found, mask) > 0.9
    assert (found[4] == mask[4]).all()


def test_more_anchors_are_kept_and_help(carried, moving, dice):
    volume, mask = moving
    drawn = anchors(mask, 1, 6, 10)
    found = carried.within(Within(volume, drawn)).mask
    assert all((found[z] == drawn[z]).all() for z in drawn)
    assert dice(found, mask) > 0.94


def test_answers_are_the_same_at_every_call(carried, moving):
    volume, mask = moving
    question = Within(volume, anchors(mask, 4))
    first, second = carried.within(question).mask, carried.within(question).mask
    assert (first == second).all()
    other = Within(type(volume)(volume.image, volume.geometry, volume.modality), anchors(mask, 4))
    assert (carried.within(other).mask == first).all()


def test_an_empty_anchor_ends_a_run(carried, moving):
    volume, mask = moving
    nothing = np.zeros(mask.shape[1:], bool)
    found = carried.within(Within(volume, {5: mask[5], 9: nothing})).mask
    assert not found[9:].any()
    assert found[:7].any(axis=(1, 2)).all()


def test_small_slices_can_be_carried(carried, make_volume):
    image = np.zeros((3, 9, 7), np.float32)
    image[:, 2:6, 2:5] = 50
    found = carried.within(Within(make_volume(image), {1: image[1] > 0})).mask
    assert (found[1] == (image[1] > 0)).all()


def test_a_volume_without_contrast_gives_the_copy(carried, make_volume):
    image = np.full((3, 20, 20), 7, np.int16)
    drawn = np.zeros((20, 20), bool)
    drawn[5:15, 5:15] = True
    found = carried.within(Within(make_volume(image), {1: drawn})).mask
    assert np.count_nonzero(found ^ drawn) <= 8  # corners may be rounded


def test_runs_go_on_until_nothing_is_left(moving):
    volume, mask = moving
    calls = []
    found = carry(Within(volume, anchors(mask, 4)), steps(calls, 0.75), blend=True)
    # 0.75, 0.56, then 0.42
    assert calls == [(4, 3), (3, 2), (2, 1), (4, 5), (5, 6), (6, 7)]
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]


def test_between_anchors_both_runs_are_mixed_by_distance(moving):
    volume, mask = moving
    left, right = np.zeros(mask.shape[1:], bool), np.zeros(mask.shape[1:], bool)
    left[:, :30], right[:, 20:] = True, True
    found = carry(Within(volume, {2: left, 6: right}, (2, 6)), steps(), blend=True)
    assert (found[3] == left).all()
    assert (found[4] == (left & right)).all()  # one half is not more than one half
    assert (found[5] == right).all()


def test_a_run_that_ends_early_leaves_the_other_alone(moving):
    volume, _ = moving
    whole = np.ones(volume.image.shape[1:], bool)
    nothing = np.zeros_like(whole)
    up = carry(Within(volume, {2: whole, 7: nothing}, (2, 7)), steps(), blend=True)
    down = carry(Within(volume, {2: nothing, 7: whole}, (2, 7)), steps(), blend=True)
    assert np.flatnonzero(up.any(axis=(1, 2))).tolist() == [2, 3, 4]
    assert np.flatnonzero(down.any(axis=(1, 2))).tolist() == [5, 6, 7]


def test_without_blending_each_slice_has_the_nearer_anchor(moving):
    volume, mask = moving
    calls = []
    found = carry(Within(volume, anchors(mask, 2, 6), (1, 7)), steps(calls), blend=False)
    assert calls == [(2, 1), (2, 3), (3, 4), (6, 5), (6, 7)]
    assert (found[4] == mask[2]).all() and (found[5] == mask[6]).all()
    assert not found[0].any() and not found[8:].any()


def test_demons_find_a_shift(moving):
    volume, mask = moving
    source = to_grey(volume.image[4], (0, 300))
    target = np.roll(source, 2, axis=1)
    field = displacement(source, target)
    assert field.shape == (56, 60, 2) and field.dtype == np.float32
    inside = np.roll(mask[4], 2, axis=1)
    assert np.median(field[..., 0][inside]) == pytest.approx(-2, abs=1)
    shift = np.zeros((56, 60, 2), np.float32)
    shift[..., 0] = -2
    assert (warp(mask[4].astype(np.float32), shift)[:, 2:] == mask[4][:, :-2]).all()


@pytest.fixture(scope="module")
def blurred():
    """(grey, disc, fraction): a bright disc, and what a flow that was wrong by a pixel has made of it."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:60, :60]
    disc = (y - 30) ** 2 + (x - 30) ** 2 < 225
    grey = np.clip(np.where(disc, 160, 60) + rng.normal(0, 8, disc.shape), 0, 255).astype(np.uint8)
    fraction = ndimage.gaussian_filter(np.roll(disc, 1, axis=1).astype(np.float32), 1.5)
    return grey, disc, fraction


@pytest.mark.parametrize("apart", [3.0, 8.0])
def test_histograms_mend_a_contour(blurred, dice, apart):
    grey, disc, fraction = blurred
    before = fraction.copy()
    mended = refine(grey, fraction, apart)
    assert dice(fraction > 0.5, disc) < 0.96
    assert dice(mended > 0.5, disc) > 0.98
    assert mended.min() >= 0 and mended.max() <= 1 and mended.dtype == np.float32
    assert (fraction == before).all()


def test_areas_change_only_between_slices_far_apart(blurred):
    grey, disc, _ = blurred
    small = ndimage.gaussian_filter(ndimage.binary_erosion(disc).astype(np.float32), 1.5)
    area = np.count_nonzero(small > 0.5)
    near, far = (np.count_nonzero(refine(grey, small, apart) > 0.5) for apart in (5.9, 6.0))
    assert near == area
    assert area < far <= np.count_nonzero(disc) * 1.02


def test_new_parts_are_left_out(blurred):
    grey, _, fraction = blurred
    beside = fraction.copy()
    beside[4:7, 4:7] = 0.45  # nearly inside, on its own
    found = refine(np.where(beside == 0.45, 160, grey).astype(np.uint8), beside)
    assert not (found[:10, :10] > 0.5).any()
    assert (found[30, 25:35] > 0.5).all()


def test_histograms_leave_what_has_no_contour():
    grey = np.zeros((12, 14), np.uint8)
    for fraction in (np.zeros((12, 14), np.float32), np.ones((12, 14), np.float32)):
        assert (refine(grey, fraction) == fraction).all()


def test_ct_is_clipped_to_soft_tissue_and_mr_is_not(make_volume):
    image = np.array([[[-1000, 0, 900]]], np.int16)
    assert soft_tissue(make_volume(image, "ct")).tolist() == [[[-160, 0, 240]]]
    assert soft_tissue(make_volume(image, "mr")).tolist() == [[[-1000, 0, 900]]]


def test_anchors_beyond_the_range_are_kept(moving):
    volume, mask = moving
    found = keep_anchors(np.ones(mask.shape, bool), Within(volume, anchors(mask, 1), (3, 5)))
    assert [bool(found[z].all()) for z in range(12)] == [False] * 3 + [True] * 3 + [False] * 6
    assert (found[1] == mask[1]).all()


@pytest.mark.parametrize(
    ("held", "given", "expected"),
    [
        ([], [], None),
        ([5], [5], 4),
        ([3, 4, 5, 6, 7], [5], 3),  # 2 to 4 and 6 to 8: the lower of two
        ([3, 4, 5, 6, 7], [3, 7], 5),
        ([0, 1], [0, 1, 2], None),
        ([8, 9], [7, 8], 9),  # there is none behind the last
        (list(range(10)), [], 4),
    ],
)
def test_the_middle_of_the_widest_gap(held, given, expected):
    assert widest_gap(np.array(held, int), given, 10) == expected


def test_a_reading_carries_anew_and_proposes_the_gap(recipe, moving):
    volume, mask = moving
    method = CopySlice(recipe("copy"))
    reading = method.read(volume)
    assert isinstance(reading, Anew)
    assert reading.propose() is None
    drawn = anchors(mask, 3)
    answer = reading.annotate(drawn, 3)
    assert (answer.mask == method.within(Within(volume, drawn)).mask).all()
    assert reading.propose() == 7  # 4 to 11
    drawn[7] = mask[7]
    assert (reading.annotate(drawn, 7).mask[8] == mask[7]).all()
    assert reading.propose() == 9
