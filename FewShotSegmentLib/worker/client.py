"""The asking side: a queue of requests, one worker that is started when it is needed, and an eye on it.

Pure Python with the standard library alone, since Slicer's side may have nothing else. One thread; who uses it calls
`tick` every now and then (a timer), and all callbacks come from there or from the transport's callbacks.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import sentences
from .codec import LineSplitter, from_line, to_line
from .folder import PrivateFolder
from .loglines import LogLines
from .messages import (
    LOADING,
    PROTOCOL,
    Alive,
    Cancel,
    Cancelled,
    Done,
    Event,
    Failed,
    Progress,
    ProtocolError,
    Ready,
    Request,
)
from .processes import kill_process
from .tickets import CANCELLED, DONE, FAILED, RUNNING, WAITING, Failure, Limits, Ticket
from .transport import Transport
from .watch import Watch

__all__ = ["Failure", "Limits", "Ticket", "WorkerClient", "kill_process"]

_STEP_SECONDS = 0.01


class WorkerClient:
    """Asks a worker; see the module's text.

        client = WorkerClient(SubprocessTransport, [sys.executable, "-m", "FewShotSegmentLib.worker"])
        ticket = client.wait(client.submit(Devices()))
        client.close()

    Of one request exactly one of done, failed and cancelled is called, and nothing after it. Requests are sent one at a
    time, in the order in which they came. A worker that ends, or stops giving signs of life, costs the request that it
    was at; the next one gets a fresh worker.

    Attributes:
        limits: how long it waits.
        worker_info: what the worker said of itself, or None while there is none.
    """

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        kill_process: Callable[[int], None] = kill_process,
        log: Callable[[str], None] | None = None,
    ):
        """Make one; nothing is started.

        Args:
            make_transport: gives a transport for one start of the worker.
            command: that starts it; the private folder is added.
            environment: its whole environment; this process's by default.
            limits: how long to wait.
            clock: seconds that never go back.
            kill_process: ends a process by its id.
            log: takes lines for developers; `logging`'s warnings by default.
        """
        self.limits = limits or Limits()
        self.worker_info: Ready | None = None
        self._make_transport = make_transport
        self._command = tuple(command)
        self._environment = environment
        self._clock = clock
        self._kill_process = kill_process
        self._log = log or logging.getLogger(__name__).warning
        self._folder = PrivateFolder()
        self._waiting: deque[Ticket] = deque()
        self._running: Ticket | None = None
        self._transport: Transport | None = None
        self._sent = False
        self._lines = LineSplitter()
        self._watched = Watch(self.limits)
        self._asked = 0.0
        self._early_failure: Failure | None = None
        self._log_lines = LogLines()
        self._number = 0
        self._closed = False

    # --- asking ---

    @property
    def folder(self) -> Path:
        """For files that requests name and answers come in; made at first use, removed by `close`.

        Raises:
            RuntimeError: the client is closed.
        """
        self._check_open()
        return self._folder.path

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits."""
        return self._running is not None or bool(self._waiting)

    @property
    def last_log(self) -> str:
        """The last lines that the worker wrote to stderr."""
        return self._log_lines.text

    def submit(
        self,
        request: Request,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        on_done: Callable[[dict[str, Any]], None] | None = None,
        on_failed: Callable[[Failure], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
    ) -> Ticket:
        """Ask; the request is sent when those before it are through, and gets its id here.

        No callback comes before this has returned.

        Raises:
            ProtocolError: the request holds something that its type does not allow.
            RuntimeError: the client is closed.
        """
        self._check_open()
        self._number += 1
        numbered = replace(request, id=f"{self._number}-{secrets.token_hex(4)}")
        to_line(numbered)
        ticket = Ticket(numbered, on_progress, on_done, on_failed, on_cancelled)
        self._waiting.append(ticket)
        self._go_on()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Stop a request: at once while it waits, else as soon as the worker has answered or was ended."""
        if ticket.state == WAITING and ticket in self._waiting:
            self._waiting.remove(ticket)
            self._settle(ticket, CANCELLED)
        elif ticket is self._running and not ticket.cancelling:
            ticket.cancelling = True
            self._asked = self._clock()
            if self._sent:
                self._send(Cancel(target=ticket.id))
            else:
                self._end_running(CANCELLED)  # the worker is only starting and knows nothing of it

    def tick(self) -> None:
        """Look after the worker; to be called every 0.2 s or so."""
        if self._transport is not None:
            self._transport.poll()
        if self._early_failure is not None:
            failure, self._early_failure = self._early_failure, None
            self._bury(None)
            self._end_running(FAILED, failure=failure)
        self._watch()

    def wait(self, ticket: Ticket, seconds: float | None = None) -> Ticket:
        """For scripts: wait until a request is settled, or so many seconds."""
        until = None if seconds is None else self._clock() + seconds
        self.tick()
        while not ticket.settled and (until is None or self._clock() < until):
            time.sleep(_STEP_SECONDS)
            self.tick()
        return ticket

    def discard(self, answer: dict[str, Any]) -> None:
        """Remove the files of an answer that is no longer needed; else they stay until `close`."""
        self._folder.discard(answer)

    def close(self) -> None:
        """End the worker and remove the private folder; requests that are not through are cancelled."""
        self._closed = True
        while self._waiting:
            self._settle(self._waiting.popleft(), CANCELLED)
        running, self._running = self._running, None
        transport = self._transport
        if transport is not None:
            self._guard(transport.close_input)
            for _ in range(round(self.limits.close_seconds / _STEP_SECONDS)):
                self._guard(transport.poll)
                if self._transport is None or not transport.running:
                    break
                time.sleep(_STEP_SECONDS)
            self._kill()
        if running is not None:
            self._settle(running, CANCELLED)
        self._folder.remove()

    # --- the queue ---

    def _go_on(self) -> None:
        """Take up the next request, if there is one and nothing runs."""
        if self._closed or self._running is not None or self._early_failure is not None or not self._waiting:
            return
        if self._transport is not None and not self._transport.running:
            self._bury(None)  # it ended while nobody looked
        self._running = self._waiting.popleft()
        self._running.state = RUNNING
        self._sent = False
        self._watched.begin(self._clock())
        if self._transport is None:
            self._start()
        elif self.worker_info is not None:
            self._send_running()

    def _start(self) -> None:
        transport = self._transport = self._make_transport()
        self._lines = LineSplitter()
        self._log_lines = LogLines()

        def mine(deliver: Callable[[Any], None]) -> Callable[[Any], None]:
            # what comes from a worker that was given up is no longer listened to
            return lambda what: deliver(what) if self._transport is transport else None

        listeners = (mine(hear) for hear in (self._on_output, self._on_log, self._on_finished))
        # what goes wrong is told by `tick`: nobody expects a callback from within `submit`
        try:
            command = [*self._command, "--folder", str(self.folder)]
        except OSError as error:
            self._early_failure = Failure(sentences.no_folder(error), str(error), "not started")
            return
        try:
            transport.start(command, self._environment, *listeners)
        except OSError as error:
            self._early_failure = Failure(sentences.not_started(command[0], error), str(error), "not started")

    def _send_running(self) -> None:
        assert self._running is not None
        self._sent = True
        self._watched.begin(self._clock())
        self._send(self._running.request)

    def _send(self, message: Request) -> None:
        transport, line = self._transport, to_line(message)
        if transport is not None:
            self._guard(lambda: transport.write(line))

    def _end_running(self, state: str, answer: dict[str, Any] | None = None, failure: Failure | None = None) -> None:
        ticket, self._running = self._running, None
        if ticket is not None:
            self._settle(ticket, state, answer, failure)
        self._go_on()

    def _settle(
        self, ticket: Ticket, state: str, answer: dict[str, Any] | None = None, failure: Failure | None = None
    ) -> None:
        if ticket.settled:
            return
        ticket.state, ticket.answer, ticket.failure = state, answer, failure
        if state == DONE and ticket.on_done is not None:
            self._call(ticket.on_done, answer)
        elif state == FAILED and ticket.on_failed is not None:
            self._call(ticket.on_failed, failure)
        elif state == CANCELLED and ticket.on_cancelled is not None:
            self._call(ticket.on_cancelled)

    # --- what the worker says ---

    def _on_output(self, data: bytes) -> None:
        self._watched.heard(self._clock())
        transport = self._transport
        for line in self._lines.feed(data):
            if self._transport is not transport:
                return  # it was given up for what it said in the line before
            try:
                event = from_line(line)
            except ProtocolError as error:
                self._log(f"The worker wrote a line that was left out: {error} {line[:200]!r}")
                continue
            if isinstance(event, Event):
                self._on_event(event)
            else:
                self._log(f"The worker sent a request, which was left out: {event.kind}")

    def _on_event(self, event: Event) -> None:
        ticket = self._running
        if isinstance(event, Ready):
            self._on_ready(event)
        elif isinstance(event, Alive):
            self._watched.idle(event.idle_seconds)
        elif ticket is None or not self._sent or event.id != ticket.id:
            self._log(f"An answer to a request that is not running was left out: {event}")
        elif isinstance(event, Progress):
            self._watched.idle(0.0)
            ticket.progress = event
            if ticket.on_progress is not None and not ticket.cancelling:
                self._call(ticket.on_progress, event)
        elif isinstance(event, Done):
            if ticket.cancelling and not ticket.has_effect:
                self.discard(event.answer)
                self._end_running(CANCELLED)
            else:
                self._end_running(DONE, event.answer)
        elif isinstance(event, Cancelled):
            self._end_running(CANCELLED)
        elif isinstance(event, Failed):
            kind = "internal" if event.detail else "request"
            self._end_running(FAILED, failure=Failure(event.sentence, event.detail, kind))

    def _on_ready(self, event: Ready) -> None:
        if self.worker_info is not None:
            self._log("The worker said twice that it is ready.")
            return
        self.worker_info = event
        if event.protocol != PROTOCOL:
            self._kill()
            self._end_running(FAILED, failure=Failure(sentences.other_version(event), repr(event), "not started"))
        elif self._running is not None:
            self._send_running()

    def _on_log(self, data: bytes) -> None:
        self._watched.heard(self._clock())
        self._log_lines.feed(data)

    def _on_finished(self, code: int | None) -> None:
        ready, ticket = self.worker_info, self._running
        self._bury(None if code == 0 else ready)
        if ticket is None:
            return
        if ticket.cancelling:
            self._end_running(CANCELLED)
        elif ready is None:
            told = sentences.not_started(self._command[0], None, code)
            self._end_running(FAILED, failure=Failure(told, self.last_log, "not started"))
        else:
            self._end_running(FAILED, failure=Failure(sentences.crashed(code), self.last_log, "crashed"))

    # --- looking after it ---

    def _watch(self) -> None:
        ticket = self._running
        if ticket is None or self._transport is None:
            return
        now = self._clock()
        if ticket.cancelling and now - self._asked > self.limits.cancel_seconds:
            self._log("The worker did not stop when it was asked to, and was ended.")
            self._kill()
            self._end_running(CANCELLED)
            return
        loading = ticket.progress is not None and ticket.progress.phase == LOADING
        overdue = self._watched.find_overdue(now, self.worker_info is not None, loading)
        if overdue is not None:
            self._kill()
            self._end_running(FAILED, failure=Failure(overdue, self.last_log, "hung"))

    def _kill(self) -> None:
        """End the worker, and the process that computes where another one was started."""
        transport, ready = self._transport, self.worker_info
        self._transport = None  # from here on nothing of it is listened to
        if transport is not None:
            self._guard(transport.close_input)
            self._guard(transport.kill)
        self._bury(ready)

    def _bury(self, ready: Ready | None) -> None:
        """Forget a worker that has ended or was given up; `ready` is what it had said."""
        transport, self._transport, self.worker_info = self._transport, None, None
        if transport is not None:
            self._guard(transport.close_input)
        if ready is not None and ready.pid > 0:
            # the process that has ended may have been only a launcher
            self._guard(lambda: self._kill_process(ready.pid))
        if self._running is not None:
            self._folder.drop_unfinished([self._running.id])

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("The client is closed.")

    def _guard(self, act: Callable[[], None]) -> None:
        """Do what may fail where the worker has just ended."""
        try:
            act()
        except Exception as error:
            self._log(f"The worker could not be reached: {error!r}")

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:
            logging.getLogger(__name__).exception("A callback of a request went wrong.")
