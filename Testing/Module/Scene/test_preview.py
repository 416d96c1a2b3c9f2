"""A result before it is accepted."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import segments, volumes
from FewShotSegmentModule.scene.preview import ATTRIBUTE, Preview
from scene_cases import OBLIQUE, affine, dice, ellipsoid, segmentation, transform, volume, whole

LIVER = (
    "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~~^^~^^"
)


@pytest.fixture
def case(scene):
    volumeNode = volume(OBLIQUE)
    node = segmentation(volumeNode, {"Liver": ellipsoid(), "Spleen": ellipsoid(center=(9, 20, 8), radius=(3, 4, 5))})
    node.GetSegmentation().GetSegment("Liver").SetTerminology(LIVER)
    return volumeNode, node


RESULT = np.roll(ellipsoid(), 3, axis=2)


def previews():
    return [
        node for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if node.GetAttribute(ATTRIBUTE)
    ]  # fmt: skip


def test_it_shows_the_result_and_changes_nothing(case):
    volumeNode, node = case
    before = segments.readMask(node, "Liver", volumeNode)
    times = [segments.labelmapOf(node, name).GetMTime() for name in ("Liver", "Spleen")]
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    assert previews() == [preview.node]
    assert np.array_equal(whole(segments.readMask(preview.node, "Liver", volumeNode)), RESULT)
    assert segments.readMask(node, "Liver", volumeNode) is before
    assert [segments.labelmapOf(node, name).GetMTime() for name in ("Liver", "Spleen")] == times
    segment = preview.node.GetSegmentation().GetSegment("Liver")
    source = node.GetSegmentation().GetSegment("Liver")
    assert (segment.GetName(), segment.GetColor(), segment.GetTerminology()) == (
        source.GetName(),
        source.GetColor(),
        LIVER,
    )
    assert preview.node.GetSegmentation().GetNumberOfSegments() == 1


def test_how_it_is_shown(case):
    volumeNode, node = case
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))}, opacity=0.4, outline=False)
    display = preview.node.GetDisplayNode()
    assert display.GetOpacity2DFill() == pytest.approx(0.4)
    assert not display.GetVisibility2DOutline()
    assert not display.GetVisibility3D()
    assert not preview.node.GetSegmentation().ContainsRepresentation(segments.SURFACE)
    preview.setOpacity(0.9)
    preview.setOutline(True)
    preview.set3D(True)
    assert display.GetOpacity2DFill() == pytest.approx(0.9)
    assert display.GetVisibility2DOutline()
    assert display.GetVisibility3D()
    assert preview.node.GetClosedSurfaceInternalRepresentation("Liver").GetNumberOfPoints() > 0
    preview.update({"Spleen": (RESULT, (0, 0, 0))})
    assert preview.node.GetClosedSurfaceInternalRepresentation("Spleen").GetNumberOfPoints() > 0
    assert preview.node.GetSegmentation().GetNumberOfSegments() == 1
    preview.set3D(False)
    preview.setVisible(False)
    assert not display.GetVisibility3D()
    assert not display.GetVisibility()


def test_it_follows_the_segmentations_transform(case):
    volumeNode, node = case
    node.SetAndObserveTransformNodeID(transform(affine((1, 1, 1), (3, -2, 1))).GetID())
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    assert preview.node.GetTransformNodeID() == node.GetTransformNodeID()
    assert dice(whole(segments.readMask(preview.node, "Liver", volumeNode)), RESULT) > 0.85


def test_an_empty_result_is_shown_as_nothing(case):
    volumeNode, node = case
    preview = Preview(node, volumeNode, {"Liver": segments.EMPTY}, show3D=True)
    assert segments.readMask(preview.node, "Liver", volumeNode).voxels.size == 0


def test_deleting_it_leaves_no_trace(case, scene):
    volumeNode, node = case
    count = scene.GetNumberOfNodes()
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    preview.delete()
    assert preview.node is None
    assert scene.GetNumberOfNodes() == count
    preview.delete()
    preview.setOpacity(0.3)
    preview.setOutline(True)
    preview.set3D(True)
    preview.setVisible(True)
    preview.update({})


@pytest.mark.parametrize("which", ["volume", "segmentation", "itself"])
def test_it_goes_with_the_nodes_it_belongs_to(case, scene, which):
    volumeNode, node = case
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    scene.RemoveNode({"volume": volumeNode, "segmentation": node, "itself": preview.node}[which])
    assert preview.node is None
    assert previews() == []


def test_it_goes_with_the_scene(case, scene):
    volumeNode, node = case
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    scene.Clear(False)
    assert preview.node is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 0
    preview.delete()


def test_it_is_not_saved_with_the_scene(case, scene, tmp_path):
    volumeNode, node = case
    preview = Preview(node, volumeNode, {"Liver": (RESULT, (0, 0, 0))})
    for n in (volumeNode, node):
        n.AddDefaultStorageNode()
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit(str(tmp_path / "scene.mrml"))
    text = (tmp_path / "scene.mrml").read_text()
    assert "preview" not in text
    assert text.count("<SegmentationDisplay") == node.GetNumberOfDisplayNodes()
    assert preview.node.GetHideFromEditors()
    assert preview.node.GetStorageNode() is None
    assert volumes.sceneVolumes() == [volumeNode]
