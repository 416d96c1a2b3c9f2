from __future__ import annotations

import pytest


def test_without_volume_it_says_what_is_missing(make_panels):
    panels = make_panels()
    assert "volume" in panels.annotation.ui.statusLabel.text
    assert not panels.annotation.ui.newSegmentationButton.isEnabled()
    assert panels.annotation.ui.hintsLabel.isHidden()


def test_opening_takes_the_only_volume_and_makes_nothing(make_panels):
    import slicer

    panels = make_panels()
    volume = panels.load_volume()
    panels.exit()
    panels.enter()
    assert panels.parameters.volume is volume
    assert panels.segmentation is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert "segmentation" in panels.annotation.ui.statusLabel.text


def test_of_two_volumes_none_is_taken_unless_one_is_active(make_panels):
    import slicer

    panels = make_panels()
    panels.load_volume("first")
    second = panels.load_volume("second")
    panels.exit()
    panels.enter()
    assert panels.parameters.volume is None
    slicer.app.applicationLogic().GetSelectionNode().SetReferenceActiveVolumeID(second.GetID())
    panels.exit()
    panels.enter()
    assert panels.parameters.volume is second


def test_new_segmentation_has_the_volumes_grid_and_a_segment(make_panels):
    import slicer

    panels = make_panels()
    volume = panels.add_volume(spacing=(0.7, 0.7, 2.5))
    panels.press(panels.annotation.ui.newSegmentationButton)
    segmentation = panels.segmentation
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmentation.GetNodeReference(role) is volume
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert panels.segment_id == segmentation.GetSegmentation().GetNthSegmentID(0)
    assert panels.annotation.ui.newSegmentationButton.isHidden()
    assert "not drawn yet" in panels.annotation.ui.statusLabel.text


def test_a_user_who_picks_a_volume_can_draw_at_once(make_panels):
    panels = make_panels()
    volume = panels.load_volume()
    panels.annotation.ui.volumeSelector.setCurrentNode(volume)
    panels.annotation.ui.volumeSelector.nodeActivated.emit(volume)
    assert panels.volume is volume
    assert panels.segment_id


def test_picking_a_volume_takes_the_segmentation_that_it_has(make_panels):
    panels = make_panels()
    volume = panels.add_volume()
    panels.annotation.makeSegmentation()
    segmentation = panels.segmentation
    panels.parameters.segmentation = None
    panels.annotation.ui.volumeSelector.nodeActivated.emit(volume)
    assert panels.segmentation is segmentation


def test_a_segmentation_added_in_the_selector_gets_grid_and_segment(make_panels):
    import slicer

    panels = make_panels()
    volume = panels.add_volume()
    panels.annotation.ui.segmentationSelector.addNode()
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert panels.segmentation.GetNodeReference(role) is volume
    assert panels.segment_id


def test_the_line_follows_the_drawing(panels):
    status = panels.annotation.ui.statusLabel
    panels.draw(20)
    assert status.text == "Segment_1: 1 slice, axial 20"
    panels.draw(30)
    assert status.text == "Segment_1: 2 slices, axial 20, 30"
    panels.draw(20, radius=0)
    panels.draw(30, radius=0)
    assert "not drawn yet" in status.text


def test_the_line_follows_the_name_and_the_selection(drawn):
    status = drawn.annotation.ui.statusLabel
    drawn.segmentation.GetSegmentation().GetSegment(drawn.segment_id).SetName("Liver")
    drawn.settle()
    assert status.text.startswith("Liver: ")
    other = drawn.add_segment("Spleen")
    drawn.annotation.ui.segmentEditor.setCurrentSegmentID(other)
    assert "Spleen is not drawn yet" in status.text


def test_strokes_are_collected(panels):
    told = []
    panels.context.annotationChanged.connect(lambda: told.append(1))
    for index in (10, 11, 12):
        panels.draw(index, told=False)
    assert told == []
    panels.settle()
    assert told == [1]


def test_hints_before_the_run(panels):
    panels.draw(20, radius=2)
    hints = panels.annotation.ui.hintsLabel
    assert hints.isVisible()
    assert hints.text.startswith("⚠ ")
    panels.draw(20, radius=12)
    assert hints.isHidden()


