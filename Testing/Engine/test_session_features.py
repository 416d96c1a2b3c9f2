"""What a session keeps: no slice is encoded twice, within a bound, and only for the engine as it is now."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from session_cases import assert_same, composed

from FewShotSegmentLib import Cancelled, Engine
from FewShotSegmentLib.session import VolumeSession


@pytest.fixture(scope="module")
def engine(engine):
    """The shared one with slices smaller still: many propagations are compared here."""
    return Engine(
        engine.network, engine.device, engine.weights, replace(engine.settings, window_size=32, refiner_size=32)
    )


@pytest.fixture
def organ(organ):
    """The shared one, annotated everywhere as in the middle: all of it is seen through one window."""
    return SimpleNamespace(image=organ.image, anchors=lambda *indices: dict.fromkeys(indices, organ.mask[7]))


@pytest.fixture
def encodings(engine, monkeypatch):
    """Grows by one entry with every slice that the encoder sees."""
    encoder = engine.network.image_encoder
    seen = []
    deepen = encoder.deepen
    monkeypatch.setattr(encoder, "deepen", lambda stem: (seen.append(stem.shape[0]), deepen(stem))[1])
    return seen


@pytest.fixture
def own_engine(engine):
    """An engine that a test may move; the network is the shared one."""
    return Engine(engine.network, engine.device, engine.weights, engine.settings)


# --- features ---


def test_a_correction_encodes_no_slice_again(engine, organ, encodings):
    session = VolumeSession(engine, organ.image, modality="ct")
    session.propagate({"a": organ.anchors(3, 11)}, slice_range=(3, 11))
    assert sum(encodings) == 9
    visited = sum(encodings)
    assert session.kept_bytes > 0
    session.propagate({"a": organ.anchors(3, 7, 11)}, slice_range=(3, 11), around={"a": [7]})
    session.propagate({"a": organ.anchors(3, 11)}, slice_range=(3, 11), around={"a": [7]})
    session.propagate({"a": organ.anchors(3, 11), "b": organ.anchors(5)}, slice_range=(3, 11))
    assert sum(encodings) == visited


def test_what_is_kept_stays_within_the_bound_and_the_last_used_stays(engine, organ, encodings):
    session = VolumeSession(engine, organ.image, modality="ct")
    session.propagate({"a": organ.anchors(7)}, slice_range=(7, 8))
    one = session.kept_bytes // 2
    small = VolumeSession(engine, organ.image, modality="ct", cache_bytes=3 * one)
    small.propagate({"a": organ.anchors(4)}, slice_range=(4, 9))
    assert small.kept_bytes == 3 * one  # slices 7, 8 and 9
    encodings.clear()
    small.propagate({"a": organ.anchors(8)}, slice_range=(7, 8))
    assert sum(encodings) == 0
    small.propagate({"a": organ.anchors(7)}, slice_range=(6, 7))
    assert sum(encodings) == 1  # 6 has taken the place of 9, which was used before 8 and 7
    small.propagate({"a": organ.anchors(8)}, slice_range=(6, 8))
    assert sum(encodings) == 1
    small.propagate({"a": organ.anchors(8)}, slice_range=(8, 9))
    assert sum(encodings) == 2
    assert small.kept_bytes == 3 * one


def test_forgetting_frees_and_changes_nothing(engine, organ, encodings):
    session = VolumeSession(engine, organ.image, modality="ct")
    first = session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"]
    seen = sum(encodings)
    session.forget()
    assert session.kept_bytes == 0
    assert_same(session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"], first)
    assert sum(encodings) == 2 * seen


@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_a_cancelled_correction_leaves_the_session_usable(engine, organ, after, encodings):
    session = VolumeSession(engine, organ.image, modality="ct")
    old = session.propagate({"a": organ.anchors(3, 11)}, keep_probability=True)["a"]
    seen = sum(encodings)
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > after

    correction = dict(segments={"a": organ.anchors(3, 7, 11)}, around={"a": [7]}, keep_probability=True)
    with pytest.raises(Cancelled):
        session.propagate(**correction, cancelled=cancelled)
    assert len(asked) == after + 1
    new = session.propagate(**correction)["a"]
    assert sum(encodings) == seen
    assert_same(composed(old, new), engine.propagate(organ.image, organ.anchors(3, 7, 11), modality="ct"))


# --- an engine that changes ---


def test_features_follow_the_engine_to_another_device(own_engine, organ, encodings):
    session = VolumeSession(own_engine, organ.image, modality="ct")
    first = session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"]
    seen = sum(encodings)
    own_engine.device = torch.device("cpu", 0)  # another name is another device to whoever keeps tensors there
    assert_same(session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"], first)
    assert sum(encodings) == 2 * seen
    session.propagate({"a": organ.anchors(7)})
    assert sum(encodings) == 2 * seen


def test_features_of_other_weights_are_never_used(own_engine, organ):
    session = VolumeSession(own_engine, organ.image, modality="ct")
    first = session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"]
    own_engine.network = copy.deepcopy(own_engine.network)
    with torch.no_grad():
        for parameter in own_engine.network.image_encoder.parameters():
            parameter.mul_(0.9)
    second = session.propagate({"a": organ.anchors(7)}, keep_probability=True)["a"]
    assert_same(second, own_engine.propagate(organ.image, organ.anchors(7), modality="ct"))
    assert not np.array_equal(first.probability, second.probability)


def test_out_of_memory_ends_on_the_cpu_and_features_with_it(own_engine, organ, monkeypatch, encodings):
    """No accelerator here: the engine is told that it has one, and its sweeps there fail as CUDA's do."""
    from FewShotSegmentLib import engine as module

    session = VolumeSession(own_engine, organ.image, modality="ct")
    old = session.propagate({"a": organ.anchors(3, 11)}, keep_probability=True)["a"]
    attempts = []

    class Sweep(module.Sweep):
        def run(self, progress, cancelled, store):
            attempts.append((self._device.type, self._segments_per_call, store and store.device.type))
            assert session.kept_bytes == 0
            if self._device.type == "cuda":
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            super().run(progress, cancelled, store)

    monkeypatch.setattr(own_engine.network, "to", lambda *a, **k: None)
    own_engine.device = torch.device("cuda")
    correction = dict(segments={"a": organ.anchors(3, 7, 11)}, around={"a": [7]}, keep_probability=True)
    with monkeypatch.context() as patch:
        patch.setattr(module, "Sweep", Sweep)
        new = session.propagate(**correction)["a"]
    assert attempts == [("cuda", 8, "cuda"), ("cuda", 1, None), ("cpu", 1, "cpu")]
    assert own_engine.device.type == "cpu"
    assert [note.rpartition("again ")[2] for note in session.notes] == ["in smaller pieces.", "on the CPU."]
    assert_same(composed(old, new), own_engine.propagate(organ.image, organ.anchors(3, 7, 11), modality="ct"))
    encodings.clear()
    assert_same(session.propagate(**correction)["a"], new)
    assert (sum(encodings), session.notes) == (0, [])
