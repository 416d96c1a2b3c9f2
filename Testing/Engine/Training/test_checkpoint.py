"""Checkpoints: whole or not there, never unpickled, the last three kept."""

import hashlib
import io
import json
import pickle

import pytest
import torch

from FewShotSegmentLib import InputError
from FewShotSegmentLib.training.checkpoint import Checkpoints

STATE = {"network": {"a": torch.arange(6.0).view(2, 3)}, "settings": {"seed": 3, "length": [4, 8]}, "pieces": 1}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_saved_comes_back(tmp_path):
    kept = Checkpoints(tmp_path / "deep" / "folder")
    kept.save(7, STATE)
    loaded = kept.load()
    assert loaded.step == 7 and loaded.notes == []
    assert torch.equal(loaded.state["network"]["a"], STATE["network"]["a"])
    assert loaded.state["settings"] == STATE["settings"]


def test_the_last_three_are_kept(tmp_path):
    kept = Checkpoints(tmp_path)
    for step in (1, 5, 20, 100):
        kept.save(step, STATE)
    assert names(tmp_path) == ["step-00000005.ckpt", "step-00000020.ckpt", "step-00000100.ckpt"]


def test_nothing_there_is_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path).load() is None
    assert Checkpoints(tmp_path / "nowhere").load() is None


def test_a_failure_in_the_middle_leaves_the_earlier_ones(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    kept.save(1, STATE)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        kept.save(2, STATE)
    assert names(tmp_path) == ["step-00000001.ckpt"]
    assert kept.load().step == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other format", "no head", "a list"])
def test_damage_is_seen(tmp_path, damage):
    kept = Checkpoints(tmp_path)
    kept.save(1, STATE)
    path = kept.save(2, STATE)
    data = path.read_bytes()
    at = len(data) // 2
    path.write_bytes(
        {
            "cut": data[:-30],
            "flipped": data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :],
            "empty": b"",
            "other format": data.replace(b'"format": 1', b'"format": 9', 1),
            "a list": b"[]\n" + data,
            "no head": data[data.index(b"\n") + 1 :],
        }[damage]
    )
    loaded = kept.load()
    assert loaded.step == 1
    assert len(loaded.notes) == 1 and "step-00000002.ckpt is damaged" in loaded.notes[0]
    # put aside, and no place is taken from those that are whole
    assert names(tmp_path) == ["step-00000001.ckpt", "step-00000002.damaged"]


def test_all_damaged_is_refused(tmp_path):
    kept = Checkpoints(tmp_path)
    for step in (1, 2):
        kept.save(step, STATE).write_bytes(b"no")
    with pytest.raises(InputError, match="All 2 checkpoints"):
        kept.load()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("saved_by", ["pickle", "torch"])
def test_nothing_is_unpickled(tmp_path, saved_by):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    buffer = io.BytesIO()
    (pickle.dump if saved_by == "pickle" else torch.save)(Evil(), buffer)
    payload = buffer.getvalue()
    head = {"format": 1, "step": 3, "sha256": hashlib.sha256(payload).hexdigest(), "size": len(payload)}
    (tmp_path / "step-00000003.ckpt").write_bytes(json.dumps(head).encode() + b"\n" + payload)
    with pytest.raises(InputError, match="All 1 checkpoints"):
        Checkpoints(tmp_path).load()
    assert not (tmp_path / "evil").exists()
