"""Runs the transfer's rows over every structure of every pair and scores what comes out.

The query's reference is used for the score only. No slice is left out of it: none of the query's was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pairs import Pair
from scores import Score, score
from transfer_methods import Row
from transfer_volumes import Scene, scenes


@dataclass
class TransferRecord:
    """What was measured on one structure of one pair; scores and seconds by the row's key."""

    source: str
    support: str
    query: str
    structure: str
    slices: int
    one: dict[str, Score] = field(default_factory=dict)
    three: dict[str, Score] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.support} → {self.query} {self.structure}"


class Runs(Protocol):
    """What runs a row on all structures of a pair; see `transfer_runner.Runner`."""

    def run(self, row: Row, scene: Scene, supports: dict) -> dict: ...


def runs_of(row: Row, protocols: Sequence[str]) -> list[str]:
    """The protocols of a row: what a single change does is asked with one slice only."""
    return [protocol for protocol in protocols if protocol == "one" or row.kind != "change"]


def measure(
    pairs: Sequence[Pair],
    rows: Sequence[Row],
    runner: Runs,
    protocols: Sequence[str],
    left_out: list[str],
    progress: Callable[[str], None] = lambda text: None,
) -> list[TransferRecord]:
    """All records of these pairs; `progress` hears of every pair and row before it is run."""
    records = []
    for scene in scenes(pairs, left_out):
        own = {name: _record(scene, name) for name in scene.names}
        for protocol in protocols:
            supports = scene.supports(protocol)
            for row in rows:
                if protocol in runs_of(row, protocols):
                    progress(f"{scene.pair.title}: {row.title}")
                    _measure_row(row, protocol, scene, supports, runner, own)
        records += own.values()
    return records


def _record(scene: Scene, name: str) -> TransferRecord:
    slices = len(scene.query.slices(name))
    return TransferRecord(scene.pair.source, scene.support.case.name, scene.query.case.name, name, slices)


def _measure_row(
    row: Row, protocol: str, scene: Scene, supports: dict, runner: Runs, own: dict[str, TransferRecord]
) -> None:
    for name, outcome in runner.run(row, scene, supports).items():
        record = own[name]
        getattr(record, protocol)[row.key] = score(outcome.mask, scene.query.mask(name), [])
        if protocol == "one":
            record.seconds[row.key] = outcome.seconds
        if outcome.remark:
            record.remarks.append(f"{row.title}, {protocol}: {outcome.remark}")
