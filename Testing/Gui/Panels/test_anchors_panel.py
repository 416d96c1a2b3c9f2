from __future__ import annotations

import numpy as np
import pytest


def rows(panels):
    table = panels.anchors.ui.anchorsTable
    return [(table.item(row, 0).text(), table.item(row, 1).text()) for row in range(table.rowCount)]


def update(panels):
    """Update from corrections, and accept."""
    panels.press(panels.anchors.ui.updateButton)
    panels.wait(lambda: not panels.propagating.runner.running)
    assert panels.context.proposal is not None, panels.said
    panels.press(panels.propagating.ui.acceptButton)
    panels.settle()


def whole(panels):
    """A ball, as a file would bring it."""
    z, y, x = np.indices(panels.voxels().shape)
    return ((z - 20) ** 2 + (y - 24) ** 2 + (x - 28) ** 2 < 14**2).astype(np.uint8)


def test_what_is_drawn_is_listed(panels):
    ui = panels.anchors.ui
    assert ui.anchorsTable.isHidden()
    assert "not drawn yet" in ui.emptyLabel.text
    panels.draw(20)
    panels.draw(30)
    assert rows(panels) == [("axial 20", "by hand"), ("axial 30", "by hand")]
    assert ui.anchorsTable.isVisible()
    assert not ui.updateButton.isEnabled()
    assert "Nothing was propagated yet" in ui.updateReasonLabel.text
    assert ui.updateButton.toolTip == ui.updateReasonLabel.text


def test_show_and_double_click_go_there(panels):
    panels.draw(20)
    panels.draw(30)
    ui = panels.anchors.ui
    assert not ui.showButton.isEnabled()
    ui.anchorsTable.selectRow(1)
    panels.press(ui.showButton)
    assert panels.slice_of(0) == 30
    ui.anchorsTable.cellDoubleClicked.emit(0, 0)
    assert panels.slice_of(0) == 20


def test_the_loop_of_corrections(accepted):
    ui = accepted.anchors.ui
    assert "Nothing was changed" in ui.updateReasonLabel.text
    first = accepted.voxels()
    accepted.draw(24, radius=5)
    assert rows(accepted) == [("axial 20", "by hand"), ("axial 24", "corrected")]
    assert ui.correctionsLabel.text == "1 slice changed since the last result: axial 24"
    drawn = accepted.voxels()[24]
    update(accepted)
    request = accepted.requests()[-1].segments[0]
    assert request.around == [24]
    assert request.slices == [20, 24]
    assert (accepted.voxels()[24] == drawn).all()
    assert (accepted.voxels()[20] == first[20]).all()
    assert ui.correctionsLabel.isHidden()
    accepted.draw(16, radius=6)
    accepted.draw(30, radius=6)
    assert "2 slices changed since the last result: axial 16, 30" in ui.correctionsLabel.text
    update(accepted)
    assert accepted.requests()[-1].segments[0].around == [16, 30]
    assert [place for place, _kind in rows(accepted)] == ["axial 16", "axial 20", "axial 24", "axial 30"]


def test_an_update_is_undone_as_one(accepted):
    accepted.draw(24, radius=5)
    before = accepted.voxels()
    update(accepted)
    assert (accepted.voxels() != before).any()
    accepted.annotation.ui.segmentEditor.undo()
    assert (accepted.voxels() == before).all()
    accepted.settle()
    assert "axial 24" in accepted.anchors.ui.correctionsLabel.text


def test_an_update_can_be_rejected(accepted):
    accepted.draw(24, radius=5)
    before = accepted.voxels()
    accepted.press(accepted.anchors.ui.updateButton)
    accepted.wait(lambda: accepted.context.proposal is not None)
    accepted.press(accepted.propagating.ui.rejectButton)
    assert (accepted.voxels() == before).all()
    assert accepted.anchors.ui.updateButton.isEnabled()


def test_an_erased_slice_means_that_the_organ_is_not_there(accepted):
    last = int(np.flatnonzero(accepted.voxels().any(axis=(1, 2))).max())
    accepted.draw(last - 2, radius=0)
    assert (f"axial {last - 2}", "not there") in rows(accepted)
    assert accepted.anchors.ui.updateButton.isEnabled()


