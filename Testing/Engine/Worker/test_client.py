"""The client with a transport that does what the test says."""

import os
import stat

import pytest
from worker_cases import Clock, ScriptedTransport

from FewShotSegmentLib.worker.client import Limits, WorkerClient
from FewShotSegmentLib.worker.messages import (
    LOADING,
    Alive,
    Cancel,
    Cancelled,
    Devices,
    Done,
    Failed,
    Forget,
    Library,
    Progress,
    Propagate,
    ProtocolError,
)


class Scene:
    """A client, what it made, and what it called back."""

    def __init__(self):
        self.clock = Clock()
        self.transports = []
        self.killed = []
        self.heard = []
        self.logged = []
        self.start_error = None
        self.client = WorkerClient(
            self._make,
            ["python", "-m", "w"],
            limits=Limits(close_seconds=0.02),
            clock=self.clock,
            kill_process=self.killed.append,
            log=self.logged.append,
        )

    def _make(self):
        self.transports.append(ScriptedTransport())
        self.transports[-1].start_error = self.start_error
        return self.transports[-1]

    @property
    def worker(self):
        return self.transports[-1]

    def submit(self, name, request=None):
        note = self.heard.append
        return self.client.submit(
            request or Forget(),
            on_progress=lambda progress: note((name, "progress", progress.done)),
            on_done=lambda answer: note((name, "done", answer)),
            on_failed=lambda failure: note((name, "failed", failure.kind)),
            on_cancelled=lambda: note((name, "cancelled")),
        )

    def running(self, name="a", request=None):
        """A ticket whose request the worker has."""
        ticket = self.submit(name, request)
        if self.client.worker_info is None:
            self.worker.ready()
        assert self.worker.messages[-1].id == ticket.id and ticket.state == "running"
        return ticket

    def later(self, seconds):
        self.clock.now += seconds
        self.client.tick()


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.client.close()


def test_requests_are_sent_one_at_a_time_in_their_order(scene):
    assert scene.transports == [] and not scene.client.busy
    a, b, c = scene.submit("a", Devices()), scene.submit("b"), scene.submit("c")
    assert [t.state for t in (a, b, c)] == ["running", "waiting", "waiting"] and len({a.id, b.id, c.id}) == 3
    assert scene.worker.messages == []  # before it is known whom one talks to
    scene.worker.ready()
    assert scene.worker.command == ["python", "-m", "w", "--folder", str(scene.client.folder)]
    for ticket, name in ((a, "a"), (b, "b"), (c, "c")):
        assert scene.worker.messages[-1].id == ticket.id and scene.client.busy
        scene.worker.say(Progress(ticket.id, 1, 2))
        assert ticket.progress.done == 1
        scene.worker.say(Done(ticket.id, {"n": name}))
        assert ticket.state == "done" and ticket.answer == {"n": name}
    assert [m.kind for m in scene.worker.messages] == ["devices", "forget", "forget"]
    assert scene.heard == [(n, *w) for n in "abc" for w in (("progress", 1), ("done", {"n": n}))]
    assert len(scene.transports) == 1 and not scene.client.busy


def test_what_cannot_be_sent_is_refused_at_once(scene):
    with pytest.raises(ProtocolError):
        scene.client.submit(Forget(keys=[1]))
    assert not scene.client.busy and scene.transports == []


def test_a_waiting_request_is_cancelled_at_once(scene):
    a, b, c = scene.running("a"), scene.submit("b"), scene.submit("c")
    scene.client.cancel(b)
    scene.client.cancel(b)
    assert scene.heard == [("b", "cancelled")] and b.state == "cancelled"
    scene.worker.say(Done(a.id))
    assert scene.worker.messages[-1].id == c.id


def test_a_running_request_is_cancelled_by_the_worker(scene):
    a = scene.running("a")
    b = scene.submit("b")
    scene.client.cancel(a)
    scene.client.cancel(a)
    assert scene.worker.messages[-1] == Cancel(target=a.id) and len(scene.worker.messages) == 2
    scene.worker.say(Progress(a.id, 1, 2))  # was under way
    assert scene.heard == [] and a.state == "running" and a.cancelling
    scene.worker.say(Cancelled(a.id))
    assert scene.heard == [("a", "cancelled")] and scene.worker.messages[-1].id == b.id
    scene.client.cancel(a)  # too late, and no matter
    scene.worker.say(Done(b.id))
    scene.client.cancel(b)
    assert scene.heard == [("a", "cancelled"), ("b", "done", {})] and scene.worker.calls == []


