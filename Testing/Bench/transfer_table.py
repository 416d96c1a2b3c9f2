"""What the bench prints of the transfer: the rows over the sources, each change alone, each structure, the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accuracy import overall_mean, source_means
from rich import box
from rich.console import Console
from rich.table import Table
from scores import Score
from table import cell
from transfer_accuracy import TransferRecord
from transfer_methods import DEFAULT, PIPELINE, Row

if TYPE_CHECKING:
    from transfer_cost import TransferCost

TITLES = {
    "one": "one annotated slice of another patient (the middle one)",
    "three": "three annotated slices of another patient (at 25, 50 and 75 %)",
}
# Columns of the table with a row for each structure.
IN_EACH = ("paste", "dspnet-published", DEFAULT, PIPELINE)
# Rows that the changes are shown between.
FIRST, LAST = DEFAULT, "dspnet-published"


def print_rows(console: Console, records: Sequence[TransferRecord], rows: Sequence[Row], protocol: str) -> None:
    """A row for each method, a column for each source."""
    shown = [row for row in rows if row.kind != "change"]
    table = _table(f"TRANSFER: {TITLES[protocol]}", "method", [*_sources(records), "mean over sources"])
    if protocol == "one":
        table.add_column("s a structure", justify="right")
    for row in shown:
        means = source_means(list(records), protocol, row.key)
        cells = [cell(score) for score in (*means.values(), overall_mean(list(records), protocol, row.key))]
        if protocol == "one":
            times = [record.seconds[row.key] for record in records]
            cells.append(f"{sum(times) / len(times):.2f}")
        table.add_row(row.title, *cells, style="bold" if row.key == PIPELINE else None)
    console.print(table)


def print_changes(console: Console, records: Sequence[TransferRecord], rows: Sequence[Row]) -> None:
    """Each change of DSPNet, repaired, with the difference to the default."""
    by_key = {row.key: row for row in rows}
    changes = [row for row in rows if row.kind == "change"]
    if not changes or not {FIRST, LAST} <= by_key.keys():
        return
    columns = [*_sources(records), "mean over sources", "difference"]
    table = _table("DSPNet, repaired: each change alone (bare, one annotated slice)", "change", columns)
    default = overall_mean(list(records), "one", DEFAULT)
    for row in (by_key[FIRST], *changes, by_key[LAST]):
        mean = overall_mean(list(records), "one", row.key)
        cells = [cell(score) for score in (*source_means(list(records), "one", row.key).values(), mean)]
        table.add_row(row.title, *cells, "" if row.key == DEFAULT else difference(mean, default))
    console.print(table)
    console.print(
        "All undone: standardise=False, details=1 and attention=0, with which temperature and reach go. "
        "Channel mixing, self prototypes, stride 4 and clusters are off by default.",
        soft_wrap=True,
    )


def print_structures(console: Console, records: Sequence[TransferRecord], rows: Sequence[Row]) -> None:
    """Each structure with one slice, by a few of the methods; the JSON has all."""
    shown = [row for key in IN_EACH for row in rows if row.key == key]
    table = _table("Each structure, one annotated slice", "support → query", [row.title for row in shown])
    for record in records:
        table.add_row(record.title, *(cell(record.one[row.key]) for row in shown))
    console.print(table)


def print_notes(
    console: Console,
    rows: Sequence[Row],
    missing: dict[str, str],
    left_out: Sequence[str],
    records: Sequence[TransferRecord],
) -> None:
    """What one has to know to read the tables."""
    console.print("Transfer: Dice over the whole query volume / over the structure's own slices; no slice is left out.")
    console.print("Nothing of the query's reference is used. Support and query are volumes of different patients.")
    console.print(
        f"All networks have the propagator's image encoder for their features, with the bundled weights {_weights()}; "
        "none has been trained on labels.",
        soft_wrap=True,
    )
    for row in rows:
        if row.key in missing:
            console.print(f"{row.title}: NOT MEASURED: {missing[row.key]}", markup=False, soft_wrap=True)
        elif row.note:
            console.print(f"{row.title}: {row.note}", markup=False, soft_wrap=True)
    for text in left_out:
        console.print(f"left out: {text}", markup=False, soft_wrap=True)
    for record in records:
        for text in record.remarks:
            console.print(f"{record.title}: {text}", markup=False, soft_wrap=True)


def print_cost(console: Console, cost: TransferCost) -> None:
    """What a query slice costs."""
    console.print("\nCOST OF TRANSFER", style="bold")
    for line in cost.lines():
        console.print(f"  {line}", markup=False, soft_wrap=True)


def difference(score: Score, default: Score) -> str:
    """Both parts, signed."""
    return " / ".join(f"{mine - theirs:+.3f}" for mine, theirs in zip(score, default, strict=True))


def _sources(records: Sequence[TransferRecord]) -> list[str]:
    return list(dict.fromkeys(record.source for record in records))


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _weights() -> str:
    """Name of the weights that are measured."""
    from FewShotSegmentLib.weights import find_weights

    return find_weights().name
