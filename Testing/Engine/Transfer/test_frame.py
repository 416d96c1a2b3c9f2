"""Support and query in one frame: the same slice, whatever way its volume is stored, lands on the same pixels."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
from small_cases import direction, to_image

from FewShotSegmentLib import Settings
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.preprocessing.intensity import IntensityScale
from FewShotSegmentLib.support import Support, SupportSlice, slice_geometry
from FewShotSegmentLib.transfer.find import frame_supports, no_overlap
from FewShotSegmentLib.transfer.frame import Frame, bring_to_frame, find_body, query_axis
from FewShotSegmentLib.transfer.query import Query

TURNS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]
SHAPE = (6, 40, 48)
INDEX = 2


def scene(shape=SHAPE, top=6, left=8, size=(28, 30)):
    """A bright body on dark ground with an L in it, on every slice its own brightness; image and mask [z, y, x]."""
    image, mask = np.zeros(shape, np.float32), np.zeros(shape, bool)
    image[:, top : top + size[0], left : left + size[1]] = 1.0
    image[INDEX, top : top + size[0], left : left + size[1]] += np.linspace(0, 0.5, size[1])  # no symmetry
    mask[INDEX, top + 4 : top + 20, left + 6 : left + 10] = True  # the long leg goes down …
    mask[INDEX, top + 16 : top + 20, left + 6 : left + 18] = True  # … and the short one to the right
    image[mask] = 2.0
    return image, mask


def grid_of(array, **geometry):
    return Geometry.of_image(to_image(array, **geometry))


def turned(array, geometry, order, flips):
    """The same voxels of the world, in another order; somewhere else, as another patient's are."""
    lps = np.eye(4)
    for a in range(3):
        lps[:3, 2 - a] = geometry.ijk_to_lps[:3, 2 - order[a]] * (-1 if flips[a] else 1)
    lps[:3, 3] = (500.0, -20.0, 77.0)
    out = np.flip(array.transpose(order), [a for a in range(3) if flips[a]])
    return out, Geometry(out.shape, lps)


def support_of(image, mask, geometry, axis=0, number=None, name="organ"):
    """A support of all slices that the mask touches."""
    pictures, drawn = np.moveaxis(image, axis, 0), np.moveaxis(mask, axis, 0)
    slices = [
        SupportSlice(
            np.ascontiguousarray(pictures[i]), np.ascontiguousarray(drawn[i]), slice_geometry(geometry, axis, i), i,
            len(drawn),
        )
        for i in np.flatnonzero(drawn.any((1, 2)))[:number]
    ]  # fmt: skip
    scale = IntensityScale(0.0, 2.0, 0.5, 1.0)
    return Support(name, (1.0, 0.0, 0.0), {}, "ct", scale, tuple(slices), "0" * 16, None, "2024-05-06")


def frame_of(image, geometry, axis=0, size=None):
    """The frame of a volume whose pixels the networks see as they are."""
    slices = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, axis, 0)))
    spacing = geometry.spacing[:axis] + geometry.spacing[axis + 1 :]
    return Frame(geometry, axis, size or tuple(slices.shape[1:]), spacing, find_body(slices))


def bring(support, frame, number=0, body_scale=0.0):
    return bring_to_frame(support, number, list(support.slices), frame, body_scale)


def test_a_volumes_own_slice_stays_as_it_is():
    image, mask = scene()
    grid = grid_of(image)
    (framed,) = bring(support_of(image, mask, grid), frame_of(image, grid), 3)
    np.testing.assert_array_equal(framed.mask.numpy(), mask[INDEX])
    np.testing.assert_allclose(framed.image.numpy(), (image[INDEX] - 0.5) / 1.00001, atol=1e-6)
    assert (framed.place, framed.offset, framed.support, framed.index) == (INDEX / 5, 0.0, 3, INDEX)


@pytest.mark.parametrize("oblique", [False, True])
def test_a_support_turned_in_all_48_ways_lands_on_the_same_pixels(oblique):
    image, mask = scene()
    grid = grid_of(image, spacing=(1.0, 1.0, 3.0), matrix=direction(oblique))
    frame = frame_of(image, grid)
    (expected,) = bring(support_of(image, mask, grid), frame)
    for order, flips in TURNS:
        other, elsewhere = turned(image, grid, order, flips)
        drawn, _ = turned(mask, grid, order, flips)
        axis = order.index(0)
        support = support_of(other, drawn, elsewhere, axis)
        assert query_axis(support, grid).axes[0] == 0
        (framed,) = bring(support, frame)
        np.testing.assert_array_equal(framed.mask.numpy(), expected.mask.numpy())
        np.testing.assert_array_equal(framed.image.numpy(), expected.image.numpy())
        assert framed.place == pytest.approx(expected.place)
        assert framed.offset == 0
        assert framed.index == (SHAPE[0] - 1 - INDEX if flips[axis] else INDEX)


