"""One request at work: what a handler is given beside the request itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Cancelled
from .messages import LOADING, Progress

if TYPE_CHECKING:
    from .sessions import Kept

_BETWEEN_SECONDS = 0.1


class Activity:
    """When the work last moved; read from another thread."""

    def __init__(self) -> None:
        self._moved = threading.Event()
        self._idle = 0.0
        self.working = False

    def moved(self) -> None:
        """The work has moved."""
        self._moved.set()

    def beat(self, seconds: float) -> float:
        """Seconds since the work moved; to be called about every `seconds`.

        They are added up beat by beat: the clock of a computer that has slept jumps, and no work stood still for that.
        """
        self._idle = 0.0 if self._moved.is_set() or not self.working else self._idle + seconds
        self._moved.clear()
        return self._idle


class Job:
    """A request at work.

    Attributes:
        id: of the request.
        folder: for its answer's files (see `answers.AnswerFolder`).
        kept: what stays from request to request.
    """

    def __init__(
        self, request_id: str, folder: Path, kept: Kept, send: Callable[[Progress], None], stop: threading.Event,
        activity: Activity,
    ):  # fmt: skip
        self.id = request_id
        self.folder = folder
        self.kept = kept
        self._send = send
        self._stop = stop
        self._activity = activity
        self._last: Progress | None = None
        self._sent: Progress | None = None
        self._sent_at = 0.0
        self._begin: tuple[float, int, int, str] | None = None

    def cancelled(self) -> bool:
        """Whether it is to stop. That it is asked shows that the work moves."""
        self._activity.moved()
        return self._stop.is_set()

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if it is to stop."""
        if self.cancelled():
            raise Cancelled()

    def loading(self) -> None:
        """Say that libraries and weights are loaded from here on."""
        self.progress(0, 1, LOADING)

    def stopping(self) -> bool:
        """As `cancelled`, for one who only waits for the work: it does not count as movement."""
        return self._stop.is_set()

    def progress(self, done: int, total: int, phase: str = "", seconds_left: float | None = None) -> None:
        """Say how far it is; what comes too often is left out, but never the first, the last and a new phase.

        Args:
            done: units done.
            total: units in all.
            phase: what is going on; another one begins the estimate of the time left anew.
            seconds_left: where it is known better than from the rate so far.
        """
        self._activity.moved()
        done, total = (done, total) if total > 0 else (1, 1)  # there was nothing to do
        now = time.monotonic()
        left = self._seconds_left(now, done, total, phase)
        self._last = Progress(self.id, done, total, phase, left if seconds_left is None else seconds_left)
        new = self._sent is None or self._sent.phase != phase or self._sent.total != total
        if new or done >= total or now - self._sent_at >= _BETWEEN_SECONDS:
            self._sent, self._sent_at = self._last, now
            self._send(self._last)

    def flush(self) -> None:
        """Say the last progress if it was left out."""
        if self._last is not None and self._last is not self._sent:
            self._sent = self._last
            self._send(self._last)

    def _seconds_left(self, now: float, done: int, total: int, phase: str) -> float | None:
        """From the rate since this phase began; None before its second step."""
        if self._begin is None or self._begin[2:] != (total, phase) or done < self._begin[1]:
            self._begin = (now, done, total, phase)
        start, first, _, _ = self._begin
        return (now - start) / (done - first) * max(0, total - done) if done > first else None
