"""Published figures beside ours."""

from __future__ import annotations

import re

from .. import quoted
from ..quoted import Column, Quoted
from ..row import Row
from .material import Material, grouped
from .means import by_line, mean
from .numbers import number
from .tables import Cell, Section, Table, label


def section(material: Material) -> Section:
    """The tables of `quoted`, ours on top of each; empty for protocols that put another question."""
    found = Section("published", "Published figures")
    if not any(row.protocol in quoted.PROTOCOLS for row in material.rows):
        return found
    found.text.append(
        f"All figures below that carry a source are {quoted.MARK}. Preprocessing, folds, the annotated slices and what "
        "is scored differ from paper to paper, and the published protocol scores only slices that hold the organ in "
        "the reference; so a difference of a few points says little. Ours stand on top where the same data set was "
        "measured here, in the same unit."
    )
    found.tables += [_table(material, published) for published in quoted.TABLES]
    return found


def _table(material: Material, published: Quoted) -> Table:
    rows = []
    for (setting, method), own in by_line(material, material.answers).items():
        asked = re.search(r"setting (\d)", setting)
        if asked and published.setting and asked[1] != published.setting:
            continue
        values = [measured(own, column) for column in published.columns]
        if any(value is not None for value in values):
            name = f"{material.title(method)}, {setting}" if setting else material.title(method)
            rows.append([label(name, "measured here"), *(_percent(value) for value in values)])
    for name, figures in published.rows:
        rows.append([label(name, quoted.MARK), *(_percent(value) for value in figures)])
    head = ["Method", *(_head(column) for column in published.columns)]
    note = f"Source: {published.source}; {published.place}. {published.note}".strip()
    return Table(published.title, head, rows, note)


def measured(rows: list[Row], column: Column) -> float | None:
    """Our Dice in % of what a published column is of; None where it was not measured.

    A mean over organs is that of all organs measured for the heart, and of exactly the four published ones for the
    abdomen, None unless all four were measured.
    """
    if column.measure != "Dice %" or column.domain not in quoted.DATASETS:
        return None
    organs = grouped((row for row in rows if row.dataset == quoted.DATASETS[column.domain]), lambda row: row.organ)
    means = {organ: mean(row.metrics.get("dice") for row in own) for organ, own in organs.items()}
    if column.organ:
        value = means.get(column.organ)
    else:
        wanted = quoted.ABDOMEN if column.domain.startswith("abdominal") else tuple(means)
        known = [found for organ in wanted if (found := means.get(organ)) is not None]
        value = mean(known) if known and len(known) == len(wanted) else None
    return None if value is None else 100 * value


def _percent(value: float | None) -> Cell:
    return Cell(number(value, 2), value=value)


def _head(column: Column) -> str:
    measure = "" if column.measure == "Dice %" else f", {column.measure}"
    return f"{column.domain}, {column.organ or 'mean'}{measure}"
