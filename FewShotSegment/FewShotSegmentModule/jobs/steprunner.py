"""Runs pieces of work in the free moments of the user interface."""

import time

BUDGET_SECONDS = 0.02
"""For the pieces of one turn: redrawing and the mouse come in between."""


class ImmediateRunner:
    """Runs all there is to do at once: for scripts and where there is no event loop.

    What is added by a piece itself is run after it, not within it: a queue of a thousand items needs no thousand stack
    frames.
    """

    def __init__(self):
        self._pieces = []
        self._running = False

    def add(self, piece):
        """Call `piece()` until it returns something false."""
        self._pieces.append(piece)
        if self._running:
            return
        self._running = True
        try:
            while self._pieces:
                current = self._pieces.pop(0)
                while current():
                    pass
        finally:
            self._running = False

    def stop(self):
        """Forget what has not been done."""
        self._pieces.clear()


class StepRunner:
    """Runs pieces from a timer, as many at a time as do not hold up the user interface.

    timer: qt.QTimer or something like it.
    clock: seconds.
    """

    def __init__(self, timer=None, clock=time.perf_counter):
        if timer is None:
            import qt

            timer = qt.QTimer()
        self._clock = clock
        self._pieces = []
        self._running = False
        self._timer = timer
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._turn)

    def add(self, piece):
        """Call `piece()` from now and then until it returns something false."""
        self._pieces.append(piece)
        self._timer.start()

    def stop(self):
        """Forget what has not been done."""
        self._pieces.clear()
        self._timer.stop()

    def _turn(self):
        if self._running:  # a piece has let the event loop run
            return
        self._running = True
        end = self._clock() + BUDGET_SECONDS
        try:
            while self._pieces:
                piece = self._pieces.pop(0)
                if piece():
                    self._pieces.append(piece)
                if self._clock() >= end:
                    break
        finally:
            self._running = False
            if not self._pieces:
                self._timer.stop()
