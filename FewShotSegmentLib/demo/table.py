"""What the demo says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .score import Score, mean


@dataclass(frozen=True)
class Line:
    """One organ of the table.

    Attributes:
        name: Of the organ.
        annotated: Indices of the annotated slices.
        found: First slice, last slice and number of slices found; ``None`` where nothing was found.
        ml: Volume of the result in millilitres.
        score: Of the result, or ``None`` where there is no reference.
        seconds: Spent on this organ.
    """

    name: str
    annotated: tuple[int, ...]
    found: tuple[int, int, int] | None
    ml: float
    score: Score | None
    seconds: float


def _dice(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _found(line: Line) -> str:
    if line.found is None:
        return "none"
    first, last, count = line.found
    return f"{first}–{last} ({count})"


def print_table(console: Console, lines: Sequence[Line], seconds: float) -> None:
    """Print one case: a line for each organ and their mean.

    Args:
        console: Where to print.
        lines: One per organ, at least one.
        seconds: Of the whole case, all organs and the loading of image and weights.
    """
    referenced = any(line.score is not None for line in lines)
    table = Table(box=box.SIMPLE_HEAD, show_footer=referenced, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("organ", footer="mean", overflow="fold")
    for head in ("annotated\nslice", "slices\nfound", "ml"):
        table.add_column(head, justify="right", no_wrap=True)
    if referenced:
        whole = mean([line.score.whole if line.score else None for line in lines])
        own = mean([line.score.own if line.score else None for line in lines])
        table.add_column("Dice\nwhole", footer=_dice(whole), justify="right", no_wrap=True)
        table.add_column("Dice own\nslices", footer=_dice(own), justify="right", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for line in lines:
        dice = [_dice(line.score.whole), _dice(line.score.own)] if line.score else ["no ref.", "no ref."]
        table.add_row(
            escape(line.name),
            ", ".join(str(z) for z in line.annotated),
            _found(line),
            f"{line.ml:.1f}",
            *(dice if referenced else []),
            f"{line.seconds:.1f}",
        )
    console.print(table)
    said = "Dice leaves the annotated slices out." if referenced else "There is no reference to compare with: no Dice."
    console.print(f"[dim]{said} Slices are counted from 0. {seconds:.0f} s in all.[/dim]\n")