def test_accepting_updates_at_once_is_off_unless_wanted(accepted):
    ui = accepted.anchors.ui
    assert not ui.acceptCheckBox.checked
    accepted.press(ui.acceptCheckBox)
    accepted.draw(24, radius=5)
    before = accepted.voxels()
    accepted._application.press_key("Ctrl+Shift+U")
    accepted.wait(lambda: not accepted.propagating.runner.running)
    assert accepted.context.proposal is None
    assert "Accepted" in accepted.said
    assert (accepted.voxels() != before).any()
    accepted.annotation.ui.segmentEditor.undo()
    assert (accepted.voxels() == before).all()
    accepted.settle()
    accepted.propagate()  # Propagate itself always shows a preview
    assert accepted.context.proposal is not None


def test_the_key_says_why_there_is_nothing_to_update(accepted):
    accepted._application.press_key("Ctrl+Shift+U")
    assert accepted.messages[-1][0] == "error"
    assert "Nothing was changed" in accepted.said


def test_a_removed_anchor_is_computed_again(accepted):
    accepted.draw(24, radius=5)
    update(accepted)
    before = accepted.voxels()
    ui = accepted.anchors.ui
    ui.anchorsTable.selectRow(1)
    accepted.press(ui.removeButton)
    assert rows(accepted) == [("axial 20", "by hand")]
    assert (accepted.voxels() == before).all()
    assert "axial 24" in ui.correctionsLabel.text
    update(accepted)
    request = accepted.requests()[-1].segments[0]
    assert request.around == [24]
    assert request.slices == [20]
    assert (accepted.voxels()[24] != before[24]).any()


def test_nothing_is_removed_before_the_first_run(drawn):
    drawn.anchors.ui.anchorsTable.selectRow(0)
    assert not drawn.anchors.ui.removeButton.isEnabled()
    assert "erase" in drawn.anchors.ui.removeButton.toolTip


# --- segmentations that were loaded ---


@pytest.fixture
def loaded(panels):
    """A whole segment that comes with the segmentation, met for the first time."""
    voxels = whole(panels)
    other = panels.segmentation.GetSegmentation().AddEmptySegment("", "Loaded")
    panels.write(voxels, other)
    panels.annotation.ui.segmentEditor.setCurrentSegmentID(other)
    panels.settle()
    return panels


def test_a_loaded_segment_is_taken_as_complete(loaded):
    ui = loaded.anchors.ui
    assert rows(loaded) == []
    assert "taken as complete" in ui.emptyLabel.text
    assert not loaded.propagating.ui.propagateButton.isEnabled()
    assert "taken as complete" in loaded.propagating.ui.reasonLabel.text
    before = loaded.voxels()
    loaded.draw(20, radius=5)
    assert rows(loaded) == [("axial 20", "corrected")]
    update(loaded)
    request = loaded.requests()[-1].segments[0]
    assert request.around == [20]
    assert request.slices == [9, 20, 31]
    after = loaded.voxels()
    changed = np.flatnonzero((after != before).any(axis=(1, 2)))
    assert changed.min() >= 10
    assert changed.max() <= 30
    assert (loaded.voxels()[20] > 0).sum() == (after[20] > 0).sum()


def test_a_segment_that_is_being_drawn_is_not(panels):
    voxels = whole(panels)
    panels.write(voxels)
    panels.settle()
    ui = panels.anchors.ui
    assert len(rows(panels)) > 12
    assert {kind for _place, kind in rows(panels)} == {"by hand"}
    other = panels.add_segment("Other")
    first = panels.segment_id
    panels.annotation.ui.segmentEditor.setCurrentSegmentID(other)
    panels.annotation.ui.segmentEditor.setCurrentSegmentID(first)
    assert len(rows(panels)) > 12
    panels.press(ui.adoptButton)  # its user says so
    assert rows(panels) == []
    assert ui.adoptButton.isHidden()
    assert (panels.voxels() == voxels).all()


def test_saved_and_loaded_again(accepted, tmp_path):
    import slicer

    accepted.draw(24, radius=5)
    update(accepted)
    expected = rows(accepted)
    voxels = accepted.voxels()
    path = tmp_path / "result.seg.nrrd"
    assert slicer.util.saveNode(accepted.segmentation, str(path))
    slicer.mrmlScene.RemoveNode(accepted.segmentation)
    slicer.app.processEvents()
    accepted.parameters.segmentation = slicer.util.loadSegmentation(str(path))
    accepted.settle()
    assert rows(accepted) == expected
    assert (accepted.voxels() == voxels).all()
    assert accepted.review.strip.data.confidence is not None
    assert accepted.review.ui.statusComboBox.currentText == "In progress"
    accepted.draw(28, radius=5)
    update(accepted)
    assert accepted.requests()[-1].segments[0].around == [28]
