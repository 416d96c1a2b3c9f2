"""Segments on volumes' grids, whatever transforms and grids lie between, and back."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import geometry, grids, segments
from FewShotSegmentModule.scene.commit import LogicEditor, accept
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import (
    CUBIC,
    OBLIQUE,
    PLAIN,
    SAGITTAL,
    SHAPE,
    add,
    affine,
    dice,
    draw,
    ellipsoid,
    rotation,
    segmentation,
    transform,
    volume,
    warp,
    whole,
)

SHIFTED = affine((1, 1, 1), (7, 0, 0))
TURNED = affine((1, 1, 1), (2, -3, 4), rotation(10))


def write(node, volumeNode, segmentId, mask, origin=(0, 0, 0)):
    """As `accept` writes."""
    accept(LogicEditor(node, volumeNode), node, {segmentId: (mask, origin)}, volumeNode)


@pytest.mark.parametrize("matrix", [PLAIN, CUBIC, OBLIQUE, SAGITTAL])
@pytest.mark.parametrize("parent", [None, SHIFTED, TURNED])
@pytest.mark.parametrize("twins", [False, True])
def test_under_the_same_transform_all_is_exact(scene, matrix, parent, twins):
    volumeNode, mask = volume(matrix), ellipsoid()
    node = segmentation(volumeNode, {"Liver": mask})
    if parent is not None:
        one = transform(parent)
        volumeNode.SetAndObserveTransformNodeID(one.GetID())
        node.SetAndObserveTransformNodeID((transform(parent) if twins else one).GetID())
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask)
    new = np.roll(mask, (1, 2, 3), (0, 1, 2))
    write(node, volumeNode, "Liver", new)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), new)
    # as Slicer itself reads it; between two transforms, though equal, it resamples
    assert dice(slicer.util.arrayFromSegmentBinaryLabelmap(node, "Liver", volumeNode), new) > (0.9 if twins else 0.9999)


def test_under_the_same_bent_transform_all_is_exact(scene):
    volumeNode, mask = volume(), ellipsoid()
    node, parent = segmentation(volumeNode, {"Liver": mask}), warp()
    for n in (volumeNode, node):
        n.SetAndObserveTransformNodeID(parent.GetID())
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask)
    write(node, volumeNode, "Liver", mask[::-1])
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask[::-1])


@pytest.mark.parametrize("moved", ["volume", "segmentation"])
@pytest.mark.parametrize(
    ("matrix", "millimeters", "voxels"),
    # whole voxels along i
    [(affine((0.7, 0.7, 3.0)), 7.0, 10), (affine((3.5, 1, 2)), 7.0, 2), (affine((1, 1, 1), flip=(-1, 1, 1)), 7.0, -7)],
)
def test_a_translation_of_whole_voxels_is_exact_once_and_not_twice(scene, matrix, millimeters, voxels, moved):
    volumeNode = volume(matrix)
    mask = ellipsoid(center=(6, 14, 18), radius=(4, 8, 5))
    node = segmentation(volumeNode, {"Liver": mask})
    parent = transform(affine((1, 1, 1), (millimeters, 0, 0)))
    (volumeNode if moved == "volume" else node).SetAndObserveTransformNodeID(parent.GetID())
    expected = np.roll(mask, -voxels if moved == "volume" else voxels, axis=2)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), expected)
    write(node, volumeNode, "Liver", mask)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask)


@pytest.mark.parametrize("moved", ["volume", "segmentation"])
@pytest.mark.parametrize("kind", ["translation", "rotation", "bent"])
@pytest.mark.parametrize("matrix", [CUBIC, OBLIQUE])
def test_between_different_transforms_only_resampling_is_lost(scene, matrix, kind, moved):
    volumeNode, mask = volume(matrix), ellipsoid()
    if kind == "bent":
        matrix = CUBIC
        volumeNode.SetIJKToRASMatrix(geometry.matrixFromArray(CUBIC))
    node = segmentation(volumeNode, {"Liver": None})
    parent = {
        "translation": lambda: transform(affine((1, 1, 1), (0.6, -0.7, 0.9))),
        "rotation": lambda: transform(np.asarray(matrix) @ affine((1, 1, 1)) @ np.linalg.inv(matrix) @ _turn(matrix)),
        "bent": warp,
    }[kind]()
    (volumeNode if moved == "volume" else node).SetAndObserveTransformNodeID(parent.GetID())
    write(node, volumeNode, "Liver", mask)
    back = whole(segments.readMask(node, "Liver", volumeNode))
    assert dice(back, mask) > 0.85
    # the center is where it was, not twice the transform away
    centers = [np.mean(np.nonzero(m), axis=1) for m in (back, mask)]
    assert np.abs(centers[0] - centers[1]).max() < 0.6
    # as Slicer itself sees it
    assert dice(slicer.util.arrayFromSegmentBinaryLabelmap(node, "Liver", volumeNode), back) > 0.95


def _turn(matrix):
    """A turn of 8° about the middle of the volume, so that the object stays on the segmentation's grid."""
    middle = (np.asarray(matrix) @ [SHAPE[2] / 2, SHAPE[1] / 2, SHAPE[0] / 2, 1])[:3]
    turn = affine((1, 1, 1), turn=rotation(8))
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    return turn


