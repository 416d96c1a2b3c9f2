"""Where voxels are, and which slice a view shows."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import geometry
from scene_cases import CUBIC, OBLIQUE, PLAIN, SAGITTAL, SHAPE, affine, rotation, transform, volume, warp


def slice_node(view="Red", orientation="Axial"):
    node = slicer.vtkMRMLSliceNode()
    node.SetLayoutName(view)
    node = slicer.mrmlScene.AddNode(node)
    {
        "Axial": node.SetOrientationToAxial,
        "Sagittal": node.SetOrientationToSagittal,
        "Coronal": node.SetOrientationToCoronal,
    }[orientation]()
    return node


@pytest.mark.parametrize("matrix", [PLAIN, CUBIC, OBLIQUE, SAGITTAL])
def test_lps_is_ras_with_two_signs_changed(scene, matrix):
    lps = geometry.ijkToLps(volume(matrix))
    assert np.allclose(lps[:2], -np.asarray(matrix)[:2], atol=1e-9)
    assert np.allclose(lps[2:], np.asarray(matrix)[2:], atol=1e-9)


@pytest.mark.parametrize("matrix", [PLAIN, CUBIC, OBLIQUE, SAGITTAL])
def test_the_acquisition_axis_is_the_engines(scene, matrix):
    from FewShotSegmentLib.images.geometry import Geometry

    node = volume(matrix)
    engine = Geometry(SHAPE, geometry.ijkToLps(node))
    assert geometry.acquisitionAxis(node) == engine.acquisition_axis
    assert geometry.spacing(node) == pytest.approx(engine.spacing)
    assert geometry.voxelMl(node) == pytest.approx(engine.voxel_ml)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (PLAIN, ("axial", "coronal", "sagittal")),
        (OBLIQUE, ("axial", "coronal", "sagittal")),
        (SAGITTAL, ("sagittal", "axial", "coronal")),
        (affine((1, 1, 1), turn=rotation(44, (1, 0, 0))), ("axial", "coronal", "sagittal")),
    ],
)
def test_axes_have_different_words(scene, matrix, words):
    assert tuple(geometry.axisWord(volume(matrix), axis) for axis in range(3)) == words


@pytest.mark.parametrize("orientation", ["Axial", "Coronal", "Sagittal"])
@pytest.mark.parametrize("matrix", [PLAIN, CUBIC, SAGITTAL])
def test_a_view_jumps_to_every_slice(scene, matrix, orientation):
    node, view = volume(matrix), slice_node(orientation=orientation)
    axis, _index = geometry.arrayAxisOfSlice(view, node)
    assert geometry.axisWord(node, axis) == orientation.lower()
    for index in range(SHAPE[axis]):
        view.SetSliceOffset(geometry.sliceOffsetOf(node, axis, index, view))
        assert geometry.arrayAxisOfSlice(view, node) == (axis, index)


def test_a_view_turned_to_an_oblique_volume_shows_its_slices(scene):
    node, view = volume(OBLIQUE), slice_node()
    assert geometry.arrayAxisOfSlice(view, node) == (None, None)
    view.RotateToVolumePlane(node)
    axis, _index = geometry.arrayAxisOfSlice(view, node)
    for index in range(SHAPE[axis]):
        view.SetSliceOffset(geometry.sliceOffsetOf(node, axis, index, view))
        assert geometry.arrayAxisOfSlice(view, node) == (axis, index)


def test_the_parent_transform_moves_the_slices(scene):
    node, view = volume(PLAIN), slice_node()
    view.SetSliceOffset(geometry.sliceOffsetOf(node, 0, 5, view))
    node.SetAndObserveTransformNodeID(transform(affine((1, 1, 1), (0, 0, 6))).GetID())
    assert geometry.arrayAxisOfSlice(view, node) == (0, 3)
    view.SetSliceOffset(geometry.sliceOffsetOf(node, 0, 5, view))
    assert geometry.arrayAxisOfSlice(view, node) == (0, 5)


def test_beyond_the_volume_the_last_slice_is_meant(scene):
    node, view = volume(PLAIN), slice_node()
    view.SetSliceOffset(1000)
    assert geometry.arrayAxisOfSlice(view, node) == (0, SHAPE[0] - 1)


def test_what_cannot_be_located_is_no_slice(scene):
    node, view = volume(PLAIN), slice_node()
    view.SetSliceOffset(12)
    node.SetAndObserveTransformNodeID(warp().GetID())
    assert geometry.arrayAxisOfSlice(view, node) == (None, None)
    assert geometry.sliceOffsetOf(node, 0, 3, view) == 12
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert geometry.arrayAxisOfSlice(view, empty) == (None, None)
