"""Review, comparison with a reference, composing a correction."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from FewShotSegmentModule import steps
from FewShotSegmentModule.scene import compose, reference, review, segments
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import OBLIQUE, SHAPE, affine, dice, ellipsoid, segmentation, volume, whole


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


@pytest.mark.parametrize(
    ("anchors", "expected"),
    [
        ([30], (15, 45)),  # one in the middle: about 25 and 75 of 100
        ([10, 50], (30,)),  # the widest stretch
        ([10, 30, 50], (20, 40)),
        ([], (30,)),
    ],
)
def test_the_next_slice_to_annotate_covers_the_structure(anchors, expected):
    found = review.suggestSlice(None, anchors, range(10, 51))
    assert min(abs(found - e) for e in expected) <= 6
    assert found not in anchors


def test_of_stretches_as_wide_the_least_sure_is_taken():
    confidence = np.full(60, 0.9)
    confidence[41] = 0.2
    assert 30 < review.suggestSlice(confidence, [10, 30, 50], range(10, 51)) < 50
    confidence[22] = 0.1
    assert 10 < review.suggestSlice(confidence, [10, 30, 50], range(10, 51)) < 30


def test_there_may_be_nothing_to_suggest():
    assert review.suggestSlice(None, range(10), range(10)) is None
    assert review.suggestSlice(None, [], ()) is None


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
