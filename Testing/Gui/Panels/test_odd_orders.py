"""What users do in an order nobody planned: nothing is lost, and no sentence says what is not so any more."""

from __future__ import annotations

import numpy as np
import pytest

PREVIEW = "This is a preview: accept or reject it."


def segment(panels):
    return panels.segmentation.GetSegmentation()


def test_a_segment_is_removed_under_its_preview(drawn):
    drawn.propagate()
    preview = drawn.context.proposal.preview.node
    segment(drawn).RemoveSegment(drawn.segment_id)
    drawn.settle()
    assert drawn.context.proposal is None
    assert preview.GetScene() is None
    assert drawn.propagating.ui.previewFrame.isHidden()
    assert "A segment was removed" in drawn.said


def test_a_segment_is_removed_in_mid_run(drawn):
    drawn.worker.behaviour.slow = 3
    drawn.press(drawn.propagating.ui.propagateButton)
    segment(drawn).RemoveSegment(drawn.segment_id)
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.context.proposal is None
    assert drawn.propagating.ui.previewFrame.isHidden()
    assert "A segment was removed" in drawn.said


def test_a_preview_of_another_segmentation_can_be_accepted_only_there(application, drawn):
    import slicer

    own, before = drawn.segmentation, drawn.voxels()
    drawn.propagate()
    drawn.parameters.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other")
    ui = drawn.propagating.ui
    assert not ui.acceptButton.isEnabled()
    assert own.GetName() in ui.acceptButton.toolTip
    application.press_key("Ctrl+Return")
    assert drawn.messages[-1] == (
        "error",
        f"This preview is of {own.GetName()}: choose that segmentation to accept it.",
    )
    drawn.parameters.segmentation = own
    slicer.app.processEvents()
    assert np.array_equal(drawn.voxels(), before)
    drawn.press(ui.acceptButton)
    assert drawn.context.proposal is None
    assert drawn.voxels().sum() > before.sum()


def test_the_review_shows_a_preview_only_of_what_is_selected(drawn):
    drawn.propagate()
    assert drawn.review._data.confidence is not None
    other = drawn.load_volume("CT 2", shape=(30, 48, 56))
    drawn.parameters.volume = other
    assert drawn.review._data.confidence is None


def test_a_correction_for_another_segmentation_waits_as_a_preview(accepted):
    import slicer

    own = accepted.segmentation
    accepted.draw(24, radius=4)
    accepted.anchors.ui.acceptCheckBox.checked = True
    accepted.worker.behaviour.slow = 3
    accepted.press(accepted.anchors.ui.updateButton)
    accepted.parameters.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other")
    accepted.wait(lambda: not accepted.propagating.runner.running)
    assert accepted.context.proposal.preview is not None
    accepted.parameters.segmentation = own
    accepted.press(accepted.propagating.ui.acceptButton)
    assert accepted.context.proposal is None


def test_what_went_wrong_is_not_told_during_the_next_run(drawn):
    drawn.worker.behaviour.fail = "The volume is too small."
    drawn.press(drawn.propagating.ui.propagateButton)
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.said == "The volume is too small."
    drawn.worker.behaviour.fail = ""
    drawn.press(drawn.propagating.ui.propagateButton)
    assert drawn.propagating.runner.running
    assert drawn.said == ""
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.said == PREVIEW


@pytest.mark.parametrize("keys", ["Ctrl+Shift+P", "Ctrl+Shift+U"])
def test_a_refusal_is_taken_back_when_it_is_no_longer_so(application, make_panels, keys):
    panels = make_panels()
    application.press_key(keys)
    assert panels.messages[-1] == ("error", "Choose a volume.")
    panels.add_volume()
    assert panels.said == ""


def test_a_later_sentence_is_not_taken_back(application, make_panels):
    panels = make_panels()
    application.press_key("Ctrl+Shift+P")
    panels.context.warn("The disk is full.")
    panels.add_volume()
    assert panels.said == "The disk is full."


