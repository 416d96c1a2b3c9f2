"""Metrics of hand-made shapes whose values are known exactly."""

import sys
import warnings
from math import inf, sqrt

import numpy as np
import pytest

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation.metrics import measure, profile, slice_pairs
from FewShotSegmentLib.evaluation.row import METRICS

SPACING = (3.0, 1.0, 2.0)
"""With it the surface element at a voxel's corner has 0.875 mm²."""
OVERLAP = ("dice", "dice_extent", "iou", "precision", "recall", "volume_error")
SURFACE = ("hausdorff_mm", "hd95_mm", "asd_mm", "nsd")


def box(low, high, shape=(7, 8, 9)):
    """Bool mask of the voxels from `low` up to, not including, `high`."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def columns(*heights, width=10):
    """One slice for each number, with so many voxels in its only row."""
    mask = np.zeros((len(heights), 1, width), bool)
    for plane, height in zip(mask, heights, strict=True):
        plane[0, :height] = True
    return mask


def values(found, names):
    return tuple(found[name] for name in names)


NOTHING = box((0, 0, 0), (0, 0, 0))
CUBE = box((2, 2, 2), (4, 4, 4))


def test_all_metrics_come_in_the_order_of_tables_and_as_plain_floats():
    found = measure(CUBE, box((3, 2, 2), (5, 4, 4)), SPACING)
    assert tuple(found) == METRICS
    assert {type(value) for value in found.values()} == {float}


def test_masks_are_not_changed_and_may_be_read_only():
    a, b = CUBE.copy(), box((3, 2, 2), (5, 4, 4))
    a.setflags(write=False)
    b.setflags(write=False)
    assert measure(a, b, SPACING, given=[3], scope="extent") == measure(a, b, SPACING, given=[3], scope="extent")
    np.testing.assert_array_equal(a, CUBE)


@pytest.mark.parametrize(
    "mask", [CUBE, box((0, 0, 0), (7, 8, 9)), box((0, 7, 3), (7, 8, 4)), box((6, 7, 8), (7, 8, 9))]
)
def test_identical_masks_are_perfect_wherever_they_touch_the_border(mask):
    found = measure(mask, mask, SPACING, tolerance_mm=0)
    assert found == dict.fromkeys(("dice", "dice_extent", "iou", "precision", "recall", "nsd"), 1.0) | dict.fromkeys(
        ("hausdorff_mm", "hd95_mm", "asd_mm", "volume_error"), 0.0
    )


@pytest.mark.parametrize(("axis", "mm"), [(0, 3.0), (1, 1.0), (2, 2.0)])
def test_single_voxels_one_apart_share_half_of_their_corners(axis, mm):
    """Four corners of each voxel are the other's too, and four are one voxel's size away, along that axis."""
    here, there = [3, 3, 3], [3, 3, 3]
    there[axis] += 1
    masks = [box(low, [i + 1 for i in low]) for low in (here, there)]
    found = measure(*masks, SPACING, tolerance_mm=mm - 0.01)
    assert values(found, SURFACE) == (mm, mm, pytest.approx(mm / 2, rel=1e-12), pytest.approx(0.5, rel=1e-12))
    assert values(found, ("dice", "iou", "precision", "recall", "volume_error")) == (0, 0, 0, 0, 0)
    assert measure(*masks, SPACING, tolerance_mm=mm)["nsd"] == 1


def test_a_cube_shifted_by_one_slice():
    """The lower face is 3 mm from the other cube's, the upper one's middle 1 mm from its side; the rest is shared."""
    found = measure(box((3, 2, 2), (5, 4, 4)), CUBE, SPACING)
    corner, along_x, along_y, along_z = 0.875, 2 * sqrt(1.5**2 + 0.5**2), sqrt(1.5**2 + 1), 3 * sqrt(0.5**2 + 1)
    face = 4 * corner + 2 * along_x + 2 * along_y + 1 * 2
    whole = 8 * corner + 4 * (along_x + along_y + along_z) + 2 * (1 * 2 + 3 * 1 + 3 * 2)
    assert found["hausdorff_mm"] == found["hd95_mm"] == 3
    assert found["asd_mm"] == pytest.approx((3 * face + 1 * 2) / whole, rel=1e-12)
    assert found["nsd"] == pytest.approx(1 - face / whole, rel=1e-12)
    assert values(found, ("dice", "iou", "precision", "recall", "volume_error")) == (0.5, 1 / 3, 0.5, 0.5, 0)


def test_a_prediction_that_is_too_large():
    found = measure(box((2, 2, 2), (4, 4, 6)), CUBE, SPACING)
    assert values(found, ("dice", "iou", "precision", "recall", "volume_error")) == (2 / 3, 0.5, 0.5, 1, 1)
    assert found["hausdorff_mm"] == 4


def test_hd95_leaves_out_what_the_hausdorff_distance_is_about():
    """One false voxel far from a large plate, one voxel thick."""
    plate = box((3, 0, 0), (4, 40, 40), (7, 40, 80))
    prediction = plate | box((3, 20, 70), (4, 21, 71), (7, 40, 80))
    found = measure(prediction, plate, (1, 1, 1))
    assert (found["hausdorff_mm"], found["hd95_mm"]) == (31, 0)
    assert 0.99 < found["nsd"] < 1


@pytest.mark.parametrize("seed", range(4))
def test_surface_metrics_are_those_of_the_package(seed):
    """To the last digits, with masks that touch the border and distances that are sums of crooked numbers."""
    import surface_distance
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(2, 12, 15, 18)), (0, 2, 2, 2))
    a, b = noise > np.quantile(noise, 0.6)
    spacing = (2.1, 0.7, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = surface_distance.compute_surface_distances(b, a, spacing)
    found = measure(a, b, spacing, tolerance_mm=2.1)
    assert found["hausdorff_mm"] == surface_distance.compute_robust_hausdorff(theirs, 100)
    assert found["hd95_mm"] == surface_distance.compute_robust_hausdorff(theirs, 95)
    averages = surface_distance.compute_average_surface_distance(theirs)
    assert found["asd_mm"] == pytest.approx(np.mean(averages), rel=1e-12)
    for tolerance in (0.3, 0.7, 2.1):
        assert measure(a, b, spacing, tolerance_mm=tolerance)["nsd"] == pytest.approx(
            surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance), rel=1e-12
        )


def test_a_far_false_positive_costs_little_and_counts():
    shape = (60, 300, 300)
    small = box((2, 2, 2), (4, 4, 4), shape)
    found = measure(small | box((59, 299, 299), (60, 300, 300), shape), small, (1, 1, 1))
    assert found["hausdorff_mm"] == sqrt(56**2 + 2 * 296**2)


def test_an_empty_prediction():
    found = measure(NOTHING, CUBE, SPACING)
    assert values(found, OVERLAP) == (0, 0, 0, None, 0, -1)
    assert values(found, SURFACE) == (inf, inf, inf, 0)


def test_an_empty_reference():
    found = measure(CUBE, NOTHING, SPACING)
    assert values(found, OVERLAP) == (None,) * 6
    assert values(found, SURFACE) == (inf, inf, inf, 0)
    assert measure(CUBE, NOTHING, SPACING, scope="extent") == dict.fromkeys(METRICS)


@pytest.mark.parametrize("scope", ["whole", "extent"])
def test_nothing_found_where_nothing_is_has_no_metrics(scope):
    assert measure(NOTHING, NOTHING, SPACING, scope=scope) == dict.fromkeys(METRICS)


def test_given_slices_count_for_the_surface_only():
    reference, prediction = columns(0, 4, 6, 4, 0), columns(0, 2, 6, 4, 0)
    found = measure(prediction, reference, (1, 1, 1), given=(2,))
    assert values(found, OVERLAP) == (12 / 14, 12 / 14, 6 / 8, 1, 6 / 8, -2 / 8)
    assert values(found, SURFACE) == values(measure(prediction, reference, (1, 1, 1)), SURFACE)
    assert found["hausdorff_mm"] > 0


def test_all_slices_of_the_organ_given():
    found = measure(columns(3, 4, 6), columns(0, 4, 6), (1, 1, 1), given={1, 2})
    assert values(found, OVERLAP) == (None,) * 6
    assert found["hausdorff_mm"] < inf
    missed = measure(columns(0, 4, 0), columns(0, 4, 6), (1, 1, 1), given=[1])
    assert values(missed, OVERLAP) == (0, 0, 0, None, 0, -1)
    assert missed["hausdorff_mm"] < inf


def test_the_extent_ignores_what_lies_outside_and_keeps_gaps():
    """The reference runs from slice 1 to 4 with a gap at 3; 5 voxels are false outside, 2 in the gap."""
    reference, prediction = columns(0, 4, 4, 0, 4, 0), columns(3, 4, 2, 2, 4, 2)
    whole = measure(prediction, reference, (1, 1, 1))
    assert values(whole, OVERLAP) == (20 / 29, 20 / 24, 10 / 19, 10 / 17, 10 / 12, 5 / 12)
    inside = measure(prediction, reference, (1, 1, 1), scope="extent")
    assert values(inside, OVERLAP) == (20 / 24, 20 / 24, 10 / 14, 10 / 12, 10 / 12, 0)
    cut = measure(columns(0, 4, 2, 2, 4, 0), reference, (1, 1, 1))
    assert values(inside, SURFACE) == values(cut, SURFACE)
    assert values(inside, SURFACE) != values(whole, SURFACE)
    # the extent is the reference's, whatever of it was given
    assert measure(prediction, reference, (1, 1, 1), given=[1], scope="extent")["dice"] == 12 / 16


def test_a_prediction_outside_the_extent_only_is_none():
    found = measure(columns(3, 0, 0), columns(0, 4, 4), (1, 1, 1), scope="extent")
    assert values(found, OVERLAP) == (0, 0, 0, None, 0, -1)
    assert values(found, SURFACE) == (inf, inf, inf, 0)


def test_the_profile_runs_along_the_organ():
    reference, prediction = columns(0, 4, 4, 4, 4, 4, 0), columns(9, 4, 2, 0, 1, 4, 9)
    assert profile(prediction, reference) == ((0, 1), (0.25, 4 / 6), (0.5, 0), (0.75, 2 / 5), (1, 1))
    assert profile(prediction, reference, given=(1, 3)) == ((0.25, 4 / 6), (0.75, 2 / 5), (1, 1))


def test_the_profile_of_gaps_single_slices_and_nothing():
    assert profile(columns(4, 0, 3, 4), columns(4, 0, 0, 4)) == ((0, 1), (2 / 3, 0), (1, 1))
    assert profile(columns(1, 2, 0), columns(0, 2, 0)) == ((0.5, 1),)
    assert profile(columns(1, 2, 0), columns(0, 2, 0), given=[1]) == ()
    assert profile(columns(1, 2, 0), columns(0, 0, 0)) == ()


def test_pairs_are_of_slices_where_either_mask_has_something():
    reference, prediction = columns(0, 4, 4, 4, 0, 0), columns(0, 0, 4, 2, 3, 0)
    confidence = np.array([0.5, 0.25, 1, 0.75, 0.125, 0], np.float32)
    pairs = slice_pairs(confidence, prediction, reference)
    assert pairs == ((0.25, 0), (1, 1), (0.75, 4 / 6), (0.125, 0))
    assert {type(value) for pair in pairs for value in pair} == {float}
    assert slice_pairs(confidence.tolist(), prediction, reference, given=[2, 5]) == (pairs[0], *pairs[2:])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="shapes"):
        measure(CUBE, CUBE[:-1], SPACING)
    with pytest.raises(ValueError, match="scope"):
        measure(CUBE, CUBE, SPACING, scope="organ")
    with pytest.raises(ValueError, match="2 confidences for 7 slices"):
        slice_pairs([0, 1], CUBE, CUBE)
    for tolerance in (-1, inf, float("nan")):
        with pytest.raises(InputError, match="0 mm or more"):
            measure(CUBE, CUBE, SPACING, tolerance_mm=tolerance)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    with pytest.raises(InputError, match=r"pip install 'fewshotsegment\[evaluate\]'"):
        measure(CUBE, CUBE, SPACING)
    # without surfaces it is not asked for
    assert measure(NOTHING, CUBE, SPACING)["dice"] == 0


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for prediction in (CUBE, NOTHING, ~NOTHING):
            for reference in (CUBE, NOTHING, ~NOTHING):
                measure(prediction, reference, SPACING)
                profile(prediction, reference)
                slice_pairs(np.zeros(7), prediction, reference)
