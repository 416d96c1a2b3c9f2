"""The thin front of the module: messages, scenes that come and go, leaving and reloading."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

TESTING = Path(__file__).resolve().parents[2]
if str(TESTING) not in sys.path:
    sys.path.insert(0, str(TESTING))


@pytest.fixture
def widget(load):
    """The module with a fake worker, a volume that is chosen, and a segment on one slice."""
    import slicer
    from fake_worker import FakeWorker

    widget = load()
    from FewShotSegmentModule.jobs import worker

    worker.TICK_MILLISECONDS = 5  # the fake worker says one thing at each tick
    widget.logic._makeTransport = FakeWorker().make_transport
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 24, 28), np.int16), name="CT")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    key = segmentation.GetSegmentation().AddEmptySegment("liver", "liver")
    drawn = np.zeros((20, 24, 28), np.uint8)
    drawn[10, 6:16, 6:16] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, key, volume)
    widget.context.parameterNode.volume = volume
    widget.context.parameterNode.segmentation = segmentation
    slicer.app.processEvents()
    return widget


def test_messages_are_marked_and_an_empty_one_takes_no_room(load):
    widget = load()
    label = widget.ui.messageLabel
    assert not label.isVisible()
    for tell, shown in ((widget.context.say, "So."), (widget.context.warn, "⚠ So."), (widget.context.fail, "✖ So.")):
        tell("So.")
        assert label.isVisible()
        assert label.text == shown
    widget.context.say("")
    assert not label.isVisible()


def test_a_closed_scene_lets_go_before_its_nodes_are_gone(widget, application, press, wait_until):
    import slicer

    ui = next(section.ui for section in widget.sections if section.uiName == "Propagate")
    press(ui.propagateButton)
    wait_until(lambda: widget.context.proposal is not None)
    seen = []
    widget.context.parameterNodeChanged.connect(
        lambda: seen.append((widget.context.parameterNode is None, slicer.mrmlScene.GetFirstNodeByName("CT") is None))
    )
    slicer.mrmlScene.Clear(False)
    slicer.app.processEvents()
    assert seen[0] == (True, False)  # the nodes were still there
    assert widget.context.proposal is None
    assert widget.context.parameterNode is not None
    assert widget.context.volumeNode is None


def test_a_module_that_is_not_shown_waits_for_enter(widget, application):
    import slicer

    application.select_module("Data")
    assert application.shortcuts() == []
    slicer.mrmlScene.Clear(False)
    assert widget.context.parameterNode is None
    application.select_module("FewShotSegment")
    assert widget.context.parameterNode is not None
    assert "Ctrl+Shift+P" in application.shortcuts()


def test_reload_reads_the_files_beneath_anew(widget):
    import slicer

    before = sys.modules["FewShotSegmentModule.panels.propagatePanel"].PropagatePanel
    selected = (widget.context.volumeNode, widget.context.segmentationNode)
    widget.onReload()
    slicer.app.processEvents()
    again = slicer.modules.FewShotSegmentWidget
    assert again is not widget
    assert sys.modules["FewShotSegmentModule.panels.propagatePanel"].PropagatePanel is not before
    assert (again.context.volumeNode, again.context.segmentationNode) == selected


def test_a_closed_scene_is_told_to_the_logic(load, monkeypatch):
    """It lets go of patients' voxels."""
    import slicer

    widget = load()
    told = []
    monkeypatch.setattr(widget.logic, "sceneClosed", lambda: told.append(True))
    slicer.mrmlScene.Clear(False)
    assert told == [True]
