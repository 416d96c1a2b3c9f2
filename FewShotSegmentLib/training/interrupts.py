"""Ctrl-C and a request to end (SIGTERM), heard between steps: half of a step would be another network."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a stop was asked for.

    Attributes:
        asked: set by the first signal.
    """

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def heard_between_steps() -> Iterator[StopRequest]:
    """Within this, Ctrl-C and SIGTERM ask for a stop and interrupt nothing; Ctrl-C twice ends at once, as usual.

    Whoever ends at once loses the steps since the last checkpoint, and nothing else.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        if request.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.asked = True

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
