"""What is annotated, what is missing, what looks wrong: in words."""

from __future__ import annotations

import numpy as np
import pytest
from FewShotSegmentModule.scene import annotation, quality, segments
from scene_cases import PLAIN, SAGITTAL, SHAPE, add, affine, draw, ellipsoid, rotation, segmentation, transform, volume

LARGE = (24, 64, 64)


def disk(shape=LARGE, center=(32, 30), radius=12) -> np.ndarray:
    rows, columns = np.indices(shape[1:])
    return ((rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2).astype(np.uint8)


def stack(pictures: dict[int, np.ndarray], axis=0, shape=LARGE) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    for index, picture in pictures.items():
        np.moveaxis(mask, axis, 0)[index] = picture
    return mask


def describe(mask, matrix=PLAIN, axis=None):
    volumeNode = volume(matrix, mask.shape)
    return annotation.describe(segmentation(volumeNode, {"Liver": mask}), "Liver", volumeNode, axis)


@pytest.mark.parametrize(
    ("slices", "sentence"),
    [
        ([12], "Liver: 1 slice, axial 12"),
        ([2, 12, 20], "Liver: 3 slices, axial 2, 12, 20"),
        ([2, 3], "Liver: 2 slices, axial 2, 3"),
        ([2, 3, 4, 9], "Liver: 4 slices, axial 2–4, 9"),
        ([1, 3, 5, 7, 9], "Liver: 5 slices, axial 1 to 9"),
        (range(2, 22), "Liver: 20 slices, axial 2–21"),
    ],
)
def test_what_is_drawn_is_said_in_a_sentence(scene, slices, sentence):
    found = describe(stack({i: disk() for i in slices}))
    assert found.sentence == sentence
    assert found.slices == tuple(slices)
    assert (found.axis, found.problem, found.name) == (0, "", "Liver")


@pytest.mark.parametrize(("axis", "word"), [(0, "sagittal"), (1, "axial"), (2, "coronal")])
def test_the_plane_has_its_word(scene, axis, word):
    shape = (24, 40, 40)
    mask = np.zeros(shape, np.uint8)
    np.moveaxis(mask, axis, 0)[5] = ellipsoid((1, *np.delete(shape, axis)), (0, 12, 18), (1, 7, 8))[0]
    found = describe(mask, SAGITTAL)
    assert (found.axis, found.slices, found.sentence) == (axis, (5,), f"Liver: 1 slice, {word} 5")


def test_what_is_missing_is_said(scene):
    volumeNode = volume()
    node = segmentation(volumeNode, {"Liver": None})
    cases = [
        ((node, "Liver", None), "No volume is chosen"),
        ((None, "", volumeNode), "No segmentation is chosen"),
        ((node, "", volumeNode), "There is no segment"),
        ((node, "Gone", volumeNode), "not there any more"),
        ((node, "Liver", volumeNode), "Liver is not drawn yet: draw it on one slice."),
    ]
    for arguments, text in cases:
        found = annotation.describe(*arguments)
        assert text in found.problem
        assert (found.sentence, found.axis, found.slices) == (found.problem, None, ())


def test_drawn_elsewhere_is_not_called_empty(scene):
    far = volume(affine((1, 1, 1), (500, 0, 0)))
    node = segmentation(far, {"Liver": ellipsoid()})
    found = annotation.describe(node, "Liver", volume(PLAIN, name="MR"))
    assert "Liver lies outside MR" in found.problem


def test_two_planes_are_a_problem_until_one_is_chosen(scene):
    mask = stack({12: disk()})
    mask[4:22, 30, 20:42] = 1
    found = describe(mask)
    assert found.axis is None
    assert "two planes (axial 12 and coronal 30)" in found.problem
    chosen = describe(mask, axis=1)
    assert (chosen.axis, chosen.problem) == (1, "")


def test_an_axis_that_does_not_fit_is_a_problem(scene):
    found = describe(stack({12: disk()}), axis=2)
    assert found.problem == "Liver is drawn on axial slices, not on sagittal ones: choose axial."


@pytest.mark.parametrize(
    "mask",
    [
        stack({12: disk()}),
        stack({2: disk(), 20: disk()}),
        stack({i: disk() for i in (4, 5, 6)}),
        ellipsoid(),
        stack({30: disk((24, 64, 64))[:24]}, axis=1),
        stack({12: np.eye(64, dtype=np.uint8)}),
        (np.indices(LARGE)[1:] == 30).all(axis=0).astype(np.uint8),
        np.array(stack({12: disk()}) | np.pad(np.ones((18, 1, 22)), ((4, 2), (30, 33), (20, 22))).astype(np.uint8)),
    ],
    ids=["one", "two", "three neighbours", "blob", "coronal", "diagonal", "line", "two planes"],
)
@pytest.mark.parametrize("acquisition", [0, 2])
def test_the_axis_is_the_engines(scene, mask, acquisition):
    """The panel does not wait for SimpleITK, so it has the engine's rule once more: the two must agree."""
    from FewShotSegmentLib.anchors import find_anchors
    from FewShotSegmentLib.errors import InputError

    spacing = [1.0, 1.0, 1.0]
    spacing[2 - acquisition] = 3.0
    found = describe(mask, affine(spacing))
    try:
        anchors = find_anchors(mask > 0, acquisition)
    except InputError:
        assert found.problem
    else:
        assert (found.axis, found.slices) == (anchors.axis, tuple(anchors.masks))


def ragged() -> np.ndarray:
    picture = disk()
    picture[:, ::3] = 0
    picture[30:34] |= disk()[30:34]
    return picture


def ring(width=2) -> np.ndarray:
    return disk() & ~disk(radius=12 - width)


def open_ring() -> np.ndarray:
    picture = ring().copy()
    picture[25:36, 30:] = 0
    return picture


def two() -> np.ndarray:
    return disk(center=(16, 16), radius=7) | disk(center=(44, 44), radius=7)


@pytest.mark.parametrize(
    ("picture", "hint"),
    [
        (disk(radius=2.5), "Liver is tiny on axial 12: draw it where it is larger."),
        (np.ones((64, 64), np.uint8), "Liver covers all of axial 12"),
        (ring(), "Liver is only an outline on axial 12: fill its inside."),
        (open_ring(), "Liver is only a line on axial 12"),
        (ragged(), "Liver has a ragged contour on axial 12"),
        (two(), "Liver has separate parts on axial 12"),
        (disk(center=(5, 30)), "Liver reaches the border of the image on axial 12"),
    ],
    ids=["tiny", "whole", "ring", "open", "ragged", "parts", "border"],
)
def test_what_looks_wrong_is_hinted_at_once_each(scene, picture, hint):
    found = describe(stack({12: picture}))
    assert found.problem == ""
    assert len(found.hints) == 1
    assert found.hints[0].startswith(hint)


@pytest.mark.parametrize(
    "picture",
    [
        disk(),
        disk(radius=4),
        ellipsoid((1, 64, 64), (0, 30, 30), (1, 8, 25))[0],
        disk() & ~disk(radius=4),
        disk() | disk(center=(40, 44), radius=8),
    ],
    ids=["disk", "small disk", "ellipse", "with a hole", "lobes"],
)
def test_sound_annotations_are_let_alone(scene, picture):
    assert describe(stack({12: picture})).hints == ()


def test_hints_are_given_on_other_axes_too(scene):
    found = describe(stack({30: disk((0, 24, 64), (3, 40), 9)}, axis=1))
    assert [h.split(":")[0] for h in found.hints] == ["Liver reaches the border of the image on coronal 30"]


def test_a_slice_far_from_the_others_is_hinted_at(scene):
    found = describe(stack({i: disk() for i in (1, 2, 3, 4, 22)}))
    assert found.hints == ("axial 22 of Liver lies far from the others: check that it was meant.",)
    assert quality.farSlice((5, 10, 15, 20)) is None
    assert quality.farSlice((5, 90)) is None


def test_a_grid_turned_against_the_volume_is_hinted_at(scene):
    volumeNode = volume(PLAIN, LARGE)
    node = segmentation(volumeNode, {"Liver": stack({12: disk()})})
    parent = transform(affine((1, 1, 1), turn=rotation(4, (1, 0, 0))))
    node.SetAndObserveTransformNodeID(parent.GetID())
    hints = annotation.describe(node, "Liver", volumeNode).hints
    assert any("turned against CT" in hint for hint in hints)
    volumeNode.SetAndObserveTransformNodeID(parent.GetID())
    assert annotation.describe(node, "Liver", volumeNode).hints == ()


def test_a_whole_structure_is_no_trouble(scene):
    found = describe(ellipsoid((30, 40, 40), (15, 20, 20), (12, 15, 15)))
    assert found.sentence == "Liver: 23 slices, axial 4–26"
    assert (found.problem, found.hints) == ("", ())


def test_it_follows_the_drawing(scene):
    volumeNode = volume(PLAIN, LARGE)
    node = segmentation(volumeNode, {"Liver": stack({12: disk()})})
    draw(node, volumeNode, "Liver", stack({12: disk(), 20: disk()}))
    add(node, volumeNode, "Spleen")
    assert annotation.describe(node, "Liver", volumeNode).slices == (12, 20)
    assert annotation.describe(node, "Spleen", volumeNode).slices == ()
    assert segments.occupiedSlices(node, "Liver", volumeNode)[0] == (12, 20)
    assert SHAPE != LARGE
