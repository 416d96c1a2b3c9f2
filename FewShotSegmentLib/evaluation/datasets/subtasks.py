"""The two sub-tasks of AbdomenCT-1K's fully supervised benchmark: which cases train, and which test.

Sub-task 1 trains on 281 scans of MSD Pancreas and 80 of NIH Pancreas, and tests on the 50 hardest of LiTS, KiTS and MSD
Spleen. Sub-task 2 replaces NIH by 40 scans of LiTS and 40 of KiTS, and tests on the 50 hardest and 50 drawn ones. Hard
is what a baseline's mean of Dice (DSC) and normalised surface Dice (NSD) is low for (Ma et al., TPAMI 2022).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import InputError
from ..case import Case
from ..row import Row

TEST_SOURCES = ("lits", "kits", "msd-spleen")
TRAINING = {
    1: (("msd-pancreas", 281), ("nih-pancreas", 80)),
    2: (("msd-pancreas", 281), ("lits", 40), ("kits", 40)),
}
"""{sub-task: ((source, scans), …)}."""
HARDEST = 50
DRAWN = {1: 0, 2: 50}


@dataclass(frozen=True)
class Subtask:
    """A split of cases; no patient is on both sides.

    Attributes:
        training: by source, then in the data set's order.
        hardest: test cases, hardest first.
        drawn: further test cases, in the data set's order; none in sub-task 1.
    """

    training: tuple[Case, ...]
    hardest: tuple[Case, ...]
    drawn: tuple[Case, ...]

    @property
    def test(self) -> tuple[Case, ...]:
        """All test cases."""
        return (*self.hardest, *self.drawn)


def split(cases: Sequence[Case], scores: Mapping[str, tuple[float, float]], subtask: int, seed: int = 0) -> Subtask:
    """Split AbdomenCT-1K for a sub-task; the same on every machine and with every version of Python.

    The hardest cases are set aside first, then those to train with are drawn, then the rest of the test. Where a source
    has more scans than the sub-task takes, the seed decides.

    Args:
        cases: of the adapter `abdomenct1k`, with sources as groups.
        scores: {case: (DSC, NSD)} of a baseline, 0 to 1 each, of every case of LiTS, KiTS and MSD Spleen; see
            `baseline_scores`.
        subtask: 1 or 2.
        seed: of what is drawn.

    Raises:
        InputError: no such sub-task, sources unknown, too few cases of a source, or a score missing.
    """
    if subtask not in TRAINING:
        raise InputError(f"There is no sub-task {subtask} of AbdomenCT-1K; there are 1 and 2.")
    if not any(case.group for case in cases):
        raise InputError(
            "The sub-tasks of AbdomenCT-1K need the source of each case, which is not published; put a table "
            "sources.csv with the columns case,source into its folder."
        )
    candidates = [case for case in cases if case.group in TEST_SOURCES]
    for case in candidates:
        if not all(math.isfinite(score) for score in scores.get(case.name, (math.nan,))):
            raise InputError(f"{case.name} has no DSC and NSD of the baseline, so how hard it is is not known.")
    by_difficulty = sorted(candidates, key=lambda case: (sum(scores[case.name]) / 2, case.name))
    hardest = _first(by_difficulty, HARDEST, set(), "LiTS, KiTS and MSD Spleen", subtask)
    taken = {case.patient for case in hardest}
    training: list[Case] = []
    for source, count in TRAINING[subtask]:
        pool = _shuffled([case for case in cases if case.group == source], f"training {seed}")
        training += _in_order(cases, _first(pool, count, taken, source, subtask))
    taken |= {case.patient for case in training}
    pool = _shuffled(candidates, f"test {seed}")
    drawn = _first(pool, DRAWN[subtask], taken, "LiTS, KiTS and MSD Spleen", subtask)
    return Subtask(tuple(training), tuple(hardest), tuple(_in_order(cases, drawn)))


def baseline_scores(rows: Iterable[Row], method: str) -> dict[str, tuple[float, float]]:
    """{case: (DSC, NSD)} of a method, means over a case's rows.

    An answer that failed counts 0; a metric that is not defined (the organ is not there) does not count.
    """
    values: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        if row.method == method:
            for kept, name in zip(values.setdefault(row.case, ([], [])), ("dice", "nsd"), strict=True):
                value = 0.0 if row.failed else row.metrics.get(name)
                if value is not None:
                    kept.append(value)
    return {
        case: (math.fsum(dsc) / len(dsc), math.fsum(nsd) / len(nsd))
        for case, (dsc, nsd) in values.items()
        if dsc and nsd
    }


def _shuffled(cases: Iterable[Case], seed: str) -> list[Case]:
    """In an order that only names and seed decide; drawing with `random` would hang on the order of the input."""
    return sorted(cases, key=lambda case: hashlib.sha256(f"{seed} {case.name}".encode()).hexdigest())


def _first(pool: Sequence[Case], count: int, taken: set[str], what: str, subtask: int) -> list[Case]:
    """The first cases of a pool whose patients are not taken."""
    free = [case for case in pool if case.patient not in taken]
    if len(free) < count:
        raise InputError(
            f"Sub-task {subtask} of AbdomenCT-1K needs {count} cases of {what}, and there are only {len(free)} left."
        )
    return free[:count]


def _in_order(cases: Sequence[Case], chosen: Iterable[Case]) -> list[Case]:
    names = {case.name for case in chosen}
    return [case for case in cases if case.name in names]
