"""What the bench prints of the reader, of the slices' confidence and of the wait for one organ; the reader's JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import confidence
import reader
from confidence import Confidence, Ranking
from organ_cost import OrganCost
from reader import Reading, Summary
from rich import box
from rich.console import Console
from rich.table import Table

ALL = "all structures"
ROUNDS = range(1, reader.MOST_SLICES + 1)


def print_readings(console: Console, readings: Sequence[Reading]) -> None:
    """A table for each source with a row for each structure: Dice with the proposals, slices read with each choice."""
    for source, own in reader.by_source(readings).items():
        table = _table(f"{source}: Dice after each slice that the engine proposed; slices to {reader.TARGET:.2f}")
        table.add_column("structure")
        _add_columns(table, [*map(str, ROUNDS), "unread", *reader.STRATEGIES])
        proposed = reader.of_strategy(own, "proposed")
        for number, reading in enumerate(proposed):
            same = [reader.of_strategy(own, strategy)[number] for strategy in reader.STRATEGIES]
            values = [f"{value:.3f}" for value in reading.dice]
            values += ["–"] * (reader.MOST_SLICES - len(values)) + [_figure(reading.unread[-1])]
            table.add_row(reading.title, *values, *(_slices(other.needed) for other in same))
        console.print(table)


def print_summaries(console: Console, readings: Sequence[Reading]) -> None:
    """A row for each source and choice, then all structures together: mean Dice, median of slices read, share there."""
    table = _table(f"ALL SOURCES: mean Dice after so many slices; slices to {reader.TARGET:.2f}")
    table.add_column("source")
    table.add_column("choice")
    _add_columns(table, [*map(str, ROUNDS), "median", "reached"])
    for source, by_choice in summaries(readings).items():
        bold = "bold" if source == ALL else None
        for strategy, summary in by_choice.items():
            reached = f"{summary.share_reached:.0%} of {summary.structures}"
            values = [f"{value:.3f}" for value in summary.dice]
            table.add_row(source, strategy, *values, _slices(summary.median), reached, style=bold)
        table.add_section()
    console.print(table)
    console.print("Dice: whole volume, the slices read included; unread: the last one without the slices read.")
    console.print(f"Median over structures; one that is not there after {reader.MOST_SLICES} slices counts as worse.")
    for strategy, meaning in reader.STRATEGIES.items():
        console.print(f"{strategy}: {meaning}", markup=False, soft_wrap=True)


def summaries(readings: Sequence[Reading]) -> dict[str, dict[str, Summary]]:
    """{source: {strategy: summary}}, and all structures together at last."""
    return {
        source: {strategy: reader.summarise(reader.of_strategy(own, strategy)) for strategy in reader.STRATEGIES}
        for source, own in [*reader.by_source(readings).items(), (ALL, list(readings))]
        if own
    }


def as_dict(readings: Sequence[Reading]) -> dict:
    """For the JSON."""
    return {
        "target": reader.TARGET,
        "most_slices": reader.MOST_SLICES,
        "readings": [reading.as_dict() for reading in readings],
        "summaries": {
            source: {strategy: asdict(summary) for strategy, summary in by_choice.items()}
            for source, by_choice in summaries(readings).items()
        },
    }


def print_confidence(console: Console, found: Confidence) -> None:
    """How well confidence ranks slices, source by source, and what a slice of some confidence is worth."""
    bad = f"Dice < {confidence.BAD_BELOW}"
    console.print(f"CONFIDENCE of slices with one annotated slice: does it tell those of {bad}?", style="bold")
    table = _table()
    table.add_column("source")
    _add_columns(table, ["AUC", "slices", bad])
    for source, ranking in found.sources.items():
        table.add_row(source, *_ranking(ranking))
    table.add_section()
    table.add_row("all slices", *_ranking(found.pooled), style="bold")
    console.print(table)
    console.print("From the least sure slices to the surest, as many in each row:")
    table = _table()
    _add_columns(table, ["slices", "mean confidence", "mean Dice", bad])
    for part in found.bins:
        table.add_row(str(part.slices), f"{part.confidence:.3f}", f"{part.dice:.3f}", f"{part.share_bad:.0%}")
    console.print(table)


def print_organ_cost(console: Console, cost: OrganCost) -> None:
    """The wait for one organ, beneath the cost."""
    for line in cost.lines():
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _table(title: str | None = None) -> Table:
    # narrow, so that ten rounds leave room for the names of the structures
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _add_columns(table: Table, names: Sequence[str]) -> None:
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)


def _ranking(ranking: Ranking) -> list[str]:
    return ["–" if ranking.auc is None else f"{ranking.auc:.3f}", str(ranking.slices), str(ranking.bad)]


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _slices(number: float | None) -> str:
    """Slices read, as a whole number or a median; more than the most where the target was not reached."""
    return f">{reader.MOST_SLICES}" if number is None else f"{number:g}"
