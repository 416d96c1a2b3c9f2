"""Means of the metrics: over everything, per group and per organ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ..row import METRICS, Row
from ..statistics import Summary, describe
from .material import Material, group_title, grouped
from .numbers import HIGHER_IS_BETTER, METRIC_TITLES, count, interval, mean_and_sd, number
from .tables import Cell, Section, Table, label

FOLDED_FROM = 4
"""Groups from which on each group's table is shown only when asked for."""

NOTE = (
    "Mean ± standard deviation over organs of cases, and below it the mean's 95 % bootstrap interval, which takes them "
    "to be independent. “∞ (2)”: two answers have no surface to measure from; they and undefined values are left out "
    "of the mean. The best mean of each setting is marked."
)


@lru_cache(maxsize=4096)
def _described(values: tuple[float | None, ...]) -> Summary:
    return describe(values)


def describe_metric(rows: Iterable[Row], metric: str = "dice") -> Summary:
    """A metric over rows; the bootstrap of the same values is done once."""
    return _described(tuple(row.metrics.get(metric) for row in rows))


def describe_values(values: Iterable[float | None]) -> Summary:
    """Values in short; the bootstrap of the same values is done once."""
    return _described(tuple(values))


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of finite values; None without any."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else None


def by_line(material: Material, rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by (setting, method): the lines of most tables, settings in order, methods in order within each."""
    found = grouped(rows, lambda row: (row.setting, row.method))
    return {
        (setting, method): found[setting, method]
        for setting in material.settings
        for method in material.methods
        if (setting, method) in found
    }


def summary_cell(summary: Summary, digits: int = 3) -> Cell:
    """Mean ± sd with its interval below, and what was counted on hover."""
    hint = count(summary.n, "value")
    if summary.n_undefined:
        hint += f", {summary.n_undefined} undefined"
    if summary.n_infinite:
        hint += f", {summary.n_infinite} infinite"
    if summary.median is not None:
        hint += f"; median {number(summary.median, digits)}"
    bounds = interval(summary.low, summary.high, digits)
    if bounds:
        hint += f"; 95 % interval of the mean {bounds}"
    return Cell(mean_and_sd(summary, digits), bounds, hint, summary.mean)


def mark_best(rows: Sequence[list[Cell]], columns: Sequence[int], higher: Callable[[int], bool]) -> None:
    """Mark the best cell of some columns, in place; nothing is marked where no two differ."""
    for column in columns:
        values = {place: row[column].value for place, row in enumerate(rows)}
        known = {place: value for place, value in values.items() if value is not None}
        if len(known) < 2 or len(set(known.values())) == 1:
            continue
        worth = {place: value if higher(column) else -abs(value) for place, value in known.items()}
        best = max(worth.values())
        for place, value in worth.items():
            if value == best:
                cell = rows[place][column]
                rows[place][column] = Cell(cell.text, cell.below, cell.hint, cell.value, True, cell.label)


def metrics_table(material: Material, rows: Iterable[Row], title: str, folded: bool = False, note: str = "") -> Table:
    """All metrics, a line for each setting and method."""
    lines = by_line(material, rows)
    several = any(setting for setting, _ in lines)
    cells: list[list[Cell]] = []
    by_setting: dict[str, list[list[Cell]]] = {}
    for (setting, method), found in lines.items():
        line = [label(material.title(method))] + ([label(setting or "–")] if several else [])
        line.append(Cell(str(len(found)), value=float(len(found))))
        line += [summary_cell(describe_metric(found, metric)) for metric in METRICS]
        cells.append(line)
        by_setting.setdefault(setting, []).append(line)
    first = 3 if several else 2
    for own in by_setting.values():
        mark_best(own, range(first, first + len(METRICS)), lambda c: METRICS[c - first] in HIGHER_IS_BETTER)
    head = ["Method", *(["Setting"] if several else []), "n", *(METRIC_TITLES[metric] for metric in METRICS)]
    if material.scope != "whole volume":  # else it would be called as the column beside it
        head[head.index(METRIC_TITLES["dice"])] = "Dice, as published"
    return Table(title, head, cells, note, folded)


def organs_table(material: Material) -> Table:
    """Dice of each organ, and the mean over organs as papers print it."""
    lines = by_line(material, material.answers)
    several = any(setting for setting, _ in lines)
    cells: list[list[Cell]] = []
    by_setting: dict[str, list[list[Cell]]] = {}
    for (setting, method), found in lines.items():
        organs = grouped(found, lambda row: row.organ)
        summaries = [describe_metric(organs.get(organ, ())) for organ in material.organs]
        overall = mean(summary.mean for summary in summaries)
        line = [label(material.title(method))] + ([label(setting or "–")] if several else [])
        line += [summary_cell(summary) for summary in summaries]
        line.append(Cell(number(overall), value=overall))
        cells.append(line)
        by_setting.setdefault(setting, []).append(line)
    first = 2 if several else 1
    for own in by_setting.values():
        mark_best(own, range(first, first + len(material.organs) + 1), lambda _: True)
    head = ["Method", *(["Setting"] if several else []), *material.organs, "Mean of organs"]
    return Table(f"Dice of each organ, {material.scope}", head, cells)


def groups_table(material: Material) -> Table:
    """Dice of each group, and the mean over groups, in which each group counts the same."""
    lines = by_line(material, material.answers)
    several = any(setting for setting, _ in lines)
    cells = []
    for (setting, method), found in lines.items():
        groups = grouped(found, lambda row: (row.dataset, row.group))
        summaries = [describe_metric(groups.get(group, ())) for group in material.groups]
        overall = mean(summary.mean for summary in summaries)
        line = [label(material.title(method))] + ([label(setting or "–")] if several else [])
        line += [summary_cell(summary) for summary in summaries]
        line.append(Cell(number(overall), value=overall))
        cells.append(line)
    titles = [group_title(*group) for group in material.groups]
    head = ["Method", *(["Setting"] if several else []), *titles, "Mean of groups"]
    return Table(f"Dice of each group, {material.scope}", head, cells)


def section(material: Material) -> Section:
    """All tables of means."""
    found = Section("means", "Results")
    if not material.answers:
        return found
    if material.has_rounds:
        found.text.append("Of each reading the last round is counted here; what each round brought comes further down.")
    found.tables.append(metrics_table(material, material.answers, "All metrics", note=NOTE))
    if len(material.groups) > 1:
        found.tables.append(groups_table(material))
    found.tables.append(organs_table(material))
    if len(material.groups) > 1:
        for dataset, group in material.groups:
            own = [row for row in material.answers if (row.dataset, row.group) == (dataset, group)]
            folded = len(material.groups) >= FOLDED_FROM
            title = f"All metrics: {group_title(dataset, group)}"
            found.tables.append(metrics_table(material, own, title, folded))
    if len(material.organs) > 1:
        for organ in material.organs:
            own = [row for row in material.answers if row.organ == organ]
            found.tables.append(metrics_table(material, own, f"All metrics: {organ}", folded=True))
    return found
