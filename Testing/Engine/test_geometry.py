"""Geometry: grids are compared and arrays moved without resampling, in any orientation."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import direction, to_image

from FewShotSegmentLib import GeometryError
from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.images.geometry import place_on_grid


def grid_of(array, **geometry):
    return Geometry.of_image(to_image(array, **geometry))


@pytest.fixture(params=[(False, False), (True, False), (True, True), (False, True)])
def matrix(request):
    return direction(*request.param)


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 4, (5, 7, 9)).astype(np.uint8)


def test_image_and_back(labels, matrix):
    image = to_image(labels, spacing=(0.7, 0.8, 2.5), matrix=matrix)
    other = sitk.GetImageFromArray(labels)
    Geometry.of_image(image).apply_to(other)
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(other, get)(), getattr(image, get)(), rtol=0, atol=1e-12)
    assert Geometry.of_image(image).spacing == pytest.approx((2.5, 0.8, 0.7))
    assert Geometry.of_image(image).voxel_ml == pytest.approx(0.7 * 0.8 * 2.5 / 1000)


def test_world_positions_are_those_of_simpleitk(labels, matrix):
    image = to_image(labels, matrix=matrix)
    for ijk in ((0, 0, 0), (8, 6, 4), (3, 1, 2)):
        position = Geometry.of_image(image).ijk_to_lps @ (*ijk, 1)
        np.testing.assert_allclose(position[:3], image.TransformIndexToPhysicalPoint(ijk), atol=1e-9)


def test_a_cropped_part_goes_where_it_was_cut_from(labels, matrix):
    image = to_image(labels, matrix=matrix)
    part = image[2:7, 1:6, 1:4]
    placed = place_on_grid(sitk.GetArrayFromImage(part), Geometry.of_image(part), Geometry.of_image(image), "It")
    expected = np.zeros_like(labels)
    expected[1:4, 1:6, 2:7] = labels[1:4, 1:6, 2:7]
    np.testing.assert_array_equal(placed, expected)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (False, True, True)])
def test_flipped_and_swapped_axes_of_the_same_voxels(labels, matrix, order, flips):
    image = to_image(labels, spacing=(0.7, 0.8, 2.5), matrix=matrix)
    turned = sitk.Flip(sitk.PermuteAxes(image, order), flips)
    placed = place_on_grid(sitk.GetArrayFromImage(turned), Geometry.of_image(turned), Geometry.of_image(image), "It")
    np.testing.assert_array_equal(placed, labels)


def test_empty_margins_beyond_the_edge_are_cut_off(labels):
    image = to_image(labels)
    padded = sitk.ConstantPad(image, (2, 0, 1), (0, 3, 0), 0)
    placed = place_on_grid(sitk.GetArrayFromImage(padded), Geometry.of_image(padded), Geometry.of_image(image), "It")
    np.testing.assert_array_equal(placed, labels)


def test_something_drawn_beyond_the_edge_is_refused(labels):
    image = to_image(labels)
    padded = sitk.ConstantPad(image, (2, 0, 0), (0, 0, 0), 1)
    with pytest.raises(GeometryError, match="beyond the volume's edge"):
        place_on_grid(sitk.GetArrayFromImage(padded), Geometry.of_image(padded), Geometry.of_image(image), "It")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(origin=(-39.5, 25.0, 300.0)), r"off by up to 0\.5 mm"),
        (dict(spacing=(1.0, 1.0, 2.5)), r"voxels of 1 × 1 × 2\.5 mm, the volume of 1 × 1 × 3 mm"),
        (dict(matrix=direction(oblique=True)), r"off by up to \d"),
    ],
)
def test_other_grids_are_refused_with_the_distance(labels, change, words):
    with pytest.raises(GeometryError, match=words):
        place_on_grid(labels, grid_of(labels, **change), grid_of(labels), "The annotation")


def test_single_precision_of_nifti_is_no_difference(labels, matrix, tmp_path):
    image = to_image(labels, spacing=(0.7123456789, 0.81, 2.523), origin=(-123.456789, 77.7, 1003.33), matrix=matrix)
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))
    read = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    placed = place_on_grid(sitk.GetArrayFromImage(read), Geometry.of_image(read), Geometry.of_image(image), "It")
    np.testing.assert_array_equal(placed, labels)


def test_acquisition_axis_is_the_thick_one(labels):
    assert grid_of(labels, spacing=(1.0, 1.0, 5.0)).acquisition_axis == 0
    assert grid_of(labels, spacing=(4.0, 1.0, 1.0)).acquisition_axis == 2
    assert grid_of(labels, spacing=(1.0, 1.0, 1.05)).acquisition_axis == 0
