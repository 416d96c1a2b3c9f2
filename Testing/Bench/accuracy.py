"""Runs every method over every structure; what comes out is scored twice, once for each comparison.

Among the methods with one annotated slice the support slice is left out. For what three annotated slices gain, the
slices of both protocols are left out for all (the one support slice is not always among the three).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cases import Case, Structure, quarter_slices, structures, support_slice
from methods import Method, Propagate
from scores import Score, mean, score


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
    cases: list[Case],
    methods: list[Method],
    runners: dict[str, Propagate],
    skipped: list[str],
    progress: Callable[[str], None] = lambda text: None,
) -> list[Record]:
    """All records of these cases; `progress` hears of every structure and method before it is run."""
    records = []
    for case in cases:
        for structure in structures(case, skipped):
            record = Record(
                structure.source, structure.case, structure.name, len(structure.slices), structure.small_support
            )
            for method in methods:
                if method.key in runners:
                    progress(f"{record.title}: {method.title}")
                    _measure_one(structure, method, runners[method.key], record)
            records.append(record)
    return records


def _measure_one(structure: Structure, method: Method, propagate: Propagate, record: Record) -> None:
    anchors = structure.anchors(method.anchors)
    start = time.perf_counter()
    prediction = propagate(structure, anchors)
    record.seconds[method.key] = time.perf_counter() - start
    if method.anchors == "one":
        record.one[method.key] = score(prediction, structure.reference, anchors)
    shown = {support_slice(structure.slices), *quarter_slices(structure.slices), *anchors}
    record.three[method.key] = score(prediction, structure.reference, shown)


def source_means(records: list[Record], protocol: str, key: str) -> dict[str, Score]:
    """Mean over the structures of each source, in the order of the records."""
    grouped: dict[str, list[Score]] = {}
    for record in records:
        grouped.setdefault(record.source, []).append(getattr(record, protocol)[key])
    return {source: mean(scores) for source, scores in grouped.items()}


def overall_mean(records: list[Record], protocol: str, key: str) -> Score:
    """Mean over the sources, each source counting once."""
    return mean(source_means(records, protocol, key).values())
