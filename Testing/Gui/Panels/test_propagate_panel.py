from __future__ import annotations

import numpy as np
import pytest


def button_of(panels):
    return panels.propagating.ui.propagateButton


def run(panels):
    """Press Propagate and stop at the first progress."""
    panels.press(button_of(panels))
    panels.wait(lambda: panels.propagating.runner.job.progress is not None)


# --- what is missing before it can run ---


def no_volume(panels):
    panels.parameters.volume = None


def no_segmentation(panels):
    panels.parameters.segmentation = None


def no_segment(panels):
    panels.segmentation.GetSegmentation().RemoveAllSegments()


def not_drawn(panels):
    pass


def on_two_planes(panels):
    panels.draw(20)
    panels.draw(25, axis=1, center=(20, 28))


def out_of_range(panels):
    panels.draw(20)
    panels.parameters.rangeAxis, panels.parameters.firstSlice, panels.parameters.lastSlice = 0, 25, 30
    panels.parameters.useRange = True


def none_visible(panels):
    panels.draw(20)
    panels.parameters.allVisible = True
    panels.segmentation.GetDisplayNode().SetAllSegmentsVisibility(False)
    panels.segmentation.GetSegmentation().GetNthSegment(0).SetName("hidden")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (no_volume, "volume"),
        (no_segmentation, "segmentation"),
        (no_segment, "segment"),
        (not_drawn, "not drawn yet"),
        (on_two_planes, "two planes"),
        (out_of_range, "outside of slices 25–30"),
        (none_visible, "No segment is visible"),
    ],
)
def test_disabled_with_the_reason(panels, prepare, reason):
    prepare(panels)
    panels.settle()
    button = button_of(panels)
    assert not button.isEnabled()
    assert reason in button.toolTip
    assert panels.propagating.ui.reasonLabel.text == button.toolTip
    assert panels.propagating.ui.reasonLabel.isVisible()
    assert not panels.propagating.runner.start()  # the shortcut says the same
    assert panels.messages[-1][0] == "error"
    assert reason in panels.said
    assert panels.worker.requests == []


def test_a_stroke_of_just_now_counts(panels):
    panels.draw(20, told=False)
    assert panels.propagating.runner.start()


# --- run, preview, accept, undo ---


def test_run_preview_accept_undo_redo(drawn):
    import slicer

    before = drawn.voxels()
    tags = drawn.tags()
    drawn.propagate()
    ui = drawn.propagating.ui
    assert ui.previewFrame.isVisible()
    assert "Segment_1" in ui.previewLabel.text
    assert (drawn.voxels() == before).all()
    assert drawn.tags() == tags
    preview = drawn.context.proposal.preview.node
    assert preview.GetHideFromEditors()
    drawn.press(ui.acceptButton)
    assert drawn.context.proposal is None
    assert preview.GetScene() is None
    assert ui.previewFrame.isHidden()
    after = drawn.voxels()
    assert after.sum() > 3 * before.sum()
    assert (after[20] == before[20]).all()
    editor = drawn.annotation.ui.segmentEditor
    editor.undo()
    assert (drawn.voxels() == before).all()
    drawn.settle()
    assert drawn.annotation.ui.statusLabel.text == "Segment_1: 1 slice, axial 20"
    editor.redo()
    assert (drawn.voxels() == after).all()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_accept_is_one_undo_state_for_several_segments(drawn):
    first = drawn.segment_id
    second = drawn.add_segment("Spleen")
    drawn.draw(10, radius=6, center=(10, 10), segment_id=second)
    drawn.parameters.allVisible = True
    before = {key: drawn.voxels(key) for key in (first, second)}
    drawn.propagate()
    assert set(drawn.context.proposal.results) == {first, second}
    assert "Segment_1" in drawn.propagating.ui.previewLabel.text
    assert "Spleen" in drawn.propagating.ui.previewLabel.text
    drawn.press(drawn.propagating.ui.acceptButton)
    assert all(drawn.voxels(key).sum() > before[key].sum() for key in before)
    drawn.annotation.ui.segmentEditor.undo()
    assert all((drawn.voxels(key) == before[key]).all() for key in before)


def test_segments_that_cannot_be_carried_on_are_left_out_and_named(drawn):
    drawn.add_segment("Spleen")
    drawn.parameters.allVisible = True
    assert button_of(drawn).isEnabled()
    assert "Spleen is not drawn yet" in drawn.propagating.ui.reasonLabel.text
    drawn.propagate()
    assert list(drawn.context.proposal.results) == [drawn.segment_id]


