"""Review, comparison with a reference, composing a correction."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from FewShotSegmentModule import steps
from FewShotSegmentModule.scene import compose, reference, review, segments
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import OBLIQUE, SHAPE, affine, dice, ellipsoid, segmentation, volume, whole

from FewShotSegmentLib.review import propose


def test_doubtful_slices_come_least_sure_first_one_of_each_run():
    confidence = np.full(30, 0.95)
    confidence[[8, 9, 10]] = 0.7, 0.5, 0.6
    confidence[15] = 0.3
    confidence[20] = 0.1
    confidence[2] = 0.0  # far from the structure
    confidence[25] = 0.4  # just beyond it
    confidence[12] = np.nan  # nothing is known
    assert review.doubtful(confidence, [20], range(5, 25)) == (15, 25, 9)
    assert review.doubtful(confidence, [], range(5, 25)) == (20, 15, 25, 9)
    assert review.doubtful(confidence, [], range(5, 25), below=0.2) == (20,)
    assert review.doubtful(np.ones(30), [], range(5, 25)) == ()
    assert review.doubtful(confidence, [], ()) == ()


def test_next_and_previous_go_round():
    assert [review.nextSlice((15, 9, 25), i) for i in (0, 9, 20, 25, None)] == [9, 15, 25, 9, 9]
    assert [review.previousSlice((15, 9, 25), i) for i in (30, 25, 9, None)] == [25, 15, 25, 25]
    assert review.nextSlice((), 3) is review.previousSlice((), 3) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_suggested_slice_is_the_one_that_the_engine_proposes(axis):
    mask = ellipsoid()
    areas = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis))
    first, last = np.flatnonzero(areas)[[0, -1]]
    middle = int(first + last) // 2
    confidence = np.linspace(0.5, 1, SHAPE[axis])
    confidence[middle] = 1
    for spacing in (0.5, 5.0):
        found = review.suggestSlice(confidence, {middle: "hand"}, areas, spacing)
        assert found == propose(areas, confidence, [middle], spacing)
        assert first - 1 <= found < middle  # where it is less sure


def test_the_suggestion_weighs_doubt_by_area_and_spacing():
    areas = [0] * 10 + [50] * 40 + [0] * 10
    confidence = np.full(60, 0.95)
    confidence[14:19] = 0.6
    assert review.suggestSlice(confidence, [30], areas, 1.0) == 16
    areas[38:43] = [500] * 5  # a quarter of the doubt on ten times the area
    confidence[38:43] = 0.9
    assert review.suggestSlice(confidence, [30], areas, 1.0) == 40
    # the structure may run on past its end, where nothing was found
    confidence[:] = 1
    confidence[50] = 0.2
    assert review.suggestSlice(confidence, [30], [50 * (10 <= i < 50) for i in range(60)], 5.0) in (49, 50)


def test_what_is_not_known_counts_as_sure_where_a_slice_is_suggested():
    areas, confidence = np.full(41, 50), np.full(41, np.nan)
    assert review.suggestSlice(confidence, [20], areas, 1.0) == review.suggestSlice(np.ones(41), [20], areas, 1.0)
    confidence[30] = 0.5
    assert abs(review.suggestSlice(confidence, [20], areas, 1.0) - 30) <= 1
    assert np.isnan(confidence).sum() == 40  # what is shown stays as it was


def test_there_may_be_nothing_to_suggest():
    assert review.suggestSlice(np.ones(10), range(10), np.ones(10), 1.0) is None
    assert review.suggestSlice(np.ones(10), [], np.zeros(10), 1.0) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_areas_along_an_axis(axis):
    expected = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8)
    expected[:3], expected[:, -4:], expected[:, :, 20] = 0, 0, 0
    box, origin = segments.trim(expected > 0)
    areas = review.areasAlong(segments.Mask(box.view(np.uint8), origin), axis, SHAPE[axis])
    assert areas.dtype == np.int64
    assert areas.tolist() == expected.sum(axis=tuple(a for a in range(3) if a != axis), dtype=int).tolist()
    assert review.areasAlong(segments.EMPTY, axis, 5).tolist() == [0] * 5


def test_many_voxels_in_a_column_are_counted():
    mask = segments.Mask(np.ones((300, 2, 3), np.uint8), (1, 0, 0))
    assert review.areasAlong(mask, 2, 4).tolist() == [600, 600, 600, 0]


def test_the_suggestion_needs_no_torch():
    code = "import sys; import FewShotSegmentLib.review; print({'torch', 'SimpleITK', 'scipy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_volume_in_ml(scene):
    volumeNode, mask = volume(OBLIQUE), ellipsoid()
    node = segmentation(volumeNode, {"Liver": mask, "New": None})
    assert review.volumeMl(node, "Liver", volumeNode) == pytest.approx(mask.sum() * 0.9 * 1.4 * 2.7 / 1000)
    assert review.volumeMl(node, "New", volumeNode) == 0


def test_the_status_is_slicers(scene):
    import slicer

    volumeNode = volume()
    node = segmentation(volumeNode, {"Liver": ellipsoid()})
    segment = node.GetSegmentation().GetSegment("Liver")
    assert list(review.STATUSES) == ["not started", "in progress", "completed", "flagged"]
    for word, constant in review.STATUSES.items():
        review.setStatus(node, "Liver", word)
        assert review.status(node, "Liver") == word
        assert slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment) == constant


def hd95(one, other, spacing):
    """By the definition, from all pairs of surface points."""
    from scipy.ndimage import binary_erosion
    from scipy.spatial.distance import cdist

    points = [np.argwhere(m & ~binary_erosion(m)) * spacing for m in (one > 0, other > 0)]
    distances = cdist(*points)
    return max(np.percentile(distances.min(axis=1), 95), np.percentile(distances.min(axis=0), 95))


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 0, 0), (0, 3, -2), (2, 9, 9)])
def test_dice_and_hd95_are_what_their_definitions_say(scene, monkeypatch, shift):
    monkeypatch.setattr(reference, "_QUERY_POINTS", 50)
    volumeNode, mask = volume(affine((0.9, 1.4, 2.7))), ellipsoid()
    other = np.roll(mask, shift, (0, 1, 2)) & ellipsoid(radius=(5, 11, 13), center=(7, 15, 18))
    node, truth = segmentation(volumeNode, {"Liver": mask}), segmentation(volumeNode, {"Truth": other})
    found = steps.run(reference.compareSteps(node, "Liver", truth, "Truth", volumeNode))
    assert found.dice == pytest.approx(dice(mask, other))
    assert found.hd95 == pytest.approx(hd95(mask, other, (2.7, 1.4, 0.9)))
    assert found.ml == pytest.approx(review.volumeMl(node, "Liver", volumeNode))
    assert found.referenceMl == pytest.approx(review.volumeMl(truth, "Truth", volumeNode))


def test_compared_with_nothing(scene):
    volumeNode = volume()
    node = segmentation(volumeNode, {"Liver": ellipsoid(), "New": None})
    found = steps.run(reference.compareSteps(node, "Liver", node, "New", volumeNode))
    assert (found.dice, found.hd95, found.referenceMl) == (0, None, 0)
    with pytest.raises(SceneError, match="both empty"):
        steps.run(reference.compareSteps(node, "New", node, "New", volumeNode))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_correction_is_put_between_what_stays(axis, tmp_path):
    rng = np.random.default_rng(0)
    old, new = (np.zeros(SHAPE, np.uint8) for _ in range(2))
    old[2:12, 4:20, 6:30] = rng.integers(0, 2, (10, 16, 24))
    new[1:13, 2:25, 9:34] = rng.integers(0, 2, (12, 23, 25))
    current = segments.Mask(
        *[f(x) for f, x in zip((lambda b: b.view(np.uint8), tuple), segments.trim(old > 0), strict=True)]
    )
    box, origin = segments.trim(new > 0)
    np.save(tmp_path / "r.npy", box.view(np.uint8))
    result = SimpleNamespace(
        axis=axis, origin=list(origin), renewed=[[5, 8], [10, 10]], anchors=[6], file=str(tmp_path / "r.npy")
    )
    expected = np.moveaxis(old.copy(), axis, 0)
    for index in (5, 7, 8, 10):  # 6 is an anchor: it stays as it was drawn
        expected[index] = np.moveaxis(new, axis, 0)[index]
    expected = np.moveaxis(expected, 0, axis)
    assert np.array_equal(whole(compose.composeMask(current, result, SHAPE)), expected)
    assert np.array_equal(whole(compose.composeMask(current, result, SHAPE, voxels=box.view(np.uint8))), expected)
    # nothing was there before, and the anchors were found: a transfer
    result.renewed = [[0, SHAPE[axis] - 1]]
    assert np.array_equal(whole(compose.composeMask(segments.EMPTY, result, SHAPE, keep=())), new)
    empty = SimpleNamespace(axis=axis, origin=[0, 0, 0], renewed=[], anchors=[])
    assert compose.composeMask(segments.EMPTY, empty, SHAPE, voxels=segments.EMPTY.voxels).voxels.size == 0