def test_a_labelmap_smaller_than_the_volume_is_put_in_its_place(scene):
    volumeNode = volume(OBLIQUE)
    node = segmentation(volumeNode, {"Liver": None})
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:7, 9:20, 5:30] = 1
    image = segments.labelmapFromMask(mask[4:7, 9:20, 5:30], (4, 9, 5), volumeNode, node)
    assert image.GetExtent() == (5, 29, 9, 19, 4, 6)
    node.GetSegmentation().GetSegment("Liver").AddRepresentation(segments.LABELMAP, image)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask)
    assert segments.occupiedSlices(node, "Liver", volumeNode) == (
        (4, 5, 6),
        tuple(range(9, 20)),
        tuple(range(5, 30)),
    )


def test_a_labelmap_larger_than_the_volume_is_cut(scene):
    large, mask = volume(PLAIN), ellipsoid()
    node = segmentation(large, {"Liver": mask})
    small = np.array(PLAIN)
    small[:3, 3] = (PLAIN @ [10, 8, 3, 1])[:3]
    volumeNode = volume(small, (6, 12, 14))
    expected = mask[3:9, 8:20, 10:24]
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode), (6, 12, 14)), expected)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_finer_segmentation_is_written_and_read(scene, factor):
    volumeNode, mask = volume(OBLIQUE), ellipsoid()
    fine = OBLIQUE @ np.diag([1 / factor, 1 / factor, 1 / factor, 1])
    # the fine voxels fill the coarse ones
    fine[:3, 3] = (OBLIQUE @ [*[-0.5 + 0.5 / factor] * 3, 1])[:3]
    finer = volume(fine, tuple(factor * n for n in SHAPE), np.uint8)
    node = segmentation(finer, {"Liver": None})
    write(node, volumeNode, "Liver", mask)
    back = whole(segments.readMask(node, "Liver", volumeNode))
    if factor % 2:
        assert np.array_equal(back, mask)  # a fine voxel lies at the center of each coarse one
        as_fine = np.kron(mask, np.ones((factor,) * 3, np.uint8))
        assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "Liver", finer), as_fine)
    else:
        assert dice(back, mask) > 0.85


def test_what_lies_outside_the_segmentations_grid_is_cut_as_the_editor_does(scene):
    volumeNode, mask = volume(PLAIN), ellipsoid()
    part = np.array(PLAIN)
    part[:3, 3] = (PLAIN @ [0, 0, 5, 1])[:3]
    node = segmentation(volume(part, (4, *SHAPE[1:])), {"Liver": None})
    write(node, volumeNode, "Liver", mask)
    expected = mask.copy()
    expected[:5], expected[9:] = 0, 0
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), expected)


def test_segments_that_share_a_labelmap_are_told_apart(scene):
    volumeNode = volume()
    one, other = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    one[3:6, 4:9, 4:9] = 1
    other[2:9, 12:20, 20:30] = 1
    node = segmentation(volumeNode, {"A": one, "B": other})
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert np.array_equal(whole(segments.readMask(node, "A", volumeNode)), one)
    assert np.array_equal(whole(segments.readMask(node, "B", volumeNode)), other)
    write(node, volumeNode, "A", one[::-1].copy())
    assert np.array_equal(whole(segments.readMask(node, "A", volumeNode)), one[::-1])
    assert np.array_equal(whole(segments.readMask(node, "B", volumeNode)), other)