def test_a_request_whose_worker_is_only_starting_is_cancelled_at_once(scene):
    a, b = scene.submit("a"), scene.submit("b")
    scene.client.cancel(a)
    assert scene.heard == [("a", "cancelled")] and b.state == "running"
    scene.worker.ready()
    assert [m.id for m in scene.worker.messages] == [b.id]


def test_a_worker_that_does_not_stop_is_ended(scene):
    a, b = scene.running("a"), scene.submit("b")
    first = scene.worker
    scene.client.cancel(a)
    scene.later(4.9)
    assert a.state == "running"
    scene.worker.say(Alive("", 0.0))
    scene.later(0.2)
    assert scene.heard == [("a", "cancelled")] and first.calls[:2] == ["close", "kill"] and scene.killed == [77]
    assert len(scene.transports) == 2 and b.state == "running"
    first.finished(-9)  # what comes from it is no longer listened to
    first.output(b"{}\n")
    scene.worker.ready(78)
    scene.worker.say(Done(b.id))
    assert scene.heard[1:] == [("b", "done", {})]


def test_an_answer_that_comes_in_spite_of_cancel_is_dropped_unless_it_has_changed_something(scene):
    a = scene.running("a", Propagate())
    folder = scene.client.folder / "answers" / a.id
    folder.mkdir(parents=True)
    (folder / "0.npy").write_bytes(b"")
    scene.client.cancel(a)
    scene.worker.say(Done(a.id, {"segments": [{"file": str(folder / "0.npy")}]}))
    assert a.state == "cancelled" and not folder.exists()
    b = scene.running("b", Library(action="remove", entries=["x"]))
    scene.client.cancel(b)
    scene.worker.say(Done(b.id, {"removed": ["x"]}))
    assert scene.heard == [("a", "cancelled"), ("b", "done", {"removed": ["x"]})]


@pytest.mark.parametrize(("detail", "kind"), [("", "request"), ("Traceback …", "internal")])
def test_a_failure_is_told_with_its_sentence(scene, detail, kind):
    a = scene.running("a")
    scene.worker.say(Failed(a.id, "It cannot be done; do that.", detail))
    assert scene.heard == [("a", "failed", kind)]
    assert a.failure == ("It cannot be done; do that.", detail, kind)


CODES = [
    (1, "exit code 1"),
    (-11, "signal 11"),
    (-9, "memory ran out"),
    (0xC0000005, "0xc0000005"),
    (0, "exit code 0"),
    (None, "not known"),
]


@pytest.mark.parametrize(("code", "words"), CODES)
def test_a_crash_costs_only_the_request_that_ran(scene, code, words):
    a, b, c = scene.running("a"), scene.submit("b"), scene.submit("c")
    part = scene.client.folder / "answers" / f"{a.id}.part"
    part.mkdir(parents=True)
    scene.worker.log(b"first\nFatal: \xff it broke\nhalf")
    scene.worker.end(code)
    assert scene.heard == [("a", "failed", "crashed")] and not part.exists()
    assert words in a.failure.sentence and a.failure.sentence.count("\n") == 0
    assert a.failure.detail.splitlines() == ["first", "Fatal: \ufffd it broke", "half"]
    assert scene.killed == ([] if code == 0 else [77])  # what had been started may be only a launcher
    scene.worker.ready(78)
    for ticket in (b, c):
        scene.worker.say(Done(ticket.id))
    assert [t.state for t in (b, c)] == ["done", "done"] and len(scene.transports) == 2


