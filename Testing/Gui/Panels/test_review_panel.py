from __future__ import annotations

import numpy as np
import pytest

from FewShotSegmentLib.review import propose


def mouse(panels, kind, x, buttons=None):
    """A mouse event on the strip."""
    import qt
    import slicer

    label = panels.review.ui.stripLabel
    left = qt.Qt.LeftButton if buttons is None else buttons
    place = qt.QPointF(x, 30)
    everywhere = qt.QPointF(label.mapToGlobal(qt.QPoint(int(x), 30)))
    event = qt.QMouseEvent(kind, place, everywhere, left, left, qt.Qt.NoModifier)
    slicer.app.sendEvent(label, event)
    slicer.app.processEvents()


def test_nothing_to_review_yet(make_panels):
    panels = make_panels()
    ui = panels.review.ui
    assert "Nothing to review yet" in ui.summaryLabel.text
    assert ui.stripLabel.isHidden()
    for button in (ui.previousButton, ui.nextButton, ui.suggestButton, ui.statusComboBox, ui.compareButton):
        assert not button.isEnabled()


def test_before_the_first_run_only_the_anchors_are_shown(drawn):
    data = drawn.review.strip.data
    assert data.count == 40
    assert data.confidence is None
    assert data.anchors == {20: "hand"}
    assert drawn.review.ui.stripLabel.isVisible()
    assert "Not propagated yet" in drawn.review.ui.summaryLabel.text


def test_the_strip_of_a_result(accepted):
    data = accepted.review.strip.data
    occupied = set(np.flatnonzero(accepted.voxels().any(axis=(1, 2))).tolist())
    assert data.word == "axial"
    assert data.occupied == occupied
    assert data.confidence[20] == 1
    assert data.anchors == {20: "hand"}
    assert data.doubtful
    assert data.doubtful <= occupied
    areas = np.count_nonzero(accepted.voxels(), axis=(1, 2))
    assert data.suggested == propose(areas, data.confidence, [20], spacing_across=3.0)
    assert data.suggested - 1 in occupied or data.suggested + 1 in occupied
    assert data.level(20) == "sure"
    assert data.level(min(data.doubtful)) == "doubtful"
    assert data.level(0) is None
    assert "confidence" in data.describe(21)
    assert data.describe(20) == "axial 20, by hand"


def test_the_preview_is_reviewed_before_it_is_accepted(drawn):
    assert drawn.review.strip.data.confidence is None
    drawn.propagate()
    assert drawn.review.strip.data.confidence is not None
    occupied = drawn.review.strip.data.occupied
    assert len(occupied) > 5
    drawn.press(drawn.propagating.ui.rejectButton)
    assert drawn.review.strip.data.confidence is None
    assert drawn.review.strip.data.occupied == {20}


def test_a_click_on_the_strip_goes_there(accepted):
    import qt

    strip = accepted.review.strip
    for index in (0, 7, 33, 39):
        mouse(accepted, qt.QEvent.MouseButtonPress, strip.positionOf(index))
        assert accepted.slice_of(0) == index
    mouse(accepted, qt.QEvent.MouseMove, strip.positionOf(12))
    assert accepted.slice_of(0) == 12
    mouse(accepted, qt.QEvent.MouseMove, strip.positionOf(30), buttons=qt.Qt.NoButton)
    assert accepted.slice_of(0) == 12
    accepted.wait(lambda: strip.data.current == 12)


def test_keys_on_the_strip(accepted):
    import qt
    import slicer

    accepted.context.jumpTo(0, 10)
    accepted.wait(lambda: accepted.review.strip.data.current == 10)
    for key, expected in ((qt.Qt.Key_Right, 11), (qt.Qt.Key_Left, 10), (qt.Qt.Key_End, 39), (qt.Qt.Key_Home, 0)):
        event = qt.QKeyEvent(qt.QEvent.KeyPress, key, qt.Qt.NoModifier)
        slicer.app.sendEvent(accepted.review.ui.stripLabel, event)
        assert accepted.slice_of(0) == expected
        accepted.wait(lambda expected=expected: accepted.review.strip.data.current == expected)


def test_the_strip_follows_the_views_while_the_module_is_shown(accepted):
    accepted.context.jumpTo(0, 9)
    accepted.wait(lambda: accepted.review.strip.data.current == 9)
    accepted.exit()
    assert accepted.review._sliceNodes == []
    accepted.context.jumpTo(0, 15)
    assert accepted.review.strip.data.current == 9
    accepted.enter()
    assert accepted.review.strip.data.current == 15