def test_what_was_read_is_kept_until_something_changes(scene, monkeypatch):
    volumeNode, mask = volume(), ellipsoid()
    node = segmentation(volumeNode, {"Liver": mask})
    first = segments.readMask(node, "Liver", volumeNode)
    with monkeypatch.context() as patch:
        patch.setattr(segments, "_maskOnVolumeSteps", None)  # would fail if it were called
        assert segments.readMask(node, "Liver", volumeNode) is first
    with pytest.raises(ValueError, match="read-only"):
        first.voxels[:] = 0
    draw(node, volumeNode, "Liver", mask[::-1])
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask[::-1])
    parent = transform(np.eye(4))
    node.SetAndObserveTransformNodeID(parent.GetID())
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask[::-1])
    parent.SetMatrixTransformToParent(geometry.matrixFromArray(affine((1, 1, 1), (0, 0, 3))))
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), np.roll(mask[::-1], 1, axis=0))
    volumeNode.SetOrigin(*np.add(volumeNode.GetOrigin(), (0, 0, 3)))
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask[::-1])


def test_reading_in_pieces_gives_the_same(scene, monkeypatch):
    volumeNode = volume(CUBIC)
    node = segmentation(volumeNode, {"Liver": ellipsoid()})
    node.SetAndObserveTransformNodeID(transform(_turn(CUBIC)).GetID())
    at_once = whole(segments.readMask(node, "Liver", volumeNode))
    segments.reader.forget()
    monkeypatch.setattr(grids, "_PIECE", 1000)
    work = segments.reader.readMaskSteps(node, "Liver", volumeNode)
    assert sum(1 for _ in work) > 3
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), at_once)
    assert dice(at_once, ellipsoid()) > 0.7


def test_an_edit_of_the_labelmap_in_place_is_seen(scene):
    volumeNode, mask = volume(), ellipsoid()
    node = segmentation(volumeNode, {"Liver": mask})
    before = segments.readMask(node, "Liver", volumeNode).voxels.sum()
    labelmap = node.GetBinaryLabelmapInternalRepresentation("Liver")
    grids.imageArray(labelmap)[6, 14, 17] = 0
    labelmap.GetPointData().GetScalars().Modified()
    assert segments.readMask(node, "Liver", volumeNode).voxels.sum() == before - 1


def test_only_so_much_is_kept(scene):
    volumeNode, mask = volume(), ellipsoid()
    node = segmentation(volumeNode, dict.fromkeys("ABCD", mask))
    reader = segments.SegmentReader(keptBytes=2 * segments.readMask(node, "A", volumeNode).voxels.nbytes)
    for name in "ABCD":
        reader.readMask(node, name, volumeNode)
    assert [key[1] for key in reader._kept] == ["C", "D"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_have_the_whole_volumes_rows_and_columns(scene, axis):
    volumeNode, mask = volume(OBLIQUE), ellipsoid()
    node = segmentation(volumeNode, {"Liver": mask})
    indices = [0, 5, 6, SHAPE[axis] - 1]
    slices = segments.maskSlices(node, "Liver", volumeNode, axis, indices)
    assert slices.dtype == np.uint8
    assert np.array_equal(slices, np.moveaxis(mask, axis, 0)[indices])


def test_empty_segments_are_empty(scene):
    volumeNode = volume()
    node = segmentation(volumeNode, {"New": None, "Erased": np.zeros(SHAPE, np.uint8)})
    for name in ("New", "Erased"):
        assert segments.readMask(node, name, volumeNode).voxels.size == 0
        assert segments.occupiedSlices(node, name, volumeNode) == ((), (), ())
        assert not segments.maskSlices(node, name, volumeNode, 0, [3]).any()
        assert not segments.reader.isDrawn(node, name)


def test_what_is_not_there_is_said_in_a_sentence(scene):
    volumeNode = volume()
    node = segmentation(volumeNode, {"Liver": ellipsoid()})
    with pytest.raises(SceneError, match="not there any more"):
        segments.readMask(node, "Gone", volumeNode)
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()
    with pytest.raises(SceneError, match="Liver is a surface"):
        segments.readMask(node, "Liver", volumeNode)


def test_a_segmentation_without_grid_gets_the_volumes(scene):
    volumeNode, mask = volume(OBLIQUE), ellipsoid()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    add(node, volumeNode, "Liver")
    write(node, volumeNode, "Liver", mask)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), mask)
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is volumeNode
