"""Which scan is annotated for which other one: folds of the cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...errors import InputError
from ..case import Case

FOLDS = 5
"""As published."""


@dataclass(frozen=True)
class Fold:
    """One fold.

    Attributes:
        number: from 0.
        pairs: (query, support) of all scans that are tested, in the data set's order.
    """

    number: int
    pairs: tuple[tuple[Case, Case], ...]

    @property
    def supports(self) -> list[str]:
        """Names of the scans that are annotated, in their order; one, where every patient has one scan."""
        return list(dict.fromkeys(support.name for _, support in self.pairs))


def pools(cases: Iterable[Case]) -> list[list[Case]]:
    """Scans that can support each other, those of one data set, group and modality, in their order."""
    found: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.dataset, case.group, case.modality), []).append(case)
    return list(found.values())


def pool_title(pool: Sequence[Case]) -> str:
    """For sentences."""
    first = pool[0]
    return " ".join(part for part in (first.dataset, first.group, first.modality.upper()) if part)


def patients(pool: Iterable[Case]) -> list[list[Case]]:
    """The scans of each patient, patients in the order in which they first come."""
    found: dict[str, list[Case]] = {}
    for case in pool:
        found.setdefault(case.patient, []).append(case)
    return list(found.values())


def make_folds(pool: Sequence[Case], count: int = FOLDS) -> list[Fold]:
    """Folds over a pool's patients in their order.

    As published: fold i tests the scans from the i-th of `count` equal parts (30 scans: [0, 6, 12, 18, 24, 30]), and
    the scan that follows its last one, round the end, is annotated for all of them. Patients are counted where the
    publications count scans, which is the same for their data (one scan each) and keeps scans of a patient together.
    Where the next patient has several scans, the first one supports the first scan of each patient, and so on.

    Args:
        pool: scans that can support each other.
        count: of folds; of fewer patients each is a fold of its own, supported by the next one.

    Returns:
        Nothing where there are fewer than two patients.
    """
    groups = patients(pool)
    if len(groups) < 2:
        return []
    count = min(count, len(groups))
    ends = [number * len(groups) // count for number in range(count + 1)]
    folds = []
    for number, (start, end) in enumerate(pairwise(ends)):
        following = groups[end % len(groups)]
        support = {
            case.name: following[min(place, len(following) - 1)]
            for group in groups[start:end]
            for place, case in enumerate(group)
        }
        folds.append(Fold(number, tuple((case, support[case.name]) for case in pool if case.name in support)))
    return folds


def leave_one_out(pool: Sequence[Case]) -> list[Fold]:
    """Each patient tested, supported by the next one."""
    return make_folds(pool, max(2, len(patients(pool))))


def choose(folds: Sequence[Sequence[Fold]], asked: int | tuple[int, ...] | None) -> list[list[Fold]]:
    """The folds of each pool that are to be run.

    Args:
        folds: of each pool.
        asked: see `Options.folds`; a number of folds chooses all.

    Raises:
        InputError: a number is asked for that no pool has.
    """
    if not isinstance(asked, tuple):
        return [list(own) for own in folds]
    last = max((fold.number for own in folds for fold in own), default=-1)
    for number in asked:
        if number > last >= 0:
            raise InputError(f"There is no fold {number}; folds are numbered from 0 to {last}.")
    return [[fold for fold in own if fold.number in asked] for own in folds]
