"""Ask a method, and what its answer cost."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ...errors import Cancelled, FewShotError
from ..method import Answer

_MB = 1 << 20
_EVERY_S = 0.01


@dataclass(frozen=True)
class Asked:
    """An answer and its cost.

    Attributes:
        answer: an empty mask where the method failed.
        seconds: that it took.
        peak_mb: memory in MB that the process held at most, beyond what it held before; 0 where psutil is missing.
        failed: whether the method said, by an error meant for the user, that it has no answer.
    """

    answer: Answer
    seconds: float
    peak_mb: float
    failed: bool = False


def asked(call: Callable[[], Answer], shape: tuple[int, ...]) -> Asked:
    """Ask a method.

    Args:
        call: asks it.
        shape: that its mask has to have.

    Raises:
        Cancelled: the user asked to stop.
        ValueError: the mask is of another shape or kind, or there is not one confidence for each slice.
    """
    failed = False
    with Watch() as watch:
        try:
            answer = call()
        except Cancelled:
            raise
        except FewShotError as error:
            # who fails has found nothing
            answer, failed = Answer(np.zeros(shape, bool), note=str(error)), True
    _check(answer, shape)
    return Asked(answer, watch.seconds, watch.peak_mb, failed)


def _check(answer: Answer, shape: tuple[int, ...]) -> None:
    if answer.mask.shape != shape or answer.mask.dtype != np.bool_:
        raise ValueError(f"a method's mask is {answer.mask.dtype} {answer.mask.shape}, not bool {shape}")
    if answer.confidence is not None and answer.confidence.shape != shape[:1]:
        raise ValueError(f"a method's confidence is {answer.confidence.shape}, not one value for {shape[0]} slices")


class Watch:
    """Measures the time and, by looking every 10 ms, the memory that a block of code takes.

    Attributes:
        seconds: set at the block's end.
        peak_mb: set at the block's end; memory that comes and goes between two looks is not seen.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak_mb = 0.0
        self._held = _memory()
        self._peak = 0
        self._before = 0
        self._done = threading.Event()
        self._looks = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        if self._held is not None:
            self._before = self._peak = self._held()
            self._looks.start()
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        if self._held is not None:
            self._looks.join()
            self.peak_mb = (max(self._peak, self._held()) - self._before) / _MB

    def _look(self) -> None:
        while self._held is not None and not self._done.wait(_EVERY_S):
            self._peak = max(self._peak, self._held())


def _memory() -> Callable[[], int] | None:
    """Tells the bytes that this process holds; None where psutil is missing: figures of quality do not need it."""
    try:
        process = importlib.import_module("psutil").Process()
    except ImportError:
        return None
    return lambda: int(process.memory_info().rss)
