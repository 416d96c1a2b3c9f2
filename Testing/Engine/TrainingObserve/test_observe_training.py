"""A training that is watched: all files are there, and it learns the same as one that nobody watches."""

import sys

import pytest
import torch
from observe_cases import FEW_SHOT, SMALL

from FewShotSegmentLib.training.networks import make_task
from FewShotSegmentLib.training.observe import read_log, read_table, sample_parts, watching
from FewShotSegmentLib.training.sources import make_source
from FewShotSegmentLib.training.trainer import Trainer


def _train(folder, settings, labelled=None, until=None, watched=True, resumable=False):
    task = make_task(settings, "random")
    source = make_source(settings, [], torch.device("cpu"))
    checkpoints = folder / "checkpoints" if resumable else None
    if not watched:
        return Trainer(task, source, settings, checkpoints, checkpoint_every=2).run(until=until), []
    parts = sample_parts(source, settings, 2)
    with watching(folder, settings, validation=labelled, validate_every=2, parts=parts, title="a test") as watchers:
        trainer = Trainer(task, source, settings, checkpoints, observers=watchers.observers, checkpoint_every=2)
        outcome = trainer.run(until=until)
    return outcome, watchers.notes


@pytest.fixture(autouse=True)
def no_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


def test_all_files_and_the_same_weights_as_unwatched(tmp_path, labelled):
    watched, notes = _train(tmp_path / "watched", SMALL, labelled)
    unwatched, _ = _train(tmp_path / "alone", SMALL, watched=False)
    assert all(torch.equal(value, unwatched.weights[name]) for name, value in watched.weights.items())
    folder = tmp_path / "watched"
    assert {p.name for p in folder.iterdir()} == {"log.csv", "validation.csv", "curves.png", "parts.png"}
    assert len(notes) == 1
    assert "pip install tensorboard" in notes[0]
    log = read_log(folder / "log.csv")
    assert log["step"].tolist() == [1, 2, 3, 4]
    assert log["loss"].tolist() == [row["loss"] for row in watched.rows]
    assert read_table(folder / "validation.csv")["step"].tolist() == [2, 4]


def test_a_resumed_training_has_the_same_log(tmp_path):
    _train(tmp_path / "whole", FEW_SHOT)
    _train(tmp_path / "halves", FEW_SHOT, until=3, resumable=True)
    for path in (tmp_path / "halves" / "checkpoints").glob("step-00000003*"):
        path.unlink()  # as if it had been killed after step 3: the log knows more than the checkpoint
    resumed, _ = _train(tmp_path / "halves", FEW_SHOT, resumable=True)
    assert [row["step"] for row in resumed.rows] == [3, 4]
    logs = [read_log(tmp_path / name / "log.csv") for name in ("whole", "halves")]
    assert logs[0].keys() == logs[1].keys()
    for name in ("step", "loss", "norm", "rate"):
        assert logs[0][name].tolist() == logs[1][name].tolist()


def test_files_are_finished_if_the_training_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), watching(tmp_path, SMALL) as watchers:
        for observer in watchers.observers:
            observer.told({"step": 1.0, "loss": 1.0})
        raise ZeroDivisionError
    assert read_log(tmp_path / "log.csv")["step"].tolist() == [1]
    assert (tmp_path / "curves.png").is_file()
