"""Volumes that the engine can take, their key, their file."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from FewShotSegmentModule import steps
from FewShotSegmentModule.scene import voxels
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import SHAPE, volume


def test_the_array_is_a_view_that_cannot_be_written_to(scene):
    node = volume()
    array = voxels.volumeArray(node)
    assert array.shape == SHAPE
    assert np.shares_memory(array, slicer.util.arrayFromVolume(node))
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1
    slicer.util.arrayFromVolume(node)[0, 0, 0] = 1  # that of others stays writeable


def of_class(name, array=None):
    node = slicer.mrmlScene.AddNewNodeByClass(name, "Scan")
    if array is not None:
        slicer.util.updateVolumeFromArray(node, array)
    return node


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: None, "No volume is chosen"),
        (lambda: of_class("vtkMRMLModelNode"), "Scan is no volume"),
        (lambda: of_class("vtkMRMLLabelMapVolumeNode", np.zeros(SHAPE, np.uint8)), "Scan is a label map"),
        (lambda: of_class("vtkMRMLScalarVolumeNode"), "Scan has no voxels"),
        (lambda: of_class("vtkMRMLVectorVolumeNode", np.zeros((4, 5, 6, 3), np.uint8)), "3 values per voxel"),
        (lambda: of_class("vtkMRMLScalarVolumeNode", np.zeros((1, 5, 6))), "Scan has only one slice"),
    ],
)
def test_what_is_no_volume_is_refused_in_a_sentence(scene, make, text):
    node = make()
    for function in (voxels.volumeArray, voxels.volumeKey):
        with pytest.raises(SceneError, match=text):
            function(node)


def test_the_key_changes_with_the_voxels_and_not_with_their_look(scene):
    node = volume()
    node.CreateDefaultDisplayNodes()
    key = voxels.volumeKey(node)
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(77, 11)
    node.GetImageData().GetScalarRange()
    node.SetName("another")
    assert voxels.volumeKey(node) == key
    slicer.util.arrayFromVolume(node)[3, 4, 5] += 1
    slicer.util.arrayFromVolumeModified(node)
    changed = voxels.volumeKey(node)
    assert changed != key
    node.SetSpacing(9, 9, 9)
    assert voxels.volumeKey(node) != changed
    assert voxels.volumeKey(volume()) != voxels.volumeKey(volume())


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_the_file_holds_the_voxels(scene, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(voxels, "BLOCK_BYTES", 1000)
    node = volume(dtype=dtype)
    path = steps.run(voxels.writeVolumeSteps(node, tmp_path / "v.npy"))
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    assert loaded.dtype == dtype
    assert np.array_equal(loaded, slicer.util.arrayFromVolume(node))
    assert [p.name for p in tmp_path.iterdir()] == ["v.npy"]


def test_the_file_appears_only_when_it_is_complete(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(voxels, "BLOCK_BYTES", 1000)
    work = voxels.writeVolumeSteps(volume(), tmp_path / "v.npy")
    next(work)
    assert not (tmp_path / "v.npy").exists()
    work.close()  # cancelled
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        slicer.util.arrayFromVolumeModified,
        lambda node: node.SetAndObserveImageData(None),
    ],
)
def test_a_volume_changed_meanwhile_gives_no_file(scene, tmp_path, monkeypatch, change):
    monkeypatch.setattr(voxels, "BLOCK_BYTES", 1000)
    node = volume()
    work = voxels.writeVolumeSteps(node, tmp_path / "v.npy")
    next(work)
    change(node)
    with pytest.raises(SceneError, match="changed"):
        steps.run(work)
    assert list(tmp_path.iterdir()) == []


def test_a_volume_deleted_meanwhile_does_no_harm(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(voxels, "BLOCK_BYTES", 1000)
    node = volume()
    before = slicer.util.arrayFromVolume(node).copy()
    work = voxels.writeVolumeSteps(node, tmp_path / "v.npy")
    next(work)
    slicer.mrmlScene.RemoveNode(node)
    try:
        path = steps.run(work)
    except SceneError:
        assert list(tmp_path.iterdir()) == []
    else:
        assert np.array_equal(np.load(path), before)


def test_run_returns_what_the_steps_return():
    def work():
        yield
        yield
        return 7

    assert steps.run(work()) == 7
