"""Which cases are shown: the best, the median and the worst one of each organ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..row import Row
from .material import Material, natural, question
from .means import describe_metric


@dataclass(frozen=True)
class Choice:
    """A case that is shown.

    Attributes:
        organ: of which organ.
        rank: "best", "median" or "worst".
        rows: the leading method's answer and, where there is another method, the runner-up's to the same question.
    """

    organ: str
    rank: str
    rows: tuple[Row, ...]


def choose(material: Material) -> list[Choice]:
    """The leading method's best, median and worst answer for each organ in the first setting, where masks were kept.

    Of an even number of cases the median is the lower one of the middle two; of two only best and worst are shown, of
    one only that one.
    """
    setting = next(iter(material.settings), "")
    kept = [
        row for row in material.answers if row.setting == setting and row.mask and row.metrics.get("dice") is not None
    ]
    own = {name: [row for row in kept if row.method == name] for name in material.methods}
    own = {name: rows for name, rows in own.items() if rows}
    if not own:
        return []
    lead = material.lead if material.lead in own else next(iter(own))
    second = runner_up({name: rows for name, rows in own.items() if name != lead})
    others = {question(row): row for row in own.get(second, ())}
    choices = []
    for organ in material.organs:
        rows = sorted((row for row in own[lead] if row.organ == organ), key=_worth)
        for rank, row in _ranked(rows):
            other = others.get(question(row))
            choices.append(Choice(organ, rank, (row,) if other is None else (row, other)))
    return choices


def runner_up(rows: dict[str, list[Row]]) -> str:
    """The method with the best mean Dice, of equal ones the first; "" without any."""
    means = {name: describe_metric(own).mean or 0.0 for name, own in rows.items()}
    return max(means, key=lambda name: means[name], default="")


def _worth(row: Row) -> tuple[float, object, object, object]:
    dice = row.metrics["dice"]
    return (
        -1.0 if dice is None or math.isnan(dice) else dice,
        natural(row.dataset),
        natural(row.case),
        (natural(row.fold), natural(row.support)),
    )


def _ranked(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """(rank, row) of rows that rise in worth."""
    if len(rows) < 2:
        return [("only case", row) for row in rows]
    middle = [("median", rows[(len(rows) - 1) // 2])] if len(rows) > 2 else []
    return [("best", rows[-1]), *middle, ("worst", rows[0])]
