"""Pieces of work: which scans are asked about, with which seed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from numpy.random import Generator, default_rng

from ..case import Case
from ..protocol import Work
from .folds import Fold
from .options import Options


def scan_seed(seed: int, case: Case) -> int:
    """Seed of what is drawn for a scan: the same for every method, and whichever other scans there are."""
    return zlib.crc32(f"{seed}/{case.dataset}/{case.name}".encode())


def generator(work: Work, *what: str) -> Generator:
    """Draws one thing for a piece of work; other things leave it as it is."""
    return default_rng([work.seed, zlib.crc32("/".join(what).encode())])


def within_work(name: str, cases: Sequence[Case], methods: Iterable[str], options: Options) -> list[Work]:
    """One piece for every scan with an organ that is asked for, and method.

    Raises:
        InputError: no scan has one of the organs asked for.
    """
    options.wanted(cases)
    named = tuple(methods)
    return [
        Work(name, case, None, "", method, scan_seed(options.seed, case))
        for case in cases
        if options.of(case.organs)
        for method in named
    ]


def across_work(
    name: str,
    folds: Iterable[Fold],
    methods: Iterable[str],
    options: Options,
    left_out: list[str],
) -> list[Work]:
    """One piece for every pair of the folds and method; organs that only the query has go to `left_out`."""
    named = tuple(methods)
    works = []
    for fold in folds:
        for query, support in fold.pairs:
            asked = options.of(query.organs)
            left_out += [
                f"{query.name} {organ}: {support.name}, which is annotated for it, does not have it."
                for organ in asked
                if organ not in support.organs
            ]
            if any(organ in support.organs for organ in asked):
                seed = scan_seed(options.seed, query)
                works += [Work(name, query, support, str(fold.number), method, seed) for method in named]
    return works
