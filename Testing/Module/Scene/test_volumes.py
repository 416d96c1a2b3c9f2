"""Volumes for the queue: scene, Subject Hierarchy, sequences, files."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import segments, sequences, volumes
from FewShotSegmentModule.scene.errors import SceneError
from FewShotSegmentModule.scene.preview import Preview
from FewShotSegmentModule.scene.voxels import volumeKey
from scene_cases import SHAPE, ellipsoid, segmentation, volume, whole


def test_only_usable_volumes_of_the_scene_are_listed(scene):
    good = [volume(name="A"), volume(name="B")]
    hidden = volume(name="hidden")
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, np.zeros(SHAPE, np.uint8))
    color = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "color")
    slicer.util.updateVolumeFromArray(color, np.zeros((*SHAPE, 3), np.uint8))
    node = segmentation(good[0], {"Liver": ellipsoid()})
    Preview(node, good[0], {"Liver": (ellipsoid(), (0, 0, 0))})
    assert volumes.sceneVolumes() == good


def test_a_folder_is_searched_with_its_folders(scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    nodes = [volume(name=name) for name in ("A", "B", "elsewhere")]
    items = [hierarchy.CreateItem(parent, node) for parent, node in zip((patient, study), nodes, strict=False)]
    hierarchy.CreateItem(study, segmentation(nodes[0], {"Liver": ellipsoid()}))
    assert set(volumes.folderVolumes(patient)) == set(nodes[:2])
    assert volumes.folderVolumes(study) == [nodes[1]]
    assert volumes.folderVolumes(items[0]) == [nodes[0]]


def test_files_of_a_folder(tmp_path):
    names = ["b.nii.gz", "a.nrrd", "a.seg.nrrd", "notes.txt", ".hidden.nii", "C.MHA"]
    for name in names:
        (tmp_path / name).touch()
    assert [p.name for p in volumes.volumeFiles(tmp_path)] == ["C.MHA", "a.nrrd", "b.nii.gz"]
    series = tmp_path / "series"
    series.mkdir()
    for number in range(3):
        (series / f"{number}.dcm").touch()
    assert volumes.volumeFiles(series) == [series]


@pytest.fixture
def cine(scene):
    """Three frames, played by a browser."""
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for number in range(3):
        node = volume(name=f"frame {number}")
        slicer.util.arrayFromVolume(node)[:] = number
        sequence.SetDataNodeAtValue(node, f"{number * 0.5}")
        scene.RemoveNode(node)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return sequence, browser


def test_of_a_dicom_folder_one_file_is_loaded(tmp_path):
    assert volumes.fileToLoad(tmp_path / "a.nrrd") == str(tmp_path / "a.nrrd")
    assert volumes.fileToLoad(tmp_path) == str(tmp_path)  # nothing is in it: Slicer says so
    (tmp_path / ".hidden").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "DIRECTORY.txt").write_text("no image")
    assert volumes.fileToLoad(str(tmp_path)) == str(tmp_path / "DIRECTORY.txt")
    for name in ("IM2", "IM1"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM" + bytes(20))
    assert volumes.fileToLoad(tmp_path) == str(tmp_path / "IM1")


def test_frames_are_volumes_like_others(cine):
    sequence, browser = cine
    frames = sequences.frames(sequence)
    assert [float(value) for value, _node in frames] == [0, 0.5, 1]
    assert [int(slicer.util.arrayFromVolume(node).max()) for _value, node in frames] == [0, 1, 2]
    assert len({volumeKey(node) for _value, node in frames}) == 3
    assert browser.GetProxyNode(sequence) is not None  # the frame on screen is none of its own
    assert volumes.sceneVolumes() == []


def test_segmentations_are_played_with_their_volumes(cine, scene):
    sequence, browser = cine
    output = sequences.createSegmentationSequence(sequence)
    assert (output.GetName(), output.GetIndexName(), output.GetIndexUnit()) == ("Cine segmentation", "time", "s")
    for number, (value, frame) in enumerate(sequences.frames(sequence)):
        node = segmentation(frame, {"Liver": np.roll(ellipsoid(), number, axis=2)})
        sequences.setFrame(output, value, node)
        scene.RemoveNode(node)
    shown = sequences.showWith(sequence, output)
    assert sequences.showWith(sequence, output) is shown is browser.GetProxyNode(output)
    assert browser.IsSynchronizedSequenceNode(output)
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 2
    assert [output.GetNthIndexValue(n) for n in range(3)] == [sequence.GetNthIndexValue(n) for n in range(3)]
    for number, (_value, frame) in enumerate(sequences.frames(sequence)):
        found = segments.readMask(output.GetNthDataNode(number), "Liver", frame)
        assert np.array_equal(whole(found), np.roll(ellipsoid(), number, axis=2))


def test_without_browser_the_sequence_is_there_all_the_same(cine, scene):
    sequence, browser = cine
    scene.RemoveNode(browser)
    assert sequences.showWith(sequence, sequences.createSegmentationSequence(sequence, "Out")) is None


def test_what_is_no_sequence_of_volumes_is_said(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Tracks")
    with pytest.raises(SceneError, match="Tracks has no frames"):
        sequences.frames(sequence)
    sequence.SetDataNodeAtValue(scene.AddNewNodeByClass("vtkMRMLModelNode"), "0")
    with pytest.raises(SceneError, match="Tracks is no sequence of volumes"):
        sequences.frames(sequence)