def test_neighbors_are_not_erased(drawn):
    wall = np.zeros_like(drawn.voxels())
    wall[:, :, 28:] = 1
    other = drawn.add_segment("Wall")
    drawn.write(wall, other)
    drawn.settle()
    drawn.propagate()
    drawn.press(drawn.propagating.ui.acceptButton)
    assert (drawn.voxels(other) == wall).all()


def test_reject_leaves_everything_as_it_was(drawn):
    import slicer

    before, tags = drawn.voxels(), drawn.tags()
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    drawn.propagate()
    drawn.press(drawn.propagating.ui.rejectButton)
    assert (drawn.voxels() == before).all()
    assert drawn.tags() == tags
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert drawn.propagating.ui.previewFrame.isHidden()
    assert "nothing was changed" in drawn.said
    assert button_of(drawn).isEnabled()
    drawn.propagate()


def test_a_new_run_lets_the_waiting_preview_go_and_says_so(drawn):
    drawn.propagate()
    first = drawn.context.proposal.preview.node
    drawn.press(button_of(drawn))
    assert "nothing of it had been written" in drawn.said
    assert first.GetScene() is None
    drawn.wait(lambda: drawn.context.proposal is not None)


def test_editing_while_a_preview_waits(drawn):
    drawn.propagate()
    drawn.draw(21)
    ui = drawn.propagating.ui
    edited = drawn.voxels()
    assert not ui.acceptButton.isEnabled()
    assert "run it again" in ui.acceptButton.toolTip
    assert "run it again" in ui.notesLabel.text
    assert not drawn.propagating.runner.accept()
    assert "run it again" in drawn.said
    assert (drawn.voxels() == edited).all()
    drawn.propagate()
    drawn.press(ui.acceptButton)
    assert (drawn.voxels()[21] == edited[21]).all()


def test_how_the_preview_is_shown(drawn):
    ui = drawn.propagating.ui
    drawn.propagate()
    display = drawn.context.proposal.preview.node.GetDisplayNode()
    assert display.GetOpacity2DFill() == pytest.approx(0.6)
    ui.opacitySlider.value = 0.3
    assert display.GetOpacity2DFill() == pytest.approx(0.3)
    assert drawn.parameters.previewOpacity == pytest.approx(0.3)
    drawn.press(ui.fillCheckBox)
    assert display.GetOpacity2DFill() == 0
    assert not display.GetVisibility3D()
    drawn.press(ui.show3DCheckBox)
    assert display.GetVisibility3D()
    assert drawn.context.proposal.valid


def test_notes_of_the_run_are_shown(drawn):
    drawn.propagate()
    drawn.context.proposal.notes.append("The network guessed MR.")
    drawn.propagating.update()
    assert "⚠ The network guessed MR." in drawn.propagating.ui.notesLabel.text
    assert drawn.propagating.ui.notesLabel.isVisible()


# --- while it runs ---


def test_progress_and_cancel(drawn):
    drawn.worker.behaviour.slow = 2
    before, tags = drawn.voxels(), drawn.tags()
    run(drawn)
    ui = drawn.propagating.ui
    assert ui.propagateButton.text == "Cancel"
    assert ui.progressBar.isVisible()
    drawn.wait(lambda: "s left" in ui.progressLabel.text)
    assert ui.progressLabel.text.startswith("2 of 5 slices, ")
    assert ui.progressBar.value == 2
    assert not drawn.anchors.ui.updateButton.isEnabled()
    drawn.press(ui.propagateButton)
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert ui.propagateButton.text == "Propagate"
    assert ui.propagateButton.isEnabled()
    assert ui.progressBar.isHidden()
    assert "nothing was changed" in drawn.said
    assert drawn.context.proposal is None
    assert (drawn.voxels() == before).all()
    assert drawn.tags() == tags
    drawn.propagate()


def test_the_shortcut_cancels_too(drawn):
    drawn.worker.behaviour.slow = 3
    drawn._application.press_key("Ctrl+Shift+P")
    assert drawn.propagating.runner.running
    drawn._application.press_key("Ctrl+Shift+P")
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.context.proposal is None


def crash(behaviour):
    behaviour.crash_after = 2


def refuse(behaviour):
    behaviour.fail = "The volume is too small."


def forget_torch(behaviour):
    behaviour.missing_torch = True


