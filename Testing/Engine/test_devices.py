"""Devices: honest refusals, and a way out when memory is short."""

import pytest
import torch

from FewShotSegmentLib import DeviceError, Engine
from FewShotSegmentLib.devices import resolve_device, with_less_memory


def out_of_memory():
    raise torch.cuda.OutOfMemoryError("CUDA out of memory.")


def test_smaller_pieces_then_the_cpu_and_it_is_said():
    notes = []
    attempts = [("as usual", out_of_memory), ("in smaller pieces", out_of_memory), ("on the CPU", lambda: 42)]
    assert with_less_memory(attempts, notes) == 42
    assert notes == [
        "The device ran out of memory, so it was done again in smaller pieces.",
        "The device ran out of memory, so it was done again on the CPU.",
    ]


def test_nothing_helps():
    with pytest.raises(DeviceError, match="ran out of memory"):
        with_less_memory([("as usual", out_of_memory)], [])


def test_other_errors_are_not_swallowed():
    def broken():
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        with_less_memory([("as usual", broken), ("on the CPU", lambda: 1)], [])


def test_an_engine_that_runs_out_of_memory_ends_on_the_cpu(engine, organ, monkeypatch):
    """No accelerator here: the engine is told that it has one, and its first sweeps fail as CUDA's do."""
    from FewShotSegmentLib import engine as module

    expected = engine.propagate(organ.image, organ.anchors(7), modality="ct")
    pretender = Engine(engine.network, torch.device("cpu"), engine.weights, engine.settings, engine.refiner)
    pretender.device = torch.device("cuda")
    sweeps = []

    class Sweep(module.Sweep):
        def run(self, *arguments):
            sweeps.append((self._device.type, self._segments_per_call, self._settings.feature_cache_bytes))
            if self._device.type == "cuda":
                out_of_memory()
            super().run(*arguments)

    monkeypatch.setattr(module, "Sweep", Sweep)
    for network in (pretender.network, pretender.refiner):
        monkeypatch.setattr(network, "to", lambda *a, **k: None)
    result = pretender.propagate(organ.image, organ.anchors(7), modality="ct")
    assert [s[0] for s in sweeps] == ["cuda", "cuda", "cpu"]
    assert sweeps[0][1] > 1 and sweeps[1][1:] == (1, 0)
    assert pretender.device.type == "cpu"
    assert [n.rpartition("again ")[2] for n in pretender.notes] == ["in smaller pieces.", "on the CPU."]
    assert (result.mask == expected.mask).all()


def test_unknown_and_absent_devices(monkeypatch):
    with pytest.raises(DeviceError, match="no device “tpu”"):
        resolve_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="CUDA device was asked for"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"
