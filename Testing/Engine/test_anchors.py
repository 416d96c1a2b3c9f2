"""From an annotation to its plane and slices."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.anchors import find_anchors

SHAPE = (30, 40, 50)


def ellipse(axis, *indices):
    mask = np.zeros(SHAPE, bool)
    stack = np.moveaxis(mask, axis, 0)
    rows, columns = np.ogrid[: stack.shape[1], : stack.shape[2]]
    for index in indices:
        stack[index] = ((rows - 15) / 9) ** 2 + ((columns - 18) / 11) ** 2 < 1
    return mask


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("indices", [(12,), (5, 12, 20), (12, 13), (4, 5, 20, 21)])
def test_the_plane_is_found(axis, indices):
    mask = ellipse(axis, *indices)
    anchors = find_anchors(mask, acquisition_axis=(axis + 1) % 3)
    assert (anchors.axis, tuple(anchors.masks), anchors.notes) == (axis, indices, ())
    np.testing.assert_array_equal(anchors.masks[indices[0]], np.moveaxis(mask, axis, 0)[indices[0]])


def test_a_blob_is_taken_along_the_acquisition_axis_and_it_is_said():
    mask = ellipse(0, *range(8, 22))
    for axis in (0, 2):
        anchors = find_anchors(mask, acquisition_axis=axis, name="Liver")
        assert anchors.axis == axis
        assert len(anchors.masks) == np.count_nonzero(mask.any(tuple(a for a in range(3) if a != axis)))
        assert "Liver is annotated on neighbouring slices in all directions" in anchors.notes[0]


def test_two_planes_are_refused_unless_one_is_chosen():
    mask = ellipse(0, 12) | ellipse(2, 18)
    with pytest.raises(InputError, match=r"Liver is annotated on two planes \(slice 12 of z .* slice 18 of x"):
        find_anchors(mask, 0, name="Liver")
    assert find_anchors(mask, 0, axis=0).axis == 0


def test_an_axis_across_which_nothing_was_drawn_is_refused():
    with pytest.raises(InputError, match=r"drawn across z \(axis 0\), not across y \(axis 1\)"):
        find_anchors(ellipse(0, 12), 0, axis=1)
    assert find_anchors(ellipse(0, *range(8, 22)), 0, axis=1).axis == 1  # a blob may be carried along any


def test_a_line_says_that_its_plane_cannot_be_told():
    mask = np.zeros(SHAPE, bool)
    mask[10, 5, 20:30] = True
    anchors = find_anchors(mask, acquisition_axis=0)
    assert anchors.axis == 0
    assert "too thin to tell its plane" in anchors.notes[0]


def test_two_organs_in_one_segment_are_pointed_out():
    mask = ellipse(0, 12)
    mask[12, 28:39, 36:49] = True
    assert "2 separate parts on slice 12" in find_anchors(mask, 0, name="Kidneys").notes[0]
    speck = ellipse(0, 12)
    speck[12, 38, 48] = True
    assert find_anchors(speck, 0).notes == ()


def test_nothing_drawn():
    with pytest.raises(InputError, match="Liver is annotated on no slice"):
        find_anchors(np.zeros(SHAPE, bool), 0, name="Liver")
