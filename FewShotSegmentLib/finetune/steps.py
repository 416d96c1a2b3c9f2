"""How far a fine-tuning is, over trainings and scorings of different cost."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int, str], None]
"""Called with (units done, units in all, what is going on in words)."""

_STEP = 10
"""Units of a step of training; one of a slice that is walked: some thirty windows there and back, against one there."""


class Tally:
    """Counts units; how many there will be is an estimate until the number of steps is known."""

    def __init__(self, report: Report | None):
        self._report = report
        self._done = 0
        self._total = 1
        self._slices = 0
        self._doing = ""

    def plan(self, trainings: int, steps: int) -> None:
        """So many trainings of so many steps are to come, and what has been scored until now will be once more."""
        self._total = self._done + trainings * steps * _STEP + self._slices
        self._tell()

    def say(self, doing: str) -> None:
        """What is going on from now on."""
        self._doing = doing
        self._tell()

    def steps(self, number: int) -> None:
        """Steps of training are done."""
        self._add(number * _STEP)

    def slices(self, number: int) -> None:
        """Slices have been walked."""
        self._slices += number
        self._add(number)

    def finish(self) -> None:
        """All is done."""
        self._done = self._total
        self._doing = "done"
        self._tell()

    def _add(self, units: int) -> None:
        self._done += units
        self._total = max(self._total, self._done)
        self._tell()

    def _tell(self) -> None:
        if self._report:
            self._report(self._done, self._total, self._doing)
