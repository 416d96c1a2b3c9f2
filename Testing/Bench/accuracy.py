"""The one-slice protocol of the evaluation, as the tables show it.

Among the methods with one annotated slice the support slice is left out. For what three annotated slices gain, the
slices of both settings are left out for both (the one support slice is not always among the three).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import evaluated
from methods import IN_THREE, ONE, ONE_AND_THREE, THREE, Method
from scores import Score, mean

from FewShotSegmentLib.evaluation.case import Case
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.row import Row

PROTOCOL = "one-slice"
NO_SCORE = Score(math.nan, math.nan)


@dataclass
class Record:
    """What was measured on one structure; scores and seconds by the method's key."""

    source: str
    case: str
    structure: str
    slices: int
    small_support: bool
    one: dict[str, Score] = field(default_factory=dict)
    three: dict[str, Score] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.case} {self.structure}"


def measure(
    cases: Sequence[Case], methods: Sequence[Method], recipes: Mapping[str, Recipe], folder: Path, skipped: list[str]
) -> list[Row]:
    """Rows of all columns; what lies in the folder from an earlier run is not measured again.

    Args:
        cases: whose structures are segmented.
        methods: columns that can be measured.
        recipes: by the names of the columns' methods.
        folder: for the rows; each method has a place of its own in it, so that more may be added later.
        skipped: what was not measured goes there, a sentence each, and what methods said of their answers.

    Raises:
        InputError: there are no cases, or the folder cannot be used.
    """
    rows: list[Row] = []
    told: dict[str, None] = {}
    for name, anchors in dict.fromkeys((method.name, method.anchors) for method in methods):
        place = f"{name}-{anchors.replace(',', '-')}"
        outcome = evaluated.ask(PROTOCOL, {"anchors": anchors}, recipes[name], cases, folder / place)
        told |= dict.fromkeys(outcome.left_out)
        shown = {method.setting for method in methods if method.name == name}
        # what leaves out the slices of both settings can be compared only where both could be asked for
        both = {(row.case, row.organ) for row in outcome.rows if row.setting == THREE and anchors == ONE_AND_THREE}
        for row in outcome.rows:
            if row.setting in shown:
                extra = row.extra if (row.case, row.organ) in both else {}
                rows.append(replace(row, mask=f"{place}/{row.mask}" if row.mask else "", extra=extra))
    skipped += told
    skipped += [f"{row.case} {row.organ}, {row.method}, {row.setting}: {row.note}" for row in rows if row.note]
    return rows


def make_records(rows: Sequence[Row], methods: Sequence[Method], small: Collection[tuple[str, str]]) -> list[Record]:
    """A record for each structure, in the order of rows; no score where a structure is too short for a setting.

    Args:
        rows: of `measure`.
        methods: columns that were measured.
        small: (case, structure) of those that are a dot on their support slice.
    """
    answers: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        answers.setdefault((row.case, row.organ), {})[row.method, row.setting] = row
    records = []
    for structure, own in answers.items():
        first = next(iter(own.values()))
        record = Record(first.group, first.case, first.organ, first.slices, structure in small)
        for method in methods:
            row = own.get((method.name, method.setting))
            if row is not None:
                record.seconds[method.key] = row.seconds
            if method.setting == ONE:
                record.one[method.key] = _score(row)
            if method.key in IN_THREE:
                record.three[method.key] = _common(row) if method.setting in (ONE, THREE) else _score(row)
        records.append(record)
    return records


def _score(row: Row | None) -> Score:
    """Without the slices that the method was given."""
    if row is None:
        return NO_SCORE
    return _of(row.metrics["dice"], row.metrics["dice_extent"])


def _common(row: Row | None) -> Score:
    """Without the slices of either setting."""
    if row is None:
        return NO_SCORE
    return _of(row.extra.get("dice_common"), row.extra.get("dice_common_extent"))


def _of(whole: float | None, extent: float | None) -> Score:
    return Score(*(math.nan if value is None else value for value in (whole, extent)))


def source_means(records: list[Record], protocol: str, key: str) -> dict[str, Score]:
    """Mean over the structures of each source, in the order of the records."""
    grouped: dict[str, list[Score]] = {}
    for record in records:
        grouped.setdefault(record.source, []).append(getattr(record, protocol)[key])
    return {source: mean(scores) for source, scores in grouped.items()}


def overall_mean(records: list[Record], protocol: str, key: str) -> Score:
    """Mean over the sources, each source counting once."""
    return mean(source_means(records, protocol, key).values())