def test_doubtful_slices_forth_and_back(accepted):
    doubtful = accepted.review._doubtful
    assert len(doubtful) > 1
    ui = accepted.review.ui
    accepted.context.jumpTo(0, 0)
    seen = []
    for _ in doubtful:
        accepted.press(ui.nextButton)
        seen.append(accepted.slice_of(0))
    assert seen == list(doubtful)
    accepted.press(ui.nextButton)
    assert accepted.slice_of(0) == doubtful[0]  # from the start again
    accepted.press(ui.previousButton)
    assert accepted.slice_of(0) == doubtful[-1]
    accepted._application.press_key("Alt+Left")
    assert accepted.slice_of(0) == doubtful[-2]
    accepted._application.press_key("Alt+Right")
    assert accepted.slice_of(0) == doubtful[-1]
    assert str(len(doubtful)) in ui.summaryLabel.text


def test_the_suggested_slice_says_why(accepted):
    ui = accepted.review.ui
    suggested = accepted.review.strip.data.suggested
    assert f"axial {suggested}" in ui.suggestButton.text
    assert f"{abs(suggested - 20)} slices from an anchor" in ui.suggestButton.toolTip
    accepted.press(ui.suggestButton)
    assert accepted.slice_of(0) == suggested


def test_no_view_across_the_axis(accepted):
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    before = [node.GetOrientation() for node in nodes]
    for node in nodes:
        node.SetOrientation("Sagittal")
    accepted.press(accepted.review.ui.suggestButton)
    assert accepted.messages[-1][0] == "warning"
    assert "axial" in accepted.said
    for node, orientation in zip(nodes, before, strict=True):
        node.SetOrientation(orientation)


def test_status_of_the_segment(accepted):
    import slicer

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = accepted.segmentation.GetSegmentation().GetSegment(accepted.segment_id)
    combo = accepted.review.ui.statusComboBox
    assert combo.currentText == "In progress"
    for index, value in enumerate((logic.NotStarted, logic.InProgress, logic.Completed, logic.Flagged)):
        combo.setCurrentIndex(index)
        combo.activated.emit(index)
        assert logic.GetSegmentStatus(segment) == value
    logic.SetSegmentStatus(segment, logic.Completed)  # elsewhere in Slicer
    accepted.settle()
    assert combo.currentText == "Completed"


def test_volume_in_ml(accepted):
    expected = accepted.voxels().sum() * 3.0 / 1000
    assert accepted.review.ui.volumeLabel.text == f"{expected:.1f} ml"


# --- comparison ---


