"""However support and query are stored: orientation, spacing, shape, turns and planes."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import dice, direction, make_organ, to_image
from transfer_cases import TURNS, back, one, support_of, turned

from FewShotSegmentLib.images import Geometry


@pytest.mark.parametrize(("order", "flips"), [TURNS[7], TURNS[19], TURNS[42]])
def test_a_support_of_another_orientation_gives_the_same(transfer, base, first, second, grid, order, flips):
    """Bit for bit: it is turned to the query's axes before the networks see it."""
    image, elsewhere = turned(first.image, grid, order, flips)
    mask, _ = turned(first.mask, grid, order, flips)
    axis = order.index(0)
    index = 13 - 7 if flips[axis] else 7
    result = one(transfer, second.image, grid, [support_of(image, mask, [index], elsewhere, axis)])
    np.testing.assert_array_equal(result.mask, base.mask)
    # the volume's mean is added up in another order
    np.testing.assert_allclose(result.probability, base.probability, atol=1e-4)
    assert [a.support_index for a in result.anchors] == [index]


@pytest.mark.parametrize(("order", "flips"), [TURNS[7], TURNS[19], TURNS[42]])
def test_a_query_of_another_orientation_gives_nearly_the_same(transfer, base, second, grid, support, order, flips):
    image, elsewhere = turned(second.image, grid, order, flips)
    result = one(transfer, image, elsewhere, [support])
    assert result.axis == order.index(0)
    assert result.mask.shape == image.shape and len(result.slice_confidence) == 14
    own = back(result.mask, order, flips)
    assert dice(own, second.mask) > 0.93
    assert dice(own, base.mask) > 0.95
    assert transfer.notes == []


def test_a_query_whose_axes_are_only_in_another_order_gives_the_same_bits(transfer, base, second, grid, support):
    image, elsewhere = turned(second.image, grid, (1, 2, 0), (False, False, False))
    result = one(transfer, image, elsewhere, [support])
    np.testing.assert_array_equal(np.moveaxis(result.probability, 2, 0), base.probability)
    np.testing.assert_array_equal(result.slice_confidence, base.slice_confidence)


def test_sagittal_slices_find_sagittal_slices(transfer, first, second, grid):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    image, truth = (np.ascontiguousarray(a[:, :, 10:42]) for a in (second.image, second.mask))
    result = one(transfer, image, Geometry.of_image(to_image(image)), [sagittal])
    assert result.axis == 2 and len(result.slice_confidence) == 32
    assert dice(result.mask, truth) > 0.75


def test_oblique_grids(transfer, base, first, second):
    matrix = direction(oblique=True, left_handed=True)
    grid = Geometry.of_image(to_image(first.image, matrix=matrix))
    result = one(transfer, second.image, grid, [support_of(first.image, first.mask, [7], grid)])
    np.testing.assert_array_equal(result.probability, base.probability)
    assert transfer.notes == []


def test_another_spacing_and_shape(transfer, second, grid, support):
    """Finer pixels, thinner slices and another field of view, there and back."""
    fine = make_organ((20, 64, 80), seed=7, center=(10.5, 33, 38))
    elsewhere = Geometry.of_image(to_image(fine.image, spacing=(0.7, 0.75, 2.1), origin=(300.0, 0.0, 0.0)))
    assert dice(one(transfer, fine.image, elsewhere, [support]).mask, fine.mask) > 0.9
    other = support_of(fine.image, fine.mask, [10], elsewhere)
    assert dice(one(transfer, second.image, grid, [other]).mask, second.mask) > 0.9


def test_a_query_of_one_slice(transfer, second, support):
    image = second.image[7:8]
    geometry = Geometry.of_image(to_image(image))
    for propagate in (True, False):
        result = one(transfer, image, geometry, [support], propagate=propagate)
        assert result.mask.shape == image.shape
        assert dice(result.mask, second.mask[7:8]) > 0.75


@pytest.mark.usefixtures("generous")
def test_supports_are_numbered_as_they_were_given(transfer, first, second, grid, support, third):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    result = one(transfer, second.image, grid, [support, sagittal, third])
    assert {anchor.support for anchor in result.anchors} == {0, 2}


def test_supports_on_different_planes_are_said(transfer, base, first, second, grid, support):
    sagittal = support_of(first.image, first.mask, [28], grid, axis=2)
    result = one(transfer, second.image, grid, [support, sagittal])
    np.testing.assert_array_equal(result.probability, base.probability)
    assert transfer.notes == [
        "The supports of organ are drawn on different planes; those on the first one's plane are used."
    ]


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_turn_in_plane_is_undone(transfer, first, second, support, degrees):
    """The second patient lies turned on the same table: the world's directions say so."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    straight = to_image(second.image, spacing=(1.0, 1.0, 3.0))
    middle = straight.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in straight.GetSize()])
    turned = sitk.Image(80, 80, straight.GetSize()[2], sitk.sitkInt16)
    turned.SetSpacing((1.0, 1.0, 3.0))
    turned.SetDirection(matrix.ravel().tolist())
    offset = matrix @ (np.array([79, 79, straight.GetSize()[2] - 1]) / 2 * [1.0, 1.0, 3.0])
    turned.SetOrigin((np.array(middle) - offset).tolist())
    image = sitk.Resample(straight, turned, sitk.Transform(), sitk.sitkLinear, -100)
    mask = sitk.Resample(to_image(second.mask.astype(np.uint8)), turned, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    result = one(transfer, sitk.GetArrayFromImage(image), Geometry.of_image(image), [support])
    assert result.found and dice(result.mask, sitk.GetArrayFromImage(mask) > 0) > 0.8
    assert not any("tilted" in note for note in transfer.notes)
