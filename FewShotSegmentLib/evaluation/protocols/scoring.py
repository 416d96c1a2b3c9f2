"""From an answer to its row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .. import metrics
from ..case import Mask
from ..method import Method
from ..protocol import Work
from ..row import METRICS, Row
from .asked import Asked
from .supports import MIN_SLICES, organ_slices

LEFT_OUT = "left_out"
"""Key of `Row.extra` whose sentence says why an organ was not asked for."""


@dataclass(frozen=True)
class Question:
    """What is the same for all rows about one organ of one scan.

    Attributes:
        work: the piece of work.
        method: who is asked.
        organ: its name.
        tolerance_mm: of the normalised surface Dice.
    """

    work: Work
    method: Method
    organ: str
    tolerance_mm: float

    @property
    def title(self) -> str:
        """Scan and organ, for sentences."""
        return f"{self.work.query.name} {self.organ}"

    def score(
        self,
        asked: Asked,
        reference: Mask,
        spacing: tuple[float, float, float],
        *,
        setting: str = "",
        round: int = 0,
        given: Collection[int] = (),
        not_scored: Collection[int] = (),
        sure_without: Collection[int] = (),
        scope: Literal["whole", "extent"] = "whole",
        extra: Mapping[str, Any] | None = None,
    ) -> Row:
        """The row of an answer.

        Args:
            asked: the answer with its cost.
            reference: bool [z, y, x].
            spacing: mm, (z, y, x).
            setting: see `Row`.
            round: see `Row`.
            given: annotated slices, of the support where there is one.
            not_scored: slices of the query that are left out of overlaps, as they were given.
            sure_without: slices that are left out of pairs of confidence and Dice besides.
            scope: "whole", or "extent" for the slices from the organ's first to its last only.
            extra: see `Row`.
        """
        answer = asked.answer
        slices = organ_slices(reference)
        mask = within_extent(answer.mask, reference) if scope == "extent" else answer.mask
        without = sorted(not_scored)
        sure = answer.confidence
        return Row(
            **self._who(setting, len(slices)),
            round=round,
            given=tuple(given),
            metrics=metrics.measure(
                mask, reference, spacing, given=without, tolerance_mm=self.tolerance_mm, scope=scope
            ),
            profile=metrics.profile(mask, reference, without),
            confidence=() if sure is None else metrics.slice_pairs(sure, mask, reference, {*without, *sure_without}),
            seconds=asked.seconds,
            peak_mb=asked.peak_mb,
            note=answer.note,
            failed=asked.failed,
            extra=dict(extra or {}),
        )

    def leave_out(self, setting: str, slices: int, why: str) -> Row:
        """The row of an organ that cannot be asked for, which only shows in a scan that is read; see `set_aside`.

        Args:
            setting: that cannot be had.
            slices: that hold the organ.
            why: a sentence; the same for every method, so that it is told once.
        """
        nothing = dict.fromkeys(METRICS)
        return Row(**self._who(setting, slices), round=0, given=(), metrics=nothing, note=why, extra={LEFT_OUT: why})

    def too_thin(self, slices: int) -> Row:
        """The row of an organ on fewer than `MIN_SLICES` slices of the query, or on none."""
        held = f"{slices} slice{'s hold' if slices > 1 else ' holds'} it, fewer than {MIN_SLICES}"
        why = held if slices else "no slice holds it"
        return self.leave_out("", slices, f"{self.title}: {why}.")

    def _who(self, setting: str, slices: int) -> dict[str, Any]:
        work = self.work
        return {
            "protocol": work.protocol,
            "dataset": work.query.dataset,
            "group": work.query.group,
            "case": work.query.name,
            "patient": work.query.patient,
            "organ": self.organ,
            "fold": work.fold,
            "method": work.method,
            "setting": setting,
            "support": "" if work.support is None else work.support.name,
            "slices": slices,
            "parameters": self.method.parameters,
        }


def set_aside(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Rows that measure something, and why the others do not: each sentence once, in the order of rows."""
    measured: list[Row] = []
    sentences: dict[str, None] = {}
    for row in rows:
        if LEFT_OUT in row.extra:
            sentences[str(row.extra[LEFT_OUT])] = None
        else:
            measured.append(row)
    return measured, list(sentences)


def overlap(prediction: Mask, reference: Mask, left_out: Collection[int] = ()) -> float | None:
    """Dice without some slices; None where the reference lies on no other."""
    scored = np.ones(len(reference), bool)
    scored[list(left_out)] = False
    prediction, reference = prediction[scored], reference[scored]
    if not reference.any():
        return None
    both = int(np.count_nonzero(prediction & reference))
    return 2 * both / int(np.count_nonzero(prediction) + np.count_nonzero(reference))


def within_extent(mask: Mask, reference: Mask) -> Mask:
    """A mask without what lies before the reference's first slice or behind its last one."""
    slices = organ_slices(reference)
    cut = np.zeros_like(mask)
    if len(slices):
        inside = slice(int(slices[0]), int(slices[-1]) + 1)
        cut[inside] = mask[inside]
    return cut
