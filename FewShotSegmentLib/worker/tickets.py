"""What a client gives for a request: a ticket, which tells what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .messages import FinetuneKeep, Library, Progress, Request, Transfer, Weights

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


class Failure(NamedTuple):
    """Why a request has no answer.

    Attributes:
        sentence: for the user.
        detail: for whoever mends it: a traceback, or the last lines that the worker wrote to stderr.
        kind: "request" (its user can mend it), "internal" (a mistake of ours), "crashed", "hung" or "not started".
    """

    sentence: str
    detail: str
    kind: str


@dataclass(frozen=True)
class Limits:
    """How long a client waits, in seconds.

    Attributes:
        start_seconds: for a worker's first line.
        silent_seconds: for any sign of life while a request runs (a worker gives one every 2 s).
        stalled_seconds: for the work itself to move, and for any sign of life while libraries are loaded.
        cancel_seconds: for a request that was cancelled to stop, before the worker is ended.
        recheck_seconds: that a limit must have been passed for when it is looked at a second time: what has arrived
            while the client's own thread was busy must have been read.
        close_seconds: for the worker to end by itself.
    """

    start_seconds: float = 60.0
    silent_seconds: float = 20.0
    stalled_seconds: float = 180.0
    cancel_seconds: float = 5.0
    recheck_seconds: float = 1.0
    close_seconds: float = 0.5


@dataclass(eq=False)
class Ticket:
    """A request on its way.

    Attributes:
        id: of the request.
        request: as it is sent.
        state: "waiting", "running", "done", "failed" or "cancelled".
        progress: the last one, or None.
        answer: once it is done.
        failure: once it has failed.
        cancelling: whether it runs and was asked to stop.
    """

    request: Request
    on_progress: Callable[[Progress], None] | None = field(default=None, repr=False)
    on_done: Callable[[dict[str, Any]], None] | None = field(default=None, repr=False)
    on_failed: Callable[[Failure], None] | None = field(default=None, repr=False)
    on_cancelled: Callable[[], None] | None = field(default=None, repr=False)
    state: str = WAITING
    progress: Progress | None = None
    answer: dict[str, Any] | None = None
    failure: Failure | None = None
    cancelling: bool = False

    @property
    def id(self) -> str:
        """Of the request."""
        return self.request.id

    @property
    def settled(self) -> bool:
        """Whether it is done, failed or cancelled, which it stays."""
        return self.state in (DONE, FAILED, CANCELLED)

    @property
    def has_effect(self) -> bool:
        """Whether the request, once done, has changed something that dropping its answer does not undo."""
        request = self.request
        if isinstance(request, Transfer):
            return bool(request.output)
        if isinstance(request, Library | Weights):
            return request.action != "list"
        return isinstance(request, FinetuneKeep)
