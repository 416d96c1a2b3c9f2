"""Counts what our code does in a step, where a clock would tell of the machine: voxels gone through, memory, calls."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest import mock

import numpy as np

OURS = "FewShotSegmentModule"


@dataclass
class Counts:
    """What one step has done.

    Attributes:
        voxels: of labelmaps, and of what was cut out of them, that were gone through.
        bytes: most memory that Python and NumPy held beyond what they held before.
        calls: of functions of our module.
        cpu: seconds of this thread; they tell of the machine too.
        wall: seconds in which no event was handled at most.
    """

    voxels: int = 0
    bytes: int = 0
    calls: int = 0
    cpu: float = 0.0
    wall: float = 0.0


class Counting(np.ndarray):
    """An array that counts how many of its values are gone through, also those of its parts."""

    count: Callable[[int], None] = staticmethod(lambda _size: None)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        Counting.count(max(value.size for value in (*inputs, *out) if isinstance(value, np.ndarray)))
        plain = [np.asarray(value) if isinstance(value, Counting) else value for value in inputs]
        if out:
            options["out"] = tuple(value.view(np.ndarray) for value in out)
        made = getattr(ufunc, method)(*plain, **options)
        return made.view(Counting) if type(made) is np.ndarray else made

    def __array_function__(self, function, types, arguments, options):
        Counting.count(max((value.size for value in arguments if isinstance(value, Counting)), default=0))
        return super().__array_function__(function, types, arguments, options)

    def astype(self, *arguments, **options):
        Counting.count(self.size)
        return super().astype(*arguments, **options)


@dataclass
class Effort:
    """Counts by step; each time that a step was done is an entry of its list."""

    watchdog: object
    counts: dict[str, list[Counts]] = field(default_factory=lambda: defaultdict(list))
    _now: Counts | None = None
    _held: int = 0
    _cpu: float = 0.0

    @contextmanager
    def counted(self) -> Iterator[Effort]:
        """Steps within are counted."""
        from FewShotSegmentModule.scene import grids, preview, segments

        original = grids.imageArray

        def image_array(image):
            return original(image).view(Counting)

        with ExitStack() as stack:
            for module in (grids, preview, segments):
                stack.enter_context(mock.patch.object(module, "imageArray", image_array))
            stack.enter_context(mock.patch.object(Counting, "count", staticmethod(self._went_through)))
            tracemalloc.start(1)
            stack.callback(tracemalloc.stop)
            sys.setprofile(self._called)
            stack.callback(sys.setprofile, None)
            yield self

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is done within has this name."""
        gaps = self.watchdog.gaps
        with self.watchdog.step(name):
            first = len(gaps)
            counts = Counts()
            self._resume(counts)
            try:
                yield
            finally:
                self._pause()
        counts.wall = max((gap for gap, _ in gaps[first:]), default=0.0)
        self.counts[name].append(counts)

    @contextmanager
    def excused(self, owner, name: str) -> Iterator[None]:
        """Nothing within this function counts: it is Slicer's, or stands in for another process."""
        with self.watchdog.excused(owner, name):
            timed = getattr(owner, name)

            def uncounted(*arguments, **options):
                counts = self._pause()
                try:
                    return timed(*arguments, **options)
                finally:
                    self._resume(counts)

            with mock.patch.object(owner, name, uncounted):
                yield

    def most(self, what: str) -> dict[str, float]:
        """The most of something in each step."""
        return {step: max(getattr(counts, what) for counts in times) for step, times in self.counts.items()}

    def _resume(self, counts: Counts | None) -> None:
        self._now = counts
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
            self._held = tracemalloc.get_traced_memory()[0]
        self._cpu = time.thread_time()

    def _pause(self) -> Counts | None:
        counts, self._now = self._now, None
        if counts is not None:
            counts.cpu += time.thread_time() - self._cpu
            if tracemalloc.is_tracing():
                counts.bytes = max(counts.bytes, tracemalloc.get_traced_memory()[1] - self._held)
        return counts

    def _went_through(self, size: int) -> None:
        if self._now is not None:
            self._now.voxels += size

    def _called(self, frame, event: str, _argument) -> None:
        if event == "call" and self._now is not None and OURS in frame.f_code.co_filename:
            self._now.calls += 1
