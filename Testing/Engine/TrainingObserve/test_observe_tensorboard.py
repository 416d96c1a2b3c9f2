"""TensorBoard gets every number, where it is installed; where it is not, that is said once."""

import math
import sys
import types
from typing import ClassVar

import pytest

from FewShotSegmentLib.training.observe import TensorBoardLog


class _Writer:
    """Stands in for SummaryWriter."""

    made: ClassVar[list] = []

    def __init__(self, folder, purge_step=None):
        self.folder, self.purge_step, self.scalars, self.closed = folder, purge_step, [], False
        _Writer.made.append(self)

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def flush(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def writers(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=_Writer))
    _Writer.made = []
    return _Writer.made


def test_scalars_of_steps_and_validations(tmp_path, writers):
    board = TensorBoardLog(tmp_path)
    board.told({"step": 3.0, "loss": 0.5, "dice": math.nan})
    board.validated({"step": 3.0, "whole": 0.7})
    board.close()
    assert writers[0].scalars == [("train/loss", 0.5, 3), ("validation/whole", 0.7, 3)]
    assert writers[0].folder == str(tmp_path)
    assert writers[0].closed
    assert board.notes == []


def test_resuming_purges_later_steps(tmp_path, writers):
    board = TensorBoardLog(tmp_path)
    board.resumed(7)
    board.told({"step": 8.0, "loss": 1.0})
    assert writers[0].purge_step == 8


def test_without_its_package_there_is_one_note(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = TensorBoardLog(tmp_path)
    for step in (1.0, 2.0):
        board.told({"step": step, "loss": 1.0})
    board.checkpoint(2, {})
    board.close()
    assert len(board.notes) == 1
    assert "pip install tensorboard" in board.notes[0]


def test_a_disk_that_is_full_ends_the_logs_only(tmp_path, writers, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    board = TensorBoardLog(tmp_path)
    monkeypatch.setattr(_Writer, "add_scalar", full)
    for step in (1.0, 2.0):
        board.told({"step": step, "loss": 1.0})
    board.close()
    assert len(board.notes) == 1
    assert "No space left" in board.notes[0]


def test_the_real_writer(tmp_path):
    pytest.importorskip("tensorboard")
    board = TensorBoardLog(tmp_path / "tb")
    board.told({"step": 1.0, "loss": 1.0})
    board.close()
    assert next(path.name for path in (tmp_path / "tb").iterdir()).startswith("events.out.tfevents")
