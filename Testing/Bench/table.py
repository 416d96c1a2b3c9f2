"""What the bench prints: a table for each source, the means over sources, the notes and the checks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from accuracy import Record, overall_mean, source_means
from checks import Check
from cost import Cost
from methods import FIVE, IN_THREE, ONE, WITHIN_RANGE, Method
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from scores import Score, mean

TITLES = {
    "one": "one annotated slice (the middle one)",
    "three": "three annotated slices, and the engine with one",
}


def columns(methods: Sequence[Method], protocol: str) -> list[Method]:
    """Methods that have a column in a protocol's table."""
    if protocol == "one":
        return [method for method in methods if method.setting == ONE]
    return [method for key in IN_THREE for method in methods if method.key == key]


def print_sources(console: Console, records: Sequence[Record], methods: Sequence[Method], protocol: str) -> None:
    """A table for each source with a row for each structure."""
    shown = columns(methods, protocol)
    for source in dict.fromkeys(record.source for record in records):
        own = [record for record in records if record.source == source]
        table = _table(f"{source}: {TITLES[protocol]}", "structure", shown)
        for record in own:
            mark = " °" if record.small_support else ""
            table.add_row(f"{record.title}{mark}", *(cell(getattr(record, protocol)[m.key]) for m in shown))
        table.add_section()
        table.add_row("mean", *(cell(mean(getattr(r, protocol)[m.key] for r in own)) for m in shown), style="bold")
        table.add_row("seconds a structure", *(_seconds(own, method) for method in shown), style="dim")
        console.print(table)


def print_means(console: Console, records: Sequence[Record], methods: Sequence[Method], protocol: str) -> None:
    """A row for each source and the mean over sources, with and without the structures of a few pixels."""
    shown = columns(methods, protocol)
    table = _table(f"ALL SOURCES: {TITLES[protocol]}", "source", shown)
    means = {method.key: source_means(list(records), protocol, method.key) for method in shown}
    for source in dict.fromkeys(record.source for record in records):
        table.add_row(source, *(cell(means[method.key][source]) for method in shown))
    table.add_section()
    overall = [cell(overall_mean(list(records), protocol, method.key)) for method in shown]
    table.add_row("mean over sources", *overall, style="bold")
    larger = [record for record in records if not record.small_support]
    if 0 < len(larger) < len(records):
        for source in dict.fromkeys(record.source for record in records if record.small_support):
            cells = [source_means(larger, protocol, m.key).get(source, Score(math.nan, math.nan)) for m in shown]
            table.add_row(f"{source} without °", *map(cell, cells), style="dim")
        cells = [cell(overall_mean(larger, protocol, method.key)) for method in shown]
        table.add_row("mean over sources without °", *cells, style="dim")
    table.add_row("seconds a structure", *(_seconds(records, method) for method in shown), style="dim")
    console.print(table)


def print_notes(
    console: Console, methods: Sequence[Method], missing: dict[str, str], skipped: Sequence[str], small: int
) -> None:
    """What one has to know to read the tables."""
    console.print("Dice: whole volume / the structure's own slices. Annotated slices are left out of both.")
    console.print(
        "Three slices: at 25, 50 and 75 % of the extent; those and the one middle slice are left out with both."
    )
    if any(method.setting in (FIVE, WITHIN_RANGE) for method in methods):
        console.print("Five slices: these three and both ends; they alone are left out.")
    if small:
        console.print(
            f"° mask of less than {small} pixels on the support slice; the prototype's README leaves them out."
        )
    for method in methods:
        if method.key in missing:
            console.print(f"{method.title} ({method.key}): NOT MEASURED: {missing[method.key]}")
        elif method.note:
            console.print(f"{method.title} ({method.key}): {method.note}", markup=False, soft_wrap=True)
    for text in skipped:
        console.print(f"skipped: {text}", markup=False, soft_wrap=True)


def print_cost(console: Console, cost: Cost) -> None:
    """What the engine costs, with what it was measured on."""
    console.print("\nCOST", style="bold")
    for line in cost.lines():
        console.print(f"  {line}", markup=False, soft_wrap=True)


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """One line for each check."""
    console.print("\nCHECKS", style="bold")
    for check in checks:
        style = {"PASS": "green", "REACHED": "green", "FAIL": "bold red", "MISSED": "red"}.get(check.verdict, "yellow")
        console.print(f"  [{style}]{check.verdict}[/{style}] {escape(check.text)}", soft_wrap=True)
        for line in check.details:
            console.print(f"       {line}", markup=False, soft_wrap=True)


def _table(title: str, first: str, shown: Sequence[Method]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for method in shown:
        table.add_column(method.title, justify="right", no_wrap=True)
    return table


def cell(score: Score) -> str:
    """Both parts of a score."""
    return " / ".join("  – " if math.isnan(value) else f"{value:.3f}" for value in score)


def _seconds(records: Sequence[Record], method: Method) -> str:
    times = [record.seconds[method.key] for record in records if method.key in record.seconds]
    return f"{sum(times) / len(times):.2f}" if times else "–"
