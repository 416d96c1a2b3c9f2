"""Means for the terminal; the report has all of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .row import Row

_SHOWN = (("dice", "Dice"), ("dice_extent", "own slices"), ("hd95_mm", "HD95 mm"), ("nsd", "NSD"))


def means(rows: Iterable[Row]) -> str:
    """Mean over cases and organs of each method, setting and last round, as a table of text.

    Undefined values and missing surfaces (inf) are left out of their mean; where there are some, the mean says of how
    many it is.
    """
    grouped: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row.method, row.setting, row.round), []).append(row)
    if not grouped:
        return "Nothing was measured."
    head = ["method", "asked", *(title for _, title in _SHOWN), "seconds", "answers"]
    lines = [head]
    for (method, setting, number), own in grouped.items():
        asked = f"{setting}, {number} read" if number else setting
        figures = [_mean([row.metrics.get(name) for row in own]) for name, _ in _SHOWN]
        seconds = sum(row.seconds for row in own) / len(own)
        lines.append([method, asked, *figures, f"{seconds:.2f}", str(len(own))])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return "–"
    text = f"{math.fsum(known) / len(known):.3f}"
    return text if len(known) == len(values) else f"{text} of {len(known)}"
