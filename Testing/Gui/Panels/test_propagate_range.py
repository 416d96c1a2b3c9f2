"""Between which slices the organ may lie."""

from __future__ import annotations


def test_range_buttons(drawn):
    ui = drawn.propagating.ui
    drawn.context.jumpTo(0, 30)
    drawn.press(ui.startHereButton)
    assert drawn.parameters.useRange
    assert ui.rangeLabel.text == "axial slices 30–39"
    drawn.context.jumpTo(0, 12)
    drawn.press(ui.endHereButton)
    assert ui.rangeLabel.text == "axial slices 12–30"
    assert ui.useRangeCheckBox.checked
    drawn.propagate()
    assert drawn.requests()[-1].segments[0].range == [12, 30]
    assert drawn.review.strip.data.limits == (12, 30)
    drawn.press(ui.clearRangeButton)
    assert ui.rangeLabel.text == "All slices"
    assert not ui.clearRangeButton.isEnabled()
    drawn.propagate()
    assert drawn.requests()[-1].segments[0].range is None


def test_range_is_along_the_annotated_axis(panels):
    panels.draw(22, axis=1, radius=8, center=(20, 28))
    panels.context.jumpTo(1, 15)
    panels.press(panels.propagating.ui.startHereButton)
    assert panels.parameters.rangeAxis == 1
    assert panels.propagating.ui.rangeLabel.text == "coronal slices 15–47"


def test_range_switched_on_without_ends_is_none(drawn):
    drawn.press(drawn.propagating.ui.useRangeCheckBox)
    assert drawn.propagating.ui.rangeLabel.text == "All slices: choose the ends"
    drawn.propagate()
    assert drawn.requests()[-1].segments[0].range is None


def test_range_without_a_view_across_the_axis(drawn):
    import slicer

    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.SetOrientation("Coronal")
    drawn.press(drawn.propagating.ui.startHereButton)
    assert not drawn.parameters.useRange
    assert "axial" in drawn.said
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal")):
        slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().SetOrientation(orientation)
