"""The panel never keeps Slicer waiting: no step of it blocks the event loop for more than 0.1 s on a large volume.

Excused is what Slicer itself takes to write into its nodes, and the fake worker, which stands in for another process.
Each step is done several times and its best time counts, so that a busy machine does not fail the test.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

SHAPE = (300, 512, 512)
LIMIT = 0.1
ROUNDS = 3


@pytest.fixture
def large_volume(scene):
    import slicer

    voxels = np.zeros(SHAPE, np.int16)
    voxels[:, 60:450, 60:450] = 40
    voxels[:, ::7, ::5] += 25
    volume = slicer.util.addVolumeFromArray(voxels, name="Large CT")
    volume.CreateDefaultDisplayNodes()
    return volume


def draw(user, index: int, radius: int) -> None:
    """A disk on one slice, in a labelmap that has the whole volume's extent."""
    import slicer

    context = user.context
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(context.segmentationNode, context.segmentId, context.volumeNode)
    rows, columns = np.indices(SHAPE[1:])
    voxels[index] = (rows - 256) ** 2 + (columns - 256) ** 2 < radius**2
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        voxels, context.segmentationNode, context.segmentId, context.volumeNode
    )


def test_no_step_blocks_the_event_loop(load, application, large_volume, watchdog, capsys):
    import fake_answers
    import fake_worker

    widget = load()
    from FewShotSegmentModule.jobs import worker as module_worker
    from FewShotSegmentModule.scene import commit
    from test_whole_way import User

    fake = fake_worker.FakeWorker()
    widget.logic._makeTransport = fake.make_transport
    module_worker.TICK_MILLISECONDS = 5  # the fake worker says one thing at each tick
    user = User(application, widget)
    user.annotation.volumeSelector.setCurrentNode(large_volume)
    if user.context.segmentationNode is None:
        application.press(user.annotation.newSegmentationButton)
    ui = user.propagate

    def wait():
        application.wait_until(lambda: not user.context.runner.running, 120)

    with ExitStack() as stack:
        for owner, name in (
            (fake_answers.FakeAnswers, "answer"),
            (commit.WidgetEditor, "saveStateForUndo"),
            (commit.WidgetEditor, "modifySegment"),
        ):
            stack.enter_context(watchdog.excused(owner, name))
        for turn in range(ROUNDS):
            draw(user, 150, 60 + turn)
            with watchdog.step("annotation described"):
                user.settle()
            with watchdog.step("propagate until the preview"):
                application.press(ui.propagateButton)
                wait()
            assert user.context.proposal is not None, widget.ui.messageLabel.text
            with watchdog.step("preview: opacity and fill"):
                ui.opacitySlider.value = 0.3 + 0.1 * turn
                ui.fillCheckBox.checked = not ui.fillCheckBox.checked
            with watchdog.step("accept"):
                application.press(ui.acceptButton)
                user.settle()
            assert user.context.proposal is None, widget.ui.messageLabel.text
            with watchdog.step("review"):
                application.press(user.review.suggestButton)
            draw(user, 155, 50 + turn)
            with watchdog.step("edit described"):
                user.settle()
            with watchdog.step("correct until the preview"):
                application.press(user.anchors.updateButton)
                wait()
            assert user.context.proposal is not None, widget.ui.messageLabel.text
            with watchdog.step("reject"):
                application.press(ui.rejectButton)
                user.settle()
            with watchdog.step("leave and come back"):
                application.select_module("Data")
                application.select_module("FewShotSegment")
            draw(user, 155, 0)
            user.settle()

    best = best_of_rounds(watchdog.gaps)
    with capsys.disabled():
        print("\nlongest time without the event loop, best of", ROUNDS, "rounds")
        for step, seconds in best.items():
            print(f"  {1000 * seconds:6.0f} ms  {step}")
    assert len(best) == 9
    assert {step: seconds for step, seconds in best.items() if seconds > LIMIT} == {}


def best_of_rounds(gaps: list[tuple[float, str]]) -> dict[str, float]:
    """The longest gap of each step in its best round; rounds are told apart by the steps between."""
    rounds: dict[str, list[float]] = defaultdict(list)
    before = None
    for gap, step in gaps:
        if step != before:
            rounds[step].append(0.0)
        rounds[step][-1] = max(rounds[step][-1], gap)
        before = step
    return {step: min(longest) for step, longest in rounds.items() if step != "start"}
