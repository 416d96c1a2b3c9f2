"""What the evaluation's simulated reader has to do: slices read until a volume is good, and how good it gets by each.

The reader annotates the middle slice, then corrects one slice a round. What it costs to get a volume right is the
number of slices to be looked at, so that choosing them well counts as much as carrying the mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import engine
import evaluated

from FewShotSegmentLib.evaluation.case import Case
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.row import Row

PROTOCOL = "interactive"
TARGET = 0.90
MOST_SLICES = 10
STRATEGIES = {
    "proposed": "the slice that the engine proposes",
    "worst": "the slice with the most wrong voxels, which only the reference knows",
    "random": "any slice of what was found, one before and one behind it included",
}
OPTIONS = {"rounds": str(MOST_SLICES), "strategies": ",".join(STRATEGIES)}


@dataclass
class Reading:
    """One structure, read with one strategy.

    Attributes:
        slices: those read, in their order; the first is the annotated one.
        dice: of the whole volume after each of them, the slices read included: they are the user's result.
        unread: the same without the slices read; nan where the structure lies on no other.
    """

    source: str
    case: str
    structure: str
    strategy: str
    slices: list[int] = field(default_factory=list)
    dice: list[float] = field(default_factory=list)
    unread: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.case} {self.structure}"

    @property
    def needed(self) -> int | None:
        """Slices read until the whole volume, those slices included, has the target; None where it never has."""
        return next((number for number, value in enumerate(self.dice, 1) if value >= TARGET), None)

    def dice_after(self, slices: int) -> float:
        """Dice with so many slices; where nothing was left to read earlier, that of the last one."""
        return self.dice[min(slices, len(self.dice)) - 1]

    def as_dict(self) -> dict:
        """For the JSON, which knows no nan."""
        unread = [None if math.isnan(value) else value for value in self.unread]
        names = ("source", "case", "structure", "strategy", "slices", "dice")
        return {name: getattr(self, name) for name in names} | {"unread": unread, "needed": self.needed}


@dataclass(frozen=True)
class Summary:
    """Readings of some structures with one strategy; `median` is None where half of them or more never got there."""

    structures: int
    median: float | None
    share_reached: float
    dice: tuple[float, ...]  # mean after each slice


def measure(
    cases: Sequence[Case], recipe: Recipe, folder: Path, notes: list[str]
) -> tuple[list[Reading], Sequence[Row]]:
    """All readings of these cases, and their rows; what lies in the folder from an earlier run is not read again.

    Args:
        cases: whose structures are read.
        recipe: of the engine.
        folder: for the rows.
        notes: what was not read goes there, a sentence each.

    Raises:
        InputError: there are no cases, or the folder cannot be used.
    """
    outcome = evaluated.ask(PROTOCOL, OPTIONS, recipe, cases, folder)
    notes += outcome.left_out
    return make_readings(outcome.rows), outcome.rows


def make_readings(rows: Iterable[Row]) -> list[Reading]:
    """Readings in the order of rows, whose rounds rise."""
    readings: dict[tuple[str, str, str], Reading] = {}
    for row in rows:
        reading = readings.setdefault(
            (row.case, row.organ, row.setting), Reading(row.group, row.case, row.organ, row.setting)
        )
        reading.slices = list(row.given)
        reading.dice.append(row.metrics["dice"])
        unread = row.extra["unread_dice"]
        reading.unread.append(math.nan if unread is None else unread)
    return list(readings.values())


def summarise(readings: Sequence[Reading]) -> Summary:
    """Readings of one strategy, each structure counting once; one that never reached the target counts as worst."""
    needed = [math.inf if reading.needed is None else reading.needed for reading in readings]
    middle = median(needed)
    return Summary(
        structures=len(readings),
        median=None if math.isinf(middle) else float(middle),
        share_reached=sum(map(math.isfinite, needed)) / len(needed),
        dice=tuple(
            math.fsum(reading.dice_after(slices) for reading in readings) / len(readings)
            for slices in range(1, MOST_SLICES + 1)
        ),
    )


def of_strategy(readings: Sequence[Reading], strategy: str) -> list[Reading]:
    """Those with this strategy."""
    return [reading for reading in readings if reading.strategy == strategy]


def by_source(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    """Readings of each source, in their order."""
    grouped: dict[str, list[Reading]] = {}
    for reading in readings:
        grouped.setdefault(reading.source, []).append(reading)
    return grouped


def missing() -> str | None:
    """Why the reader cannot be simulated here, if it cannot."""
    return engine.missing()
