"""A worker without a process and without torch, for tests of what uses one: it speaks the protocol in memory.

fake = FakeWorker()
client = WorkerClient(fake.make_transport, ["fake"])
ticket = client.submit(request)
client.tick()  # each delivers one message: Ready, Progress, Progress, …, Done

fake.behaviour.crash_after = 2  # the next request ends the worker after two progress messages
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import fake_answers

from FewShotSegmentLib.worker.codec import LineSplitter, from_line, to_line
from FewShotSegmentLib.worker.messages import (
    LOADING,
    PROTOCOL,
    Alive,
    Cancel,
    Cancelled,
    Done,
    Event,
    Failed,
    Progress,
    Ready,
    Request,
)

NO_TORCH = "PyTorch (torch) is not installed here; open “Set-up” and install it."


@dataclass
class Behaviour:
    """What the worker does; to be changed at any time. What ends a worker is done once, so that the next one works.

    Attributes:
        steps: progress messages of each request.
        slow: polls that each message takes.
        crash_after: progress messages after which it ends as if it were killed.
        hang_after: progress messages after which it says nothing more, and hears no `Cancel`.
        fail: sentence with which requests fail.
        detail: of that failure; not empty for a mistake of ours.
        missing_torch: whether requests fail as where torch is not installed.
        not_started: whether it cannot be started.
        protocol: that it says to speak.
    """

    steps: int = 5
    slow: int = 1
    crash_after: int | None = None
    hang_after: int | None = None
    fail: str = ""
    detail: str = ""
    missing_torch: bool = False
    not_started: bool = False
    protocol: int = PROTOCOL


@dataclass
class FakeWorker:
    """Makes transports, which share what a user's disk would keep: library, weights.

    Attributes:
        behaviour: of all of them.
        requests: all that were received, `Cancel` too.
        transports: all that were made, the last one is in use.
        answers: canned ones with their state.
    """

    behaviour: Behaviour = field(default_factory=Behaviour)
    requests: list[Request] = field(default_factory=list)
    transports: list[FakeTransport] = field(default_factory=list)
    answers: fake_answers.FakeAnswers = field(default_factory=fake_answers.FakeAnswers)

    def make_transport(self) -> FakeTransport:
        """For `WorkerClient`."""
        self.transports.append(FakeTransport(self))
        return self.transports[-1]


class FakeTransport:
    """A `Transport`; `poll` delivers one message."""

    def __init__(self, worker: FakeWorker | None = None):
        self.worker = worker or FakeWorker()
        self.started = self.input_closed = self.killed = False
        self.command: tuple[str, ...] = ()
        self.environment = None
        self.running = False
        self._lines = LineSplitter()
        self._to_say: deque[Event] = deque()
        self._queue: deque[Request] = deque()
        self._current: tuple[Request, Iterator[Event]] | None = None
        self._silent = False
        self._polls = 0

    def start(self, command, environment, on_output, on_log, on_finished):
        """Start; the worker says that it is ready at the first poll."""
        if self.worker.behaviour.not_started:
            raise FileNotFoundError(2, "No such file or directory", command[0])
        self.started = self.running = True
        self.command, self.environment = tuple(command), environment
        self._on_output, self._on_log, self._on_finished = on_output, on_log, on_finished
        self._to_say.append(Ready("", self.worker.behaviour.protocol, "0.0.fake", 0, "3.x"))

    @property
    def folder(self) -> str:
        """The client's private folder."""
        return self.command[self.command.index("--folder") + 1]

    def write(self, data):
        """Take requests in."""
        for line in self._lines.feed(data):
            request = from_line(line)
            self.worker.requests.append(request)
            if not isinstance(request, Cancel):
                self._queue.append(request)
            elif not self._silent:
                self._cancel(request.target)

    def close_input(self):
        """End, as a worker does then."""
        self.input_closed = True
        if self.running and not self._silent:
            self.end(0)

    def kill(self):
        """End by force."""
        self.killed = True
        self.end(-9)

    def end(self, code):
        """End with an exit code; for tests also in mid-run."""
        if self.running:
            self.running = False
            self._on_finished(code)

    def say(self, event):
        """Say something out of order, for tests."""
        self._on_output(to_line(event))

    def log(self, text):
        """Write to stderr."""
        self._on_log(text.encode())

    def poll(self):
        """Deliver one message, if it is time for one."""
        self._polls += 1
        if not self.running or self._silent or self._polls % max(1, self.worker.behaviour.slow):
            return
        if self._to_say:
            self.say(self._to_say.popleft())
            return
        if self._current is None:
            if not self._queue:
                return
            request = self._queue.popleft()
            self._current = request, self._run(request)
        event = next(self._current[1], None)
        if event is None:
            self.end(-11)  # the script says that it crashes
        elif isinstance(event, Alive):
            self._silent = True
        else:
            if not isinstance(event, Progress):
                self._current = None
            self.say(event)

    def _cancel(self, target):
        waiting = [request for request in self._queue if request.id == target]
        for request in waiting:
            self._queue.remove(request)
        if self._current is not None and self._current[0].id == target:
            self._current = None
            waiting.append(target)
        if waiting:
            self._to_say.append(Cancelled(target))

    def _run(self, request) -> Iterator[Event]:
        """The messages of one request; ends without an answer where it crashes, `Alive` stands for silence."""
        behaviour = self.worker.behaviour
        if behaviour.missing_torch and request.kind not in ("library", "weights"):
            yield Failed(request.id, NO_TORCH)
            return
        total = behaviour.steps
        for done in range(total + 1):
            if behaviour.crash_after is not None and done >= behaviour.crash_after:
                behaviour.crash_after = None
                self._on_log(b"Fatal error: the fake worker was told to crash\n")
                return
            if behaviour.hang_after is not None and done >= behaviour.hang_after:
                behaviour.hang_after = None
                yield Alive()
            # while libraries are loaded, silence is put up with for longer
            phase = LOADING if done == 0 and behaviour.hang_after is None else "propagating"
            left = None if done < 2 else 0.5 * (total - done)
            yield Progress(request.id, done, total, phase, left)
        if behaviour.fail:
            yield Failed(request.id, behaviour.fail, behaviour.detail)
            return
        try:
            answer = self.worker.answers.answer(request, self.folder)
        except fake_answers.Refused as refusal:
            yield Failed(request.id, str(refusal))
        else:
            yield Done(request.id, answer)
