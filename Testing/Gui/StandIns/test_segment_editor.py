"""The segment editor's stand-in: undo and the rules are Slicer's own."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def editor(scene):
    import headless_slicer
    import slicer

    volume = headless_slicer.add_volume(np.zeros((6, 8, 10), np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
    segmentation = headless_slicer.add_segmentation(volume)
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLScene(scene)
    widget.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setSegmentationNode(segmentation)
    widget.setSourceVolumeNode(volume)
    widget.onAddSegment()
    yield widget
    widget.delete()


def paint(editor, index: int) -> None:
    """One slice of the current segment, through the editor."""
    from vtk.util.numpy_support import vtk_to_numpy

    labelmap = editor.effectByName("Paint").defaultModifierLabelmap()
    array = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    array.reshape(6, 8, 10)[index, 2:5, 3:7] = 1
    labelmap.Modified()
    effect = editor.effectByName("Paint")
    effect.saveStateForUndo()
    effect.modifySelectedSegmentByLabelmap(labelmap, effect.ModificationModeAdd)


def slices(editor) -> list[int]:
    import slicer

    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        editor.segmentationNode(), editor.currentSegmentID(), editor.sourceVolumeNode()
    )
    return [index for index in range(6) if mask[index].any()]


def test_undo_and_redo_are_slicers(editor):
    paint(editor, 2)
    paint(editor, 4)
    assert slices(editor) == [2, 4]
    editor.undo()
    assert slices(editor) == [2]
    editor.undo()
    assert slices(editor) == []
    editor.redo()
    assert slices(editor) == [2]


def test_overwrite_rules_are_slicers(editor):
    import slicer

    paint(editor, 2)
    first = editor.currentSegmentID()
    editor.onAddSegment()
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    paint(editor, 2)
    editor.setCurrentSegmentID(first)
    assert slices(editor) == []


def test_editor_tells_of_the_current_segment(editor):
    seen = []
    editor.connect("currentSegmentIDChanged(QString)", seen.append)
    first = editor.currentSegmentID()
    editor.onAddSegment()
    second = editor.currentSegmentID()
    editor.setCurrentSegmentID(first)
    assert seen == [second, first]
