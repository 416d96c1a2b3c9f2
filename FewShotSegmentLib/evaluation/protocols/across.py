"""What the two protocols have in common in which another patient's scan is annotated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..case import Scan
from ..method import Across, Method, Volume
from ..protocol import Measured, Work
from .asked import asked
from .options import Options
from .scoring import Question
from .supports import annotated, compared_slices, organ_slices, support_slices


def measure(
    work: Work, query: Scan, support: Scan | None, method: Method, options: Options, *, published: bool, setting: str
) -> Iterator[Measured]:
    """Ask for every organ that both scans have.

    Args:
        work: with a support.
        query: its scan.
        support: its scan.
        method: who is asked.
        options: organs, slices of the support, tolerance.
        published: whether each query slice is compared with the slice of its part, and only the organ's extent is
            scored; both are known from the query's reference.
        setting: of the rows.
    """
    if work.support is None or support is None:
        raise ValueError(f"{work.key}: no scan is annotated")
    seen, annotated_volume = Volume.of(query), Volume.of(support)
    for organ in options.of(work.query.organs):
        if organ not in work.support.organs:
            continue
        question = Question(work, method, organ, options.tolerance_mm)
        reference, drawn = work.query.mask(query, organ), work.support.mask(support, organ)
        slices, own = organ_slices(reference), organ_slices(drawn)
        if not len(slices) or not len(own):
            name = work.support.name if len(slices) else work.query.name
            yield Measured(question.leave_out(setting, len(slices), f"{question.title}: no slice of {name} holds it."))
            continue
        given = support_slices(own, options.shots_slices)
        ask = Across(
            seen,
            annotated_volume,
            annotated(drawn, dict.fromkeys(given)),
            compared_slices(slices, len(reference), given) if published else None,
            organ,
        )
        answer = asked(partial(method.across, ask), reference.shape)
        row = question.score(
            answer,
            reference,
            query.spacing,
            setting=setting,
            given=tuple(dict.fromkeys(given)),
            scope="extent" if published else "whole",
        )
        yield Measured(row, answer.answer.mask)
