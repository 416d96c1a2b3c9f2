"""The answering side: reads requests, runs one at a time, says how far it is, and ends with its client."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..version import __version__
from .codec import LineSplitter, from_line, id_of, to_line
from .failures import answer_to, is_memory_failure
from .folder import ANSWERS, PART
from .job import Activity, Job
from .messages import PROTOCOL, Alive, Cancel, Cancelled, Done, Event, Failed, ProtocolError, Ready, Request
from .streams import Streams, write_all

if TYPE_CHECKING:
    from .sessions import Kept

BEAT_SECONDS = 2.0
"""Time between two signs of life."""

_PIECE = 65536


class Server:
    """Serves one client from start to end; see the module's text."""

    def __init__(self, streams: Streams, folder: Path | None = None):
        """Make one.

        Args:
            streams: to the client.
            folder: the client's private one, where answers' files go; a temporary one by default.
        """
        self._streams = streams
        self._own_folder = folder is None
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="fewshotsegment-"))).resolve()
        self._writing = threading.Lock()
        self._changed = threading.Condition()  # guards the two that follow
        self._queue: deque[Request] = deque()
        self._running: tuple[str, threading.Event] | None = None
        self._activity = Activity()
        self._kept: Kept | None = None

    def run(self) -> NoReturn:
        """Serve until the client goes, which ends the process.

        Requests run on the calling thread, the main one: libraries of accelerators like that best.
        """
        for part in (self._folder / ANSWERS).glob(f"*{PART}"):  # of a worker before this one
            shutil.rmtree(part, ignore_errors=True)
        self._send(Ready("", PROTOCOL, __version__, os.getpid(), platform.python_version()))
        for work in (self._read, self._beat):
            threading.Thread(target=self._to_the_end, args=(work,), name=work.__name__, daemon=True).start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue))
                request = self._queue.popleft()
                stop = threading.Event()
                self._running = request.id, stop
            answer = self._serve(request, stop)
            with self._changed:
                self._running = None
            self._send(answer)

    def _serve(self, request: Request, stop: threading.Event) -> Event:
        """Run one request; its answer, whatever happens."""
        self._activity.working = True
        try:
            from .handlers import handle  # noqa: PLC0415 - the worker's first line waits for nothing, not even numpy
            from .sessions import Kept  # noqa: PLC0415

            self._kept = self._kept or Kept()
            job = Job(request.id, self._folder, self._kept, self._send, stop, self._activity)
            answer = Done(request.id, handle(request, job))
            to_line(answer)
            job.flush()
            return answer
        except BaseException as error:
            if is_memory_failure(error) and self._kept is not None:
                self._kept.clear()  # so that the next, smaller one may fit
            return answer_to(error, request.id)
        finally:
            self._activity.working = False

    def _read(self) -> None:
        """Take requests in until the client goes; in a thread, so that `Cancel` and the end are heard at once."""
        lines = LineSplitter()
        while data := os.read(self._streams.requests, _PIECE):
            for line in lines.feed(data):
                self._take(line)
        self._end()

    def _take(self, line: bytes) -> None:
        try:
            message = from_line(line)
            if not isinstance(message, Request):
                raise ProtocolError(f"“{message.kind}” is no request.")
        except ProtocolError as error:
            self._send(Failed(id_of(line), f"The engine does not understand the request: {error}"))
            return
        if isinstance(message, Cancel):
            self._cancel(message.target)
            return
        with self._changed:
            self._queue.append(message)
            self._changed.notify()

    def _cancel(self, target: str) -> None:
        with self._changed:
            if self._running is not None and self._running[0] == target:
                self._running[1].set()  # the work looks at it before every slice, and answers then
                return
            waiting = [request for request in self._queue if request.id == target]
            for request in waiting:
                self._queue.remove(request)
        for request in waiting:
            self._send(Cancelled(request.id))

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_SECONDS):
            self._send(Alive("", self._activity.beat(BEAT_SECONDS)))

    def _send(self, event: Event) -> None:
        line = to_line(event)
        try:
            with self._writing:
                write_all(self._streams.answers, line)
        except OSError:
            self._end()  # nobody listens any more

    def _to_the_end(self, work: Callable[[], None]) -> None:
        """Run a thread's work; a worker that has lost its ears or its pulse must not live on."""
        try:
            work()
        except BaseException:
            traceback.print_exc()
        self._end(1)

    def _end(self, code: int = 0) -> NoReturn:
        """End the process at once, also in the middle of a computation: no orphan may hold an accelerator's memory."""
        if self._own_folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        for descriptor in self._streams:
            with suppress(OSError):
                os.close(descriptor)
        os._exit(code)
