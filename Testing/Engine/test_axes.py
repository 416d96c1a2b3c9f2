"""Axes of two grids are matched by their directions in the world, whatever their order, sense, handedness and place."""

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import direction, to_image

from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.images.geometry import match_axes

TURNS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]
CODES = ["".join(code) for pairs in permutations(("LR", "PA", "SI")) for code in product(*pairs)]


def grid_of(array, **geometry):
    return Geometry.of_image(to_image(array, **geometry))


def turned_by(degrees, about=2):
    """A grid whose axes are turned about one of the world's."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    others = [a for a in range(3) if a != about]
    matrix[np.ix_(others, others)] = [[c, -s], [s, c]]
    return matrix


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("left_handed", [False, True])
def test_all_48_ways_to_turn_an_array(oblique, left_handed):
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    matrix = direction(oblique, left_handed)
    own = grid_of(array, spacing=(0.7, 0.8, 2.5), matrix=matrix)
    found = set()
    for order, flips in TURNS:
        # array axis a of the other is axis order[a] of the own one, and may run against it
        other_array = np.flip(array.transpose(order), [a for a in range(3) if flips[a]])
        lps = np.eye(4)
        for a in range(3):
            lps[:3, 2 - a] = own.ijk_to_lps[:3, 2 - order[a]] * (-1 if flips[a] else 1)
        lps[:3, 3] = (17.0, -300.0, 4.0)  # another patient lies elsewhere
        match = match_axes(own, Geometry(other_array.shape, lps))
        back = other_array.transpose(match.axes)
        back = np.flip(back, [a for a in range(3) if match.signs[a] < 0])
        np.testing.assert_array_equal(back, array)
        assert match.degrees == pytest.approx(0, abs=1e-5)
        assert not match.tilted
        found.add((match.axes, match.signs))
    assert len(found) == 48


@pytest.mark.parametrize("code", CODES)
def test_as_simpleitk_orients(code):
    array = np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)
    image = to_image(array, spacing=(0.7, 0.8, 2.5))
    other = sitk.DICOMOrient(image, code)
    match = match_axes(Geometry.of_image(image), Geometry.of_image(other))
    back = sitk.GetArrayFromImage(other).transpose(match.axes)
    np.testing.assert_array_equal(np.flip(back, [a for a in range(3) if match.signs[a] < 0]), array)
    letters = {"L": (2, 1), "R": (2, -1), "P": (1, 1), "A": (1, -1), "S": (0, 1), "I": (0, -1)}
    for place, letter in enumerate(code):  # x, y, z of the other
        axis, sign = letters[letter]
        assert (match.axes[axis], match.signs[axis]) == (2 - place, sign)


def test_neither_size_nor_spacing_nor_origin_counts():
    own = grid_of(np.zeros((4, 5, 6), np.int16), spacing=(0.7, 0.8, 2.5))
    other = grid_of(np.zeros((90, 3, 40), np.int16), spacing=(9.0, 0.1, 0.3), origin=(1e4, -1e4, 0.0))
    match = match_axes(own, other)
    assert (match.axes, match.signs, match.degrees) == ((0, 1, 2), (1, 1, 1), 0)


@pytest.mark.parametrize("about", [0, 1, 2])
@pytest.mark.parametrize(("degrees", "tilted"), [(0, False), (12.5, False), (14.5, False), (15.5, True), (44, True)])
def test_tilt_is_measured(about, degrees, tilted):
    array = np.zeros((4, 5, 6), np.int16)
    match = match_axes(grid_of(array), grid_of(array, matrix=turned_by(degrees, about)))
    assert (match.axes, match.signs) == ((0, 1, 2), (1, 1, 1))
    assert match.degrees == pytest.approx(degrees, abs=1e-4)
    # about z, the axis across the slices of the first array axis, slices are turned in plane and not tilted
    assert match.tilted is (tilted and about != 2)
    assert match.across == pytest.approx(0 if about == 2 else degrees, abs=1e-4)


def test_beyond_45_degrees_the_next_axis_is_closer():
    array = np.zeros((4, 5, 6), np.int16)
    match = match_axes(grid_of(array), grid_of(array, matrix=turned_by(60, 2)))
    # own x (array axis 2) runs closest against the other's y, own y along its x
    assert (match.axes, match.signs) == ((0, 2, 1), (1, 1, -1))
    assert match.degrees == pytest.approx(30, abs=1e-4)


def test_the_other_way_round_is_the_inverse():
    array = np.zeros((4, 5, 6), np.int16)
    own = grid_of(array, matrix=direction(oblique=True, left_handed=True))
    for code in CODES[::5]:
        other = Geometry.of_image(sitk.DICOMOrient(to_image(array, matrix=turned_by(10, 1)), code))
        there, back = match_axes(own, other), match_axes(other, own)
        assert [back.axes[a] for a in there.axes] == [0, 1, 2]
        assert [back.signs[a] for a in there.axes] == list(there.signs)
        assert back.degrees == pytest.approx(there.degrees)


def test_every_axis_has_one_of_its_own_even_where_two_prefer_the_same():
    matrix = np.linalg.qr(np.array([[1.0, 0.9, 0.8], [0.9, -1.0, 0.7], [0.8, 0.7, -1.1]]))[0]
    array = np.zeros((4, 5, 6), np.int16)
    match = match_axes(grid_of(array), Geometry.of_image(to_image(array, matrix=matrix)))
    assert sorted(match.axes) == [0, 1, 2]
    assert match.degrees <= 90 and np.isfinite(match.degrees)
