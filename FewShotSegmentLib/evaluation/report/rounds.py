"""What each round of a reading brought, and how many slices it took."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..row import Row
from .material import Material, question
from .means import describe_values, summary_cell
from .numbers import number
from .tables import Cell, Section, Table, label

TARGETS = (0.90, 0.95)
"""Dice that a reader may want."""


@dataclass(frozen=True)
class Reading:
    """One organ of one case, corrected round after round.

    Attributes:
        rows: of its rounds, rising.
    """

    rows: tuple[Row, ...]

    @property
    def organ(self) -> str:
        """Name of the organ."""
        return self.rows[0].organ

    @cached_property
    def dice(self) -> tuple[float | None, ...]:
        """Dice by round, from round 1; a round that is missing keeps the one before."""
        values: list[float | None] = [None] * self.rows[-1].round
        for row in self.rows:
            values[row.round - 1] = row.metrics.get("dice")
        for place in range(1, len(values)):
            if values[place] is None:
                values[place] = values[place - 1]
        return tuple(values)

    def at(self, round: int) -> float | None:
        """Dice after a round; a reading that ended earlier keeps its last value."""
        return self.dice[min(round, len(self.dice)) - 1]

    def needed(self, target: float) -> int | None:
        """Slices read until the Dice reached a target; None if it never did."""
        return next((n for n, value in enumerate(self.dice, 1) if value is not None and value >= target), None)


def readings(material: Material) -> dict[tuple[str, str], list[Reading]]:
    """Readings by (setting, method), in the order of tables."""
    series: dict[tuple[object, ...], list[Row]] = {}
    for row in material.rows:
        if row.round:
            series.setdefault((row.setting, row.method, *question(row)), []).append(row)
    found: dict[tuple[str, str], list[Reading]] = {}
    for (setting, method, *_), rows in series.items():
        ordered = tuple(sorted(rows, key=lambda row: row.round))
        found.setdefault((str(setting), str(method)), []).append(Reading(ordered))
    order = [(setting, method) for setting in material.settings for method in material.methods]
    return {line: found[line] for line in order if line in found}


def last_round(found: Iterable[Sequence[Reading]]) -> int:
    """The largest number of rounds."""
    return max((len(reading.dice) for own in found for reading in own), default=0)


def section(material: Material) -> Section:
    """Tables of the rounds."""
    found = Section("rounds", "Round after round")
    lines = readings(material)
    if not lines:
        return found
    found.text.append(
        "A reader annotates one slice and then corrects one slice a round. Dice is of the whole volume with the slices "
        "that were read. A reading that ended early, since nothing was left to read, keeps its last value."
    )
    last = last_round(lines.values())
    rows = []
    for (setting, method), own in lines.items():
        line = [label(material.title(method)), label(setting or "–")]
        line += [summary_cell(describe_values(r.at(n) for r in own)) for n in range(1, last + 1)]
        rows.append(line)
    head = ["Method", "Strategy", *(f"{n} slice{'s' if n > 1 else ''}" for n in range(1, last + 1))]
    found.tables.append(Table("Dice by slices read", head, rows))
    found.tables.append(_needed_table(material, lines))
    return found


def needed_summary(own: Sequence[Reading], target: float) -> dict[str, float | int | None]:
    """How many readings reached a target, and the mean and median of the slices it took them.

    The median counts readings that never reached it as taking longer than all others; None if it is one of those.
    """
    needed = [reading.needed(target) for reading in own]
    reached = [n for n in needed if n is not None]
    median = statistics.median(math.inf if n is None else n for n in needed) if needed else math.inf
    return {
        "readings": len(needed),
        "reached": len(reached),
        "mean": statistics.fmean(reached) if reached else None,
        "median": None if math.isinf(median) else float(median),
    }


def _needed_table(material: Material, lines: dict[tuple[str, str], list[Reading]]) -> Table:
    rows = []
    for (setting, method), own in lines.items():
        line = [label(material.title(method)), label(setting or "–"), Cell(str(len(own)), value=float(len(own)))]
        for target in TARGETS:
            found = needed_summary(own, target)
            share = found["reached"] / len(own) if own and found["reached"] is not None else 0.0
            median, average = found["median"], found["mean"]
            line.append(Cell(f"{100 * share:.0f} %", f"{found['reached']} of {len(own)}", value=share))
            line.append(Cell("more" if median is None else number(median, 1), value=median))
            line.append(Cell(number(average, 1), value=average))
        rows.append(line)
    head = ["Method", "Strategy", "Readings"]
    for target in TARGETS:
        head += [f"Reach {target:.2f}", f"Slices for {target:.2f}, median", "mean of those that reach it"]
    note = "“more”: fewer than half of the readings reached it."
    return Table("Slices needed", head, rows, note)