def test_a_query_turned_in_all_48_ways_gets_the_slice_in_its_own_order():
    image, mask = scene()
    grid = grid_of(image, spacing=(1.0, 1.0, 3.0))
    support = support_of(image, mask, grid)
    for order, flips in TURNS:
        other, elsewhere = turned(image, grid, order, flips)
        drawn, _ = turned(mask, grid, order, flips)
        axis = order.index(0)
        assert query_axis(support, elsewhere).axes[0] == axis
        (framed,) = bring(support, frame_of(other, elsewhere, axis))
        own = SHAPE[0] - 1 - INDEX if flips[axis] else INDEX
        np.testing.assert_array_equal(framed.mask.numpy(), np.moveaxis(drawn, axis, 0)[own])
        assert framed.place == pytest.approx(own / (SHAPE[0] - 1))


def test_larger_pixels_are_split():
    """Twice as large on both axes: each pixel of the mask becomes four."""
    image, mask = scene()
    support = support_of(image, mask, grid_of(image, spacing=(2.0, 2.0, 3.0)))
    fine = np.kron(image, np.ones((1, 2, 2), np.float32))
    (framed,) = bring(support, frame_of(fine, grid_of(fine)))
    np.testing.assert_array_equal(framed.mask.numpy() > 0.5, np.kron(mask[INDEX], np.ones((2, 2), bool)))


def test_pixels_that_are_no_squares():
    """Rows twice as far apart as columns: the mask is twice as high."""
    image, mask = scene()
    support = support_of(image, mask, grid_of(image, spacing=(1.0, 2.0, 3.0)))
    fine = np.kron(image, np.ones((1, 2, 1), np.float32))
    (framed,) = bring(support, frame_of(fine, grid_of(fine)))
    np.testing.assert_array_equal(framed.mask.numpy() > 0.5, np.kron(mask[INDEX], np.ones((2, 1), bool)))


def test_smaller_pixels_are_averaged():
    image, mask = scene(top=7, left=9)  # legs of even width on odd places
    support = support_of(image, mask, grid_of(image, spacing=(0.5, 0.5, 3.0)))
    coarse = image[:, ::2, ::2]
    (framed,) = bring(support, frame_of(coarse, grid_of(coarse)))
    assert float(framed.mask.sum()) == pytest.approx(mask.sum() / 4, rel=0.01)
    assert framed.mask.min() >= 0 and framed.mask.max() <= 1
    # in the same place to half a pixel, since bodies' middles are
    rows, columns = (np.flatnonzero(mask[INDEX].any(a)) for a in (1, 0))
    centre = (framed.mask * torch.arange(20)[:, None]).sum() / framed.mask.sum()
    own = (mask[INDEX] * np.arange(40)[:, None]).sum() / mask.sum()
    assert abs(float(centre) - (own - 0.5) / 2) <= 0.75
    assert len(rows) / 2 == pytest.approx(int((framed.mask.sum(1) > 1e-6).sum()), abs=2)
    assert len(columns) / 2 == pytest.approx(int((framed.mask.sum(0) > 1e-6).sum()), abs=2)


@pytest.mark.parametrize("shape", [(6, 30, 34), (6, 70, 90), (6, 30, 90)])
def test_another_field_of_view(shape):
    """The body lies elsewhere in a slice of another size; what counts is the place within the body."""
    image, mask = scene()
    small, small_mask = scene(shape, top=1, left=2)
    (framed,) = bring(support_of(image, mask, grid_of(image)), frame_of(small, grid_of(small)))
    np.testing.assert_array_equal(framed.mask.numpy(), small_mask[INDEX])
    inside = small[INDEX] > 0
    np.testing.assert_allclose(framed.image.numpy()[inside], (small[INDEX][inside] - 0.5) / 1.00001, atol=1e-6)
    # and what the support does not show is as dark as its background
    assert float(framed.image[-1, -1]) == pytest.approx(-0.5, abs=1e-4)


def test_slices_come_in_the_querys_order_with_their_distances():
    image, mask = scene()
    mask[INDEX + 3] = mask[INDEX]
    grid = grid_of(image, spacing=(1.0, 1.0, 3.0))
    there = bring(support_of(image, mask, grid), frame_of(image, grid))
    assert [(f.index, f.offset) for f in there] == [(2, 0.0), (5, 9.0)]
    assert [f.place for f in there] == [2 / 5, 1.0]
    other, elsewhere = turned(image, grid, (0, 1, 2), (True, False, False))
    back = bring(support_of(image, mask, grid), frame_of(other, elsewhere))
    assert [(f.index, f.offset) for f in back] == [(5, -9.0), (2, 0.0)]
    assert [f.place for f in back] == [0.0, pytest.approx(3 / 5)]