def test_ends_of_another_axis_are_said_to_be_so(drawn):
    drawn.context.jumpTo(2, 10)
    drawn.parameters.rangeAxis, drawn.parameters.firstSlice, drawn.parameters.lastSlice = 2, 10, 40
    drawn.parameters.useRange = True
    assert drawn.propagating.ui.rangeLabel.text == "All slices: these ends are of sagittal slices"
    drawn.propagate()
    assert drawn.requests()[-1].segments[0].range is None


def test_all_visible_segments_are_those_that_are_visible_now(drawn):
    drawn.parameters.allVisible = True
    button = drawn.propagating.ui.propagateButton
    assert button.isEnabled()
    drawn.segmentation.GetDisplayNode().SetAllSegmentsVisibility(False)
    drawn.settle()
    assert not button.isEnabled()
    assert button.toolTip == "No segment is visible."
    drawn.segmentation.GetDisplayNode().SetAllSegmentsVisibility(True)
    drawn.settle()
    assert button.isEnabled()


def test_of_several_segments_none_was_propagated(drawn):
    drawn.add_segment("Spleen")
    drawn.parameters.allVisible = True
    assert "Nothing was propagated yet" in drawn.anchors.ui.updateReasonLabel.text


def test_all_anchors_removed(accepted):
    ui = accepted.anchors.ui
    ui.anchorsTable.selectRow(0)
    accepted.press(ui.removeButton)
    accepted.settle()
    assert ui.emptyLabel.text == "No anchors: a slice that you draw becomes one."
    assert "All anchors of Segment_1 were removed" in accepted.propagating.ui.reasonLabel.text
    accepted.press(ui.updateButton)
    accepted.wait(lambda: not accepted.propagating.runner.running)
    # there was nothing to go by within its reach
    assert "to accept this erases it" in accepted.propagating.ui.notesLabel.text
    accepted.press(accepted.propagating.ui.acceptButton)
    accepted.settle()
    assert not accepted.voxels().any()
    assert "is not drawn yet" in accepted.propagating.ui.reasonLabel.text
    accepted.draw(20)
    accepted.propagate()


def test_undo_under_a_preview_keeps_it_from_being_accepted(application, accepted):
    accepted.propagate()
    accepted.annotation.ui.segmentEditor.undo()
    accepted.settle()
    before = accepted.voxels()
    assert not accepted.propagating.ui.acceptButton.isEnabled()
    assert "was changed" in accepted.propagating.ui.acceptButton.toolTip
    application.press_key("Ctrl+Return")
    assert np.array_equal(accepted.voxels(), before)


def test_another_segment_is_selected_while_the_first_one_runs(drawn):
    first = drawn.segment_id
    second = drawn.add_segment("Spleen")
    drawn.worker.behaviour.slow = 3
    drawn.press(drawn.propagating.ui.propagateButton)
    drawn.annotation.ui.segmentEditor.setCurrentSegmentID(second)
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.propagating.ui.previewLabel.text.startswith("Preview of Segment_1,")
    drawn.press(drawn.propagating.ui.acceptButton)
    assert not drawn.voxels(second).any()
    assert drawn.voxels(first).any(axis=(1, 2)).sum() > 1


def test_a_scene_is_loaded_into_this_one_under_a_preview(drawn):
    drawn.propagate()
    preview = drawn.context.proposal.preview.node
    drawn.context.parameterNode = drawn.parameters  # what the module does then
    assert drawn.context.proposal is None
    assert preview.GetScene() is None
    assert "another one loaded" in drawn.said


def test_no_to_the_set_up_runs_nothing_and_its_end_runs_what_was_wanted(drawn):
    asked = []
    drawn.context.ensureReady = asked.append  # as where the user says No
    drawn.press(drawn.propagating.ui.propagateButton)
    assert not drawn.propagating.runner.running
    assert drawn.requests() == []
    drawn.context.ensureReady = lambda thenDo: True
    asked[0]()
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.context.proposal is not None