def not_started(behaviour):
    behaviour.not_started = True


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (crash, "engine"),
        (refuse, "The volume is too small."),
        (forget_torch, "PyTorch"),
        (not_started, "start"),
    ],
)
def test_trouble_is_one_sentence_and_the_next_run_works(drawn, trouble, sentence):
    from fake_worker import Behaviour

    before, tags = drawn.voxels(), drawn.tags()
    trouble(drawn.worker.behaviour)
    drawn.press(button_of(drawn))
    drawn.wait(lambda: not drawn.propagating.runner.running)
    level, said = drawn.messages[-1]
    assert level == "error"
    assert sentence in said
    assert "Traceback" not in said
    assert "\n" not in said
    assert drawn.context.proposal is None
    assert (drawn.voxels() == before).all()
    assert drawn.tags() == tags
    assert button_of(drawn).isEnabled()
    drawn.worker.behaviour.__dict__.update(Behaviour().__dict__)
    drawn.propagate()


@pytest.mark.parametrize("which", ["volume", "segmentation"])
def test_a_node_is_removed_in_mid_run(drawn, which):
    import slicer

    drawn.worker.behaviour.slow = 3
    run(drawn)
    slicer.mrmlScene.RemoveNode(getattr(drawn, which))
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert any("was removed" in sentence for _level, sentence in drawn.messages)
    assert drawn.context.proposal is None
    assert not button_of(drawn).isEnabled()


@pytest.mark.parametrize("which", ["volume", "segmentation"])
def test_a_node_is_removed_while_a_preview_waits(drawn, which):
    import slicer

    drawn.propagate()
    preview = drawn.context.proposal.preview.node
    slicer.mrmlScene.RemoveNode(getattr(drawn, which))
    slicer.app.processEvents()
    assert drawn.context.proposal is None
    assert preview.GetScene() is None
    assert drawn.propagating.ui.previewFrame.isHidden()


@pytest.mark.parametrize("waiting", [False, True])
def test_the_scene_is_closed(drawn, waiting):
    import slicer

    if waiting:
        drawn.propagate()
    else:
        drawn.worker.behaviour.slow = 3
        run(drawn)
    drawn.context.parameterNode = None
    slicer.mrmlScene.Clear(False)
    slicer.app.processEvents()
    drawn.wait(lambda: not drawn.propagating.runner.running)
    assert drawn.context.proposal is None
    drawn.worker.behaviour.slow = 1
    drawn.open_scene()
    drawn.add_volume()
    drawn.annotation.makeSegmentation()
    drawn.draw(20)
    drawn.propagate()


def test_the_module_is_left_while_it_runs(drawn):
    run(drawn)
    drawn.exit()
    drawn.wait(lambda: drawn.context.proposal is not None)
    drawn.enter()
    drawn.press(drawn.propagating.ui.acceptButton)
    assert drawn.voxels().any(axis=(1, 2)).sum() > 5


def test_device_and_weights_go_with_the_request(drawn):
    drawn.parameters.device = "cpu"
    drawn.parameters.weights = "mine"
    drawn.propagate()
    assert drawn.requests()[-1].device == "cpu"
    assert drawn.requests()[-1].weights == "mine"
    assert "by the weights mine" in drawn.propagating.ui.previewLabel.text


# --- shortcuts ---


def test_shortcuts_exist_only_while_the_module_is_shown(drawn):
    from FewShotSegmentModule.panels.shortcuts import SHORTCUTS

    application = drawn._application
    mine = {shortcut.keys for shortcut in SHORTCUTS}
    assert mine <= set(application.shortcuts())
    drawn.enter()  # twice: none is installed twice
    assert sorted(key for key in application.shortcuts() if key in mine) == sorted(mine)
    drawn.exit()
    assert not mine & set(application.shortcuts())


def test_shortcuts_are_told_in_tooltips(drawn):
    drawn.propagate()
    ui = drawn.propagating.ui
    for button, keys in (
        (ui.propagateButton, "Ctrl+Shift+P"),
        (ui.acceptButton, "Ctrl+Return"),
        (ui.rejectButton, "Ctrl+Backspace"),
        (drawn.review.ui.nextButton, "Alt+Right"),
        (drawn.review.ui.previousButton, "Alt+Left"),
        (drawn.review.ui.suggestButton, "Ctrl+Shift+G"),
    ):
        assert keys in button.toolTip


def test_accept_and_reject_by_key(drawn):
    drawn.propagate()
    drawn._application.press_key("Ctrl+Backspace")
    assert drawn.context.proposal is None
    assert "Rejected" in drawn.said
    drawn._application.press_key("Ctrl+Return")  # nothing waits
    drawn.propagate()
    drawn._application.press_key("Ctrl+Return")
    assert "Accepted" in drawn.said