@pytest.fixture
def reference(accepted):
    """Another segmentation with a segment of the same name: one voxel to the right."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    node.SetReferenceImageGeometryParameterFromVolumeNode(accepted.volume)
    ids = [node.GetSegmentation().AddEmptySegment("", name) for name in ("Other", "Segment_1")]
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.roll(accepted.voxels(), 1, axis=2), node, ids[1], accepted.volume
    )
    return node


def compare(panels):
    panels.press(panels.review.ui.compareButton)
    panels.wait(lambda: panels.review.comparing._steps is None)
    return panels.review.ui.compareLabel.text


def test_compare_with_the_segment_of_the_same_name(accepted, reference):
    ui = accepted.review.ui
    ui.compareGroupBox.collapsed = False
    accepted.parameters.reference = reference
    assert ui.referenceSegmentComboBox.currentText == "Segment_1"
    ours, theirs = accepted.voxels(), np.roll(accepted.voxels(), 1, axis=2)
    dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
    text = compare(accepted)
    assert f"Dice {dice:.3f}" in text
    assert "HD95 1.0 mm" in text
    accepted.context.selectionChanged.emit()
    assert ui.compareLabel.text == text


def test_compare_with_an_empty_segment_and_with_another(accepted, reference):
    ui = accepted.review.ui
    ui.compareGroupBox.collapsed = False
    accepted.parameters.reference = reference
    ui.referenceSegmentComboBox.setCurrentIndex(0)
    ui.referenceSegmentComboBox.activated.emit(0)
    assert accepted.parameters.referenceSegment == reference.GetSegmentation().GetNthSegmentID(0)
    assert compare(accepted).startswith("Dice 0.000")
    ui.referenceSegmentComboBox.setCurrentIndex(1)
    ui.referenceSegmentComboBox.activated.emit(1)
    assert ui.compareLabel.text == ""  # it was about the other one


def test_compare_can_be_stopped_and_survives_removal(accepted, reference):
    import slicer

    ui = accepted.review.ui
    ui.compareGroupBox.collapsed = False
    assert not ui.compareButton.isEnabled()
    assert "reference" in ui.compareButton.toolTip
    accepted.parameters.reference = reference
    ui.compareButton.click()
    if accepted.review.comparing._steps is not None:
        ui.compareButton.click()
        assert ui.compareButton.text == "Compare"
        assert ui.compareLabel.text == ""
    slicer.mrmlScene.RemoveNode(reference)
    slicer.app.processEvents()
    assert accepted.parameters.reference is None
    assert not ui.compareButton.isEnabled()


def test_what_was_compared_before_an_edit_is_shown_no_more(accepted, reference):
    ui = accepted.review.ui
    ui.compareGroupBox.collapsed = False
    accepted.parameters.reference = reference
    assert compare(accepted).startswith("Dice")
    accepted.draw(20, radius=5)
    assert ui.compareLabel.text == ""


def test_a_segment_is_not_compared_with_itself(accepted):
    accepted.parameters.reference = accepted.segmentation
    assert not accepted.review.ui.compareButton.isEnabled()
    assert "itself" in accepted.review.ui.compareButton.toolTip


def test_segments_of_the_reference_come_and_go(accepted):
    import slicer

    ui = accepted.review.ui
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "truth")
    accepted.parameters.reference = node
    assert ui.compareButton.toolTip.startswith("truth has no segment")
    key = node.GetSegmentation().AddEmptySegment("", "Segment_1")
    assert ui.referenceSegmentComboBox.currentText == "Segment_1"
    assert ui.compareButton.isEnabled()
    node.GetSegmentation().RemoveSegment(key)
    assert not ui.compareButton.isEnabled()


# --- drawing ---


def colors(label):
    """Colors of the strip's picture and how many pixels have each."""
    image = label.grab().toImage()
    found = {}
    for x in range(image.width()):
        for y in range(image.height()):
            name = image.pixelColor(x, y).name()
            found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize("dark", [False, True])
def test_the_strip_is_drawn_in_the_palettes_colors(accepted, dark):
    import qt
    from FewShotSegmentModule.panels.stripPlot import DARK_COLORS, LIGHT_COLORS

    label = accepted.review.ui.stripLabel
    palette = qt.QPalette(qt.QColor("#2d2d2d" if dark else "#efefef"))
    label.setPalette(palette)
    accepted.review.strip.render()
    found = colors(label)
    for color in (DARK_COLORS if dark else LIGHT_COLORS).values():
        assert found.get(color.lower(), 0) > 20, color
    assert palette.color(qt.QPalette.Window).name() in found


def test_more_slices_than_pixels_keep_the_doubtful_ones(accepted):
    from FewShotSegmentModule.panels.stripPlot import LIGHT_COLORS, StripData

    strip = accepted.review.strip
    count = 5000
    values = np.ones(count)
    values[2503] = 0.1
    strip.setData(
        StripData(
            count=count,
            word="axial",
            confidence=tuple(values),
            occupied=frozenset(range(count)),
            doubtful=frozenset([2503]),
        )
    )
    assert colors(accepted.review.ui.stripLabel).get(LIGHT_COLORS["doubtful"].lower(), 0) >= 2
    assert strip.indexAt(strip.positionOf(2503)) == pytest.approx(2503, abs=1)


def test_odd_data_is_drawn(accepted):
    from FewShotSegmentModule.panels.stripPlot import StripData

    strip = accepted.review.strip
    for data in (
        StripData(),
        StripData(count=1, word="axial", confidence=(float("nan"),), occupied=frozenset([0]), current=0, suggested=0),
        StripData(count=3, word="axial", confidence=(2.0, -1.0, 0.5), occupied=frozenset([0, 1, 2]), current=9),
        StripData(count=3, anchors={0: "hand", 1: "corrected", 2: "absent"}, limits=(1, 1)),
    ):
        strip.setData(data)
        assert colors(accepted.review.ui.stripLabel)


def test_nothing_is_cut_off_in_a_narrow_panel(accepted):
    """The sections need no more than 360 pixels, apart from Slicer's own editor."""
    for section in (accepted.propagating, accepted.review, accepted.anchors):
        assert section.widget.minimumSizeHint.width() <= 340, type(section).__name__
