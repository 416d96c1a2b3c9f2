"""The real engine, interrupted through the real panel: nothing is written, it is said, and the next run works."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))


@pytest.fixture
def user(load, application):
    """The panel on the phantom, one slice of the liver drawn."""
    import slicer
    from test_whole_way import User, phantom_case

    voxels, truth, spacing = phantom_case()
    user = User(application, load())
    volume = slicer.util.addVolumeFromArray(voxels, name="CT")
    volume.SetSpacing(*spacing)
    user.annotation.volumeSelector.setCurrentNode(volume)
    if user.context.segmentationNode is None:
        application.press(user.annotation.newSegmentationButton)
    filled = np.flatnonzero(truth.any(axis=(1, 2)))
    user.draw(int(filled[len(filled) // 2]), truth[filled[len(filled) // 2]])
    return user


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def start(user) -> int:
    """Press Propagate and wait until the engine computes; its process."""
    user.application.press(user.propagate.propagateButton)
    assert user.propagate.propagateButton.text == "Cancel"
    user.wait(lambda: user.context.runner.job.progress is not None and user.context.runner.job.progress.total)
    return user.widget.logic.client.worker_info.pid


def wait(user) -> None:
    user.wait(lambda: not user.context.runner.running)


def test_engine_is_killed_in_mid_run(user):
    drawn = user.mask()
    killed = start(user)
    os.kill(killed, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    wait(user)
    assert user.context.proposal is None
    said = user.widget.ui.messageLabel.text
    assert "The engine" in said and "Nothing was changed" in said
    assert np.array_equal(user.mask(), drawn)
    user.run(user.propagate.propagateButton)
    assert user.widget.logic.client.worker_info.pid != killed
    user.accept()
    assert user.mask().sum() > drawn.sum()


def test_cancel_in_mid_run(user):
    drawn = user.mask()
    process = start(user)
    user.application.press(user.propagate.propagateButton)
    wait(user)
    assert user.context.proposal is None
    assert user.widget.ui.messageLabel.text == "Cancelled: nothing was changed."
    assert np.array_equal(user.mask(), drawn)
    user.run(user.propagate.propagateButton)
    assert user.widget.logic.client.worker_info.pid == process  # the model stays loaded


def test_volume_is_deleted_in_mid_run(user):
    import slicer

    process = start(user)
    slicer.mrmlScene.RemoveNode(user.context.volumeNode)
    wait(user)
    user.settle()
    assert user.context.proposal is None
    assert "CT was removed" in user.widget.ui.messageLabel.text
    assert not user.propagate.propagateButton.enabled
    assert runs(process)


def test_module_is_reloaded_in_mid_run(user):
    """No process is left behind, and the new panel has the drawing."""
    import slicer
    from test_whole_way import User

    process, drawn = start(user), user.mask()
    folder = user.widget.logic.client.folder
    user.widget.onReload()
    user.wait(lambda: not runs(process))
    assert not folder.exists()
    again = User(user.application, slicer.modules.FewShotSegmentWidget)
    again.settle()
    assert np.array_equal(again.mask(), drawn)
    again.run(again.propagate.propagateButton)
    again.application.press(again.propagate.rejectButton)
