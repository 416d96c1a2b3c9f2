"""Measures how long the event loop is kept waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL_MS = 5


class Watchdog:
    """A timer that should fire every 5 ms; ``longest`` is the longest time in seconds that it could not."""

    def __init__(self):
        from PySide6 import QtCore

        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._tick)
        self.gaps: list[tuple[float, str]] = []
        self._excused = 0.0
        self._step = "start"
        self._last = time.perf_counter()

    def start(self) -> None:
        self._last = time.perf_counter()
        self._excused = 0.0
        self._timer.start()

    def stop(self) -> None:
        if self._timer.isActive():
            self._tick()
            self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((max(0.0, now - self._last - self._excused - INTERVAL_MS / 1000), self._step))
        self._last, self._excused = now, 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What the test does within has this name in the report."""
        import slicer

        slicer.app.processEvents()
        before, self._step = self._step, name
        self._last = time.perf_counter()
        try:
            yield
        finally:
            slicer.app.processEvents()
            self._tick()
            self._step = before

    @contextmanager
    def excused(self, owner, name: str) -> Iterator[list[float]]:
        """Time within this function of Slicer does not count; its calls' seconds are in the list given.

        ``owner.name`` is replaced meanwhile, e.g. (slicer.vtkSlicerSegmentEditorLogic, "ModifySegmentByLabelmap").
        """
        original, seconds = getattr(owner, name), []

        def timed(*arguments, **options):
            begin = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                seconds.append(time.perf_counter() - begin)
                self._excused += seconds[-1]

        setattr(owner, name, timed)
        try:
            yield seconds
        finally:
            setattr(owner, name, original)

    @property
    def longest(self) -> float:
        return max((gap for gap, _ in self.gaps), default=0.0)

    def report(self, count: int = 5) -> str:
        worst = sorted(self.gaps, reverse=True)[:count]
        return "\n".join(f"{1000 * gap:7.1f} ms  {step}" for gap, step in worst)