def test_a_worker_that_ends_while_nothing_runs_is_not_missed(scene):
    a = scene.running("a")
    scene.worker.say(Done(a.id))
    scene.worker.end(1)
    b = scene.running("b")
    scene.worker.say(Done(b.id))
    scene.worker.running = False  # nobody has told yet
    c = scene.running("c")
    scene.worker.say(Done(c.id))
    assert [t.state for t in (a, b, c)] == ["done"] * 3 and len(scene.transports) == 3


def test_a_worker_that_cannot_be_started(scene):
    scene.start_error = FileNotFoundError(2, "No such file or directory")
    a, b = scene.submit("a"), scene.submit("b")
    assert scene.heard == []  # not from within submit
    scene.client.tick()
    assert scene.heard == [("a", "failed", "not started")] and "No such file" in a.failure.sentence
    scene.start_error = None
    scene.client.tick()
    assert scene.heard[1:] == [("b", "failed", "not started")]
    c = scene.running("c")
    scene.worker.say(Done(c.id))
    assert b.state == "failed" and c.state == "done"


@pytest.mark.parametrize("code", [None, 1])
def test_a_worker_that_ends_before_its_first_word(scene, code):
    a = scene.submit("a")
    scene.worker.log(b"No module named FewShotSegmentLib\n")
    scene.worker.end(code)
    assert a.failure.kind == "not started" and "No module" in a.failure.detail


def test_a_worker_that_does_not_start(scene):
    a = scene.submit("a")
    scene.later(59)
    assert a.state == "running"
    scene.later(2)
    scene.later(1)
    assert a.failure.kind == "hung" and "kill" in scene.worker.calls


def test_another_version_of_the_worker_is_not_used(scene):
    a, b = scene.submit("a"), scene.submit("b")
    first = scene.worker
    first.ready(protocol=2)
    assert a.failure.kind == "not started" and "install FewShotSegment again" in a.failure.sentence
    assert "kill" in first.calls and first.messages == [] and scene.client.worker_info is None
    scene.worker.ready()
    assert scene.worker.messages[-1].id == b.id


def test_silence_is_taken_for_a_hang(scene):
    a, b = scene.running("a"), scene.submit("b")
    for _ in range(30):  # signs of life keep it going
        scene.worker.say(Alive("", 1.0))
        scene.later(2)
    scene.later(17.5)
    assert a.state == "running"
    scene.later(1)
    assert a.state == "running"  # seen once: what has arrived meanwhile may not have been read
    scene.later(1)
    assert scene.heard == [("a", "failed", "hung")] and scene.killed == [77]
    assert "no longer answers" in a.failure.sentence and b.state == "running"


def test_a_client_that_was_busy_itself_reads_first(scene):
    a = scene.running("a")
    scene.later(300)
    scene.worker.say(Alive("", 1.0))
    scene.later(1)
    scene.later(1)
    assert a.state == "running"


def test_a_worker_that_loads_libraries_may_be_silent_for_longer(scene):
    a = scene.running("a")
    scene.worker.say(Progress(a.id, 0, 1, LOADING))
    scene.later(170)
    scene.later(2)
    assert a.state == "running"
    scene.later(10)
    scene.later(2)
    assert a.failure.kind == "hung"


def test_work_that_does_not_move_is_taken_for_a_hang(scene):
    a = scene.running("a")
    for idle in range(0, 181, 2):
        scene.worker.say(Alive("", float(idle)))
        scene.later(2)
    assert a.state == "running"
    scene.worker.say(Alive("", 182.0))
    scene.later(0.2)
    scene.later(1)
    assert a.failure.kind == "hung" and "further" in a.failure.sentence


def test_nothing_is_expected_of_a_worker_that_has_nothing_to_do(scene):
    a = scene.running("a")
    scene.worker.say(Done(a.id))
    scene.later(10_000)
    scene.later(10_000)
    b = scene.running("b")
    scene.later(1)
    assert b.state == "running" and len(scene.transports) == 1