def test_another_volume_keeps_the_drawing_and_says_so(drawn):
    before = drawn.voxels()
    first = drawn.volume
    drawn.parameters.volume = drawn.load_volume("MR", spacing=(2.0, 2.0, 2.0), shape=(20, 30, 30))
    note = drawn.annotation.ui.geometryLabel
    assert note.isVisible()
    assert "CT" in note.text
    assert "MR" in note.text
    drawn.parameters.volume = first
    assert note.isHidden()
    assert (drawn.voxels() == before).all()


def test_an_empty_segmentation_takes_the_grid_of_another_volume(panels):
    import slicer

    other = panels.load_volume("MR", spacing=(2.0, 2.0, 2.0), shape=(20, 30, 30))
    panels.parameters.volume = other
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert panels.segmentation.GetNodeReference(role) is other
    assert panels.annotation.ui.geometryLabel.isHidden()


def test_the_editor_is_set_up(panels):
    import slicer

    editor = panels.annotation.ui.segmentEditor
    node = editor.mrmlSegmentEditorNode()
    assert node is panels.parameters.segmentEditor
    assert node.GetSingletonTag() == "FewShotSegment"
    assert node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteNone
    assert editor.undoEnabled
    assert editor.maximumNumberOfUndoStates >= 10
    assert not editor.segmentationNodeSelectorVisible
    assert not editor.sourceVolumeNodeSelectorVisible
    assert editor.segmentationNode() is panels.segmentation
    assert editor.sourceVolumeNode() is panels.volume


def test_the_overwrite_mode_that_the_user_chose_stays(panels):
    import slicer

    node = panels.parameters.segmentEditor
    node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    panels.exit()
    panels.enter()
    assert panels.parameters.segmentEditor is node
    assert node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments


def test_leaving_lets_go_of_views_and_keyboard(panels):
    editor = panels.annotation.ui.segmentEditor
    assert editor._observing_views
    assert editor._shortcuts_parent is not None
    editor.setActiveEffectByName("Paint")
    panels.exit()
    assert editor.activeEffect() is None
    assert not editor._observing_views
    assert editor._shortcuts_parent is None


@pytest.mark.parametrize("times", [1, 3])
def test_scene_closed_and_opened_again(drawn, times):
    import slicer

    for _ in range(times):
        drawn.context.parameterNode = None
        slicer.mrmlScene.Clear(False)
        slicer.app.processEvents()
        assert "volume" in drawn.annotation.ui.statusLabel.text
        drawn.open_scene()
        drawn.add_volume()
        drawn.annotation.makeSegmentation()
        drawn.draw(7)
        assert drawn.annotation.ui.statusLabel.text == "Segment_1: 1 slice, axial 7"
        assert drawn.annotation.ui.segmentEditor.mrmlSegmentEditorNode() is drawn.parameters.segmentEditor


def test_the_volume_is_removed(drawn):
    import slicer

    slicer.mrmlScene.RemoveNode(drawn.volume)
    slicer.app.processEvents()
    assert drawn.volume is None
    assert "volume" in drawn.annotation.ui.statusLabel.text
    assert not drawn.propagating.ui.propagateButton.isEnabled()


def test_the_segmentation_is_removed(drawn):
    import slicer

    slicer.mrmlScene.RemoveNode(drawn.segmentation)
    slicer.app.processEvents()
    assert drawn.segmentation is None
    assert drawn.annotation.ui.newSegmentationButton.isVisible()


def choose_modality(panels, index):
    combo = panels.annotation.ui.modalityComboBox
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def test_the_modality_that_the_user_says_goes_with_the_request(drawn):
    drawn.propagate()
    assert drawn.requests()[-1].volume.modality == "auto"
    choose_modality(drawn, 2)
    drawn.propagate()
    assert drawn.requests()[-1].volume.modality == "mr"
    choose_modality(drawn, 0)
    drawn.propagate()
    assert drawn.requests()[-1].volume.modality == "auto"


def test_the_modality_is_the_volumes(panels):
    combo, first = panels.annotation.ui.modalityComboBox, panels.volume
    choose_modality(panels, 1)
    panels.add_volume("Other")
    assert combo.currentIndex == 0
    panels.parameters.volume = first
    assert combo.currentIndex == 1
    panels.parameters.volume = None
    assert not combo.isEnabled()
