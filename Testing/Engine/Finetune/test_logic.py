"""The class that Slicer's module calls: start, progress, cancel, result, keep, roll back."""

import subprocess
import sys
import threading

import pytest
from finetune_cases import request

from FewShotSegmentLib import Cancelled, Engine, InputError
from FewShotSegmentLib.finetune import FinetuneRequest, TrainingLogic, WeightsStore


@pytest.fixture
def logic(tmp_path):
    return TrainingLogic(WeightsStore(tmp_path / "weights"))


class Held(FinetuneRequest):
    """A request that waits until it is let go, asking for cancellation as it waits."""

    go = threading.Event()
    outcome = None

    def run(self, progress=None, cancelled=None):
        progress(3, 10, "waiting")
        while not self.go.wait(0.01):
            if cancelled():
                raise Cancelled()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def held(outcome=None):
    made = Held([])
    object.__setattr__(made, "go", threading.Event())
    object.__setattr__(made, "outcome", outcome)
    return made


def test_from_start_to_kept_weights_and_back(logic, monkeypatch, spoilt_engine):
    monkeypatch.setattr(Engine, "load", classmethod(lambda *_, **__: spoilt_engine))
    assert logic.state == "idle"
    logic.start(request(3, 6, 8, 10, steps=3, learning_rate=1e-2))
    assert logic.wait(120) and logic.state == "done"
    assert logic.result().better
    assert logic.progress().done == logic.progress().total and logic.progress().seconds_left == 0
    assert logic.store.list() == []  # nothing is written before it is asked for
    folder = logic.keep("mine")
    assert folder.is_dir() and [info.name for info in logic.store.list()] == ["mine"]
    logic.roll_back()
    assert logic.store.list() == [] and logic.state == "idle"
    with pytest.raises(InputError, match="No fine-tuning has been started"):
        logic.result()


def test_one_at_a_time_and_start_returns_at_once(logic):
    first = held()
    logic.start(first)
    assert logic.state == "running"
    for call in (lambda: logic.start(held()), logic.roll_back):
        with pytest.raises(InputError, match="running"):
            call()
    with pytest.raises(InputError, match="not done yet"):
        logic.result()
    assert not logic.wait(0)
    first.go.set()
    assert logic.wait(10) and logic.state == "done"


def test_progress_is_told(logic):
    logic.start(held())
    while logic.progress().phase != "waiting":
        threading.Event().wait(0.005)
    assert logic.progress()[:2] == (3, 10)
    logic.cancel()
    logic.wait(10)


def test_cancel(logic):
    logic.start(held())
    logic.cancel()
    assert logic.wait(10) and logic.state == "cancelled"
    with pytest.raises(Cancelled):
        logic.result()
    with pytest.raises(Cancelled):
        logic.keep("x")
    assert logic.store.list() == []
    again = held()
    again.go.set()
    logic.start(again)  # and it can be started again
    assert logic.wait(10) and logic.state == "done"


def test_cancel_reaches_the_training(logic):
    logic.start(request(3, 6, 8, 10, steps=10_000))
    while "adapting" not in logic.progress().phase:
        assert logic.state == "running"
        threading.Event().wait(0.02)
    logic.cancel()
    assert logic.wait(30) and logic.state == "cancelled"


@pytest.mark.parametrize("error", [InputError("Too little."), ZeroDivisionError("ours")])
def test_what_went_wrong_is_raised_as_it_was(logic, error):
    failing = held(error)
    failing.go.set()
    logic.start(failing)
    assert logic.wait(10) and logic.state == "failed"
    with pytest.raises(type(error)) as caught:
        logic.result()
    assert caught.value is error


def test_too_little_is_refused_in_a_sentence(logic):
    logic.start(request(6))
    assert logic.wait(60) and logic.state == "failed"
    with pytest.raises(InputError, match="too little to learn from"):
        logic.result()


def test_time_left_shrinks_with_what_is_done(logic, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("FewShotSegmentLib.finetune.logic.time.monotonic", lambda: now[0])
    logic._marks = (100.0, 0)
    logic._report(0, 100, "a")
    assert logic.progress().seconds_left is None
    now[0] = 110.0
    logic._report(10, 100, "a")
    assert logic.progress().seconds_left is None or logic.progress().seconds_left > 0
    now[0] = 120.0
    logic._report(50, 100, "a")
    first = logic.progress().seconds_left
    now[0] = 130.0
    logic._report(75, 100, "a")
    assert 0 < logic.progress().seconds_left < first


def test_nothing_of_slicer_or_qt_is_imported():
    # in a process of its own: other tests of the same run do import them
    code = (
        "import sys, FewShotSegmentLib.finetune.logic, FewShotSegmentLib.finetune.adaptation; "
        "print(sorted({'slicer', 'qt', 'ctk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"