def test_garbage_and_answers_to_nothing_are_logged_and_left_out(scene):
    a = scene.running("a")
    for data in (b"hello\n", b"\xff\n", b"{}\n", b'{"kind":"future","id":"1"}\n'):
        scene.worker.output(data)
    scene.worker.say(Done("other", {}))
    scene.worker.say(Progress("other", 1, 2))
    scene.worker.say(Failed("", "It does not understand."))
    scene.worker.say(Cancel(target=a.id))
    scene.worker.ready()
    assert scene.heard == [] and a.state == "running" and len(scene.logged) == 9
    scene.worker.say(Done(a.id))
    scene.worker.say(Done(a.id))
    scene.worker.say(Failed(a.id, "late"))
    assert scene.heard == [("a", "done", {})]


def test_an_exception_in_a_callback_is_logged_and_breaks_nothing(scene, caplog):
    def broken(*_):
        raise RuntimeError("a mistake in the panel")

    a = scene.client.submit(Forget(), on_progress=broken, on_done=broken)
    b = scene.client.submit(Forget(), on_failed=broken)
    c = scene.client.submit(Forget(), on_cancelled=broken)
    scene.worker.ready()
    scene.worker.say(Progress(a.id, 1, 2))
    scene.worker.say(Done(a.id))
    scene.worker.say(Failed(b.id, "no"))
    scene.client.cancel(c)
    scene.worker.say(Cancelled(c.id))
    assert [t.state for t in (a, b, c)] == ["done", "failed", "cancelled"] and not scene.client.busy
    assert ["a mistake in the panel" in str(record.exc_info) for record in caplog.records] == [True] * 4


def test_callbacks_may_ask_again_and_close(scene):
    tickets = []

    def again(_answer):
        tickets.append(scene.client.submit(Forget(), on_done=lambda _answer: scene.client.close()))

    a = scene.client.submit(Forget(), on_done=again)
    b = scene.submit("b")
    scene.worker.ready()
    scene.worker.say(Done(a.id))
    scene.worker.say(Done(b.id))
    scene.worker.say(Done(tickets[0].id))
    assert [t.state for t in (a, b, *tickets)] == ["done"] * 3 and not scene.worker.running


def test_closing_in_mid_run_cancels_and_leaves_nothing(scene):
    a, b = scene.running("a"), scene.submit("b")
    folder = scene.client.folder
    (folder / "voxels.npy").write_bytes(b"1")
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    scene.client.close()
    scene.client.close()
    assert scene.heard == [("b", "cancelled"), ("a", "cancelled")] and not folder.exists()
    assert scene.worker.calls[0] == "close" and "kill" in scene.worker.calls and scene.killed == [77]
    scene.worker.finished(0)
    scene.worker.say(Done(a.id))
    assert len(scene.heard) == 2 and b.state == "cancelled"
    for late in (lambda: scene.submit("c"), lambda: scene.client.folder):
        with pytest.raises(RuntimeError, match="closed"):
            late()


def test_closing_is_gentle_where_the_worker_ends_by_itself(scene):
    a = scene.running("a")
    scene.worker.say(Done(a.id))
    scene.worker.close_input = lambda: scene.worker.running and scene.worker.end(0)
    scene.client.close()
    assert "kill" not in scene.worker.calls and scene.killed == []


def test_closing_what_was_never_used(scene):
    scene.client.close()
    assert scene.transports == []


def test_only_answers_of_the_private_folder_are_discarded(scene, tmp_path):
    kept = tmp_path / "mine" / "0.npy"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    answer = scene.client.folder / "answers" / "1" / "0.npy"
    answer.parent.mkdir(parents=True)
    answer.write_bytes(b"")
    voxels = scene.client.folder / "voxels.npy"
    voxels.write_bytes(b"")
    scene.client.discard({"a": [str(kept), {"b": str(answer)}], "c": str(voxels), "d": "", "e": "\0", "n": 3})
    assert kept.exists() and voxels.exists() and not answer.parent.exists()


def test_waiting_gives_up_after_a_while(scene):
    a = scene.submit("a")
    scene.worker.poll = lambda: setattr(scene.clock, "now", scene.clock.now + 1)
    assert scene.client.wait(a, 5) is a and a.state == "running"
    scene.worker.poll = lambda: None if scene.client.worker_info else scene.worker.ready()
    scene.client.tick()
    scene.worker.poll = lambda: scene.worker.say(Done(a.id, {"x": 1}))
    assert scene.client.wait(a).answer == {"x": 1}