def test_distances_are_the_supports_mm_and_not_the_querys():
    image, mask = scene()
    mask[INDEX + 1] = mask[INDEX]
    own, query = grid_of(image, spacing=(1.0, 1.0, 3.0)), grid_of(image, spacing=(1.0, 1.0, 8.0))
    assert [f.offset for f in bring(support_of(image, mask, own), frame_of(image, query))] == [0.0, 3.0]


def test_a_few_pixels_do_not_get_lost():
    image, _ = scene()
    mask = np.zeros(image.shape, bool)
    mask[INDEX, 15, 20] = True
    support = support_of(image, mask, grid_of(image, spacing=(0.25, 0.25, 3.0)))
    coarse = image[:, ::4, ::4]
    (framed,) = bring(support, frame_of(coarse, grid_of(coarse)))
    assert float(framed.mask.sum()) == pytest.approx(1 / 16, rel=0.05)


def query_of(image, grid):
    return Query(image, frame_of(image, grid), None, torch.zeros(0))


def test_evenly_spaced_slices_of_long_supports():
    image, _ = scene()
    image = np.repeat(image, 3, 0)
    mask = np.zeros(image.shape, bool)
    mask[4:14, 15:20, 15:25] = True
    grid = grid_of(image)
    supports = [support_of(image, mask, grid), support_of(image, mask, grid, number=3)]
    framed = frame_supports(query_of(image, grid), supports, Settings(support_slices=5, body_scale=0.0))
    assert [(f.support, f.index) for f in framed] == [(0, 5), (0, 7), (0, 9), (0, 11), (0, 13), (1, 4), (1, 5), (1, 6)]
    only = frame_supports(query_of(image, grid), supports[:1], Settings(support_slices=1, body_scale=0.0))
    assert [f.index for f in only] == [9]


def test_outside_the_field_of_view():
    image, mask = scene()
    beyond = np.zeros(mask.shape, bool)
    beyond[INDEX, :2, :2] = True
    grid = grid_of(image)
    small = np.ascontiguousarray(image[:, 10:30, 12:34])  # within the body: its middle stays where it was
    query = query_of(small, grid_of(small))
    assert frame_supports(query, [support_of(image, beyond, grid)], Settings()) == []
    text = no_overlap("Leber")
    assert "Leber do not overlap the volume" in text and text.endswith(".") and "\n" not in text
    # one that does is enough
    framed = frame_supports(query, [support_of(image, beyond, grid), support_of(image, mask, grid)], Settings())
    assert [f.support for f in framed] == [1]


def test_the_body_is_found_between_its_tails():
    slices = torch.zeros(3, 60, 80)
    slices[:, 10:40, 20:70] = 1.0
    expected = find_body(slices)
    assert expected.middle == pytest.approx((24.5, 44.5), abs=0.5)
    assert expected.size == pytest.approx((30, 50), abs=3)
    slices[:, 57:59, 40:50] = 1.0  # a table, 60 of 4560 pixels
    table = find_body(slices)
    assert table.middle == pytest.approx(expected.middle, abs=0.5)


def test_a_body_that_is_cut_off_has_no_size():
    slices = torch.zeros(3, 60, 80)
    slices[:, 10:40, 30:] = 1.0
    assert find_body(slices).size is None


def test_no_body_at_all():
    body = find_body(torch.full((2, 7, 10), 3.0))
    assert (body.middle, body.size) == ((3.0, 4.5), None)


def test_bodies_of_different_size_are_scaled_as_far_as_wanted():
    image, mask = scene()
    larger, _ = scene((6, 60, 72), top=14, left=18, size=(33, 36))  # 1.19 times as high and wide
    support, frame = support_of(image, mask, grid_of(image)), frame_of(larger, grid_of(larger))
    area = [float(bring(support, frame, body_scale=wish)[0].mask.sum()) for wish in (0.0, 0.5, 1.0)]
    assert area[0] == mask.sum()
    # the body's own size is known to a pixel or two
    assert area[2] / area[0] == pytest.approx(33 * 36 / (28 * 30), rel=0.1)
    assert area[1] / area[0] == pytest.approx((33 * 36 / (28 * 30)) ** 0.5, rel=0.1)
    # never by more than a quarter: a slice through the top of the head is no small patient
    huge, _ = scene((6, 90, 112), top=14, left=18, size=(60, 70))
    (framed,) = bring(support, frame_of(huge, grid_of(huge)), body_scale=1.0)
    assert float(framed.mask.sum()) / mask.sum() == pytest.approx(1.25**2, rel=0.05)
