"""When a worker has been waited for in vain."""

from __future__ import annotations

from . import sentences
from .tickets import Limits


class Watch:
    """Signs of life of a worker while a request runs; times are the client's clock's."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._heard = 0.0
        self._idle = 0.0
        self._overdue: tuple[str, float] | None = None

    def begin(self, now: float) -> None:
        """A request begins, or is sent."""
        self._heard, self._idle, self._overdue = now, 0.0, None

    def heard(self, now: float) -> None:
        """The worker has written something."""
        self._heard = now

    def idle(self, seconds: float) -> None:
        """The worker has said for how long its work has not moved."""
        self._idle = seconds

    def find_overdue(self, now: float, ready: bool, loading: bool) -> str | None:
        """A sentence once a limit has been passed for long enough.

        Args:
            now: seconds.
            ready: whether the worker has said its first line.
            loading: whether it loads libraries.
        """
        sentence = self._passed(now - self._heard, ready, loading)
        if sentence is None:
            self._overdue = None
        elif self._overdue is None or self._overdue[0] != sentence:
            self._overdue = sentence, now
        elif now - self._overdue[1] >= self._limits.recheck_seconds:
            return sentence
        return None

    def _passed(self, silent: float, ready: bool, loading: bool) -> str | None:
        limits = self._limits
        if not ready:
            return sentences.slow_start() if silent > limits.start_seconds else None
        if silent > (limits.stalled_seconds if loading else limits.silent_seconds):
            return sentences.silent()
        return sentences.stalled() if self._idle > limits.stalled_seconds else None
