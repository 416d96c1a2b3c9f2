"""`cases.csv`: one line for each row, for spreadsheets and other people's statistics."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from ..row import METRICS, Row
from .material import natural

BEFORE = ("protocol", "dataset", "group", "case", "patient", "organ", "fold", "method", "setting", "round", "support")
AFTER = ("seconds", "peak_mb", "parameters", "failed", "note", "mask")


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as comma-separated text with a head.

    What is not defined is empty, infinite is "inf". Annotated slices are separated by spaces, pairs of `profile` (place
    and Dice) and `confidence` (confidence and Dice) as "0.5:0.9 …". Figures of `Row.extra` are columns "extra.NAME".
    """
    extras = sorted({name for row in rows for name in row.extra}, key=natural)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = (*BEFORE, "given", "slices", *METRICS, *AFTER, "profile", "confidence")
    writer.writerow([*head, *(f"extra.{name}" for name in extras)])
    for row in rows:
        line: list[Any] = [getattr(row, name) for name in BEFORE]
        line += [" ".join(map(str, row.given)), row.slices]
        line += [row.metrics.get(name) for name in METRICS]
        line += [getattr(row, name) for name in AFTER]
        line += [_pairs(row.profile), _pairs(row.confidence)]
        writer.writerow([*map(_plain, line), *(_plain(row.extra.get(name)) for name in extras)])
    return text.getvalue()


def _pairs(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{round(a, 6):g}:{round(b, 6):g}" for a, b in pairs)


def _plain(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(float(value)) if isinstance(value, float) else str(value)
