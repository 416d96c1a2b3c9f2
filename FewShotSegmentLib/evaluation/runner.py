"""Does the work of an evaluation: what is done is not done again, cases are shared out among processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import Cancelled, FewShotError, InputError
from ..progress import Progress
from ..version import __version__
from ..weights import read_manifest
from .case import Case, Scan
from .method import Method, Recipe
from .protocol import Work
from .protocols.scoring import set_aside
from .row import Row
from .store import RowStore

_GLANCE = 0.5
"""Seconds between two looks at what other processes have finished."""


@dataclass(frozen=True)
class Plan:
    """What is asked of whom.

    Attributes:
        protocol: its name.
        options: of the protocol; plain values, since they go to other processes and into the report's folder.
        recipes: methods that can be run.
        preset: of the data's preprocessing, "" for none; the cases have it already.
    """

    protocol: str
    options: Mapping[str, Any]
    recipes: Sequence[Recipe]
    preset: str = ""

    def identity(self) -> dict[str, Any]:
        """What decides about the numbers and is the same for all rows; more cases or methods may be added later."""
        made = {recipe.name: dict(recipe.options) for recipe in self.recipes if recipe.options}
        shared = {key: value for options in made.values() for key, value in options.items()}
        return {
            "protocol": self.protocol,
            "options": {key: value for key, value in self.options.items() if value is not None},
            "preset": self.preset,
            "weights and device": shared,
            "bundled weights": [info.sha256 for info in read_manifest().values()],
            "version": __version__,
        }


@dataclass(frozen=True)
class Outcome:
    """What an evaluation gave.

    Attributes:
        rows: in the order of the cases.
        left_out: what was not measured, and why, a sentence each.
        before: pieces of work that were done by an earlier run.
        seconds: that this run took.
    """

    rows: list[Row]
    left_out: list[str]
    before: int
    seconds: float


@dataclass(frozen=True)
class _Job:
    """All work about one scan, so that it is read and encoded once."""

    plan: Plan
    folder: Path
    works: Sequence[Work] = field(default_factory=list)


def evaluate(
    plan: Plan,
    cases: Sequence[Case],
    folder: Path,
    *,
    jobs: int = 1,
    restart: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Outcome:
    """Measure all that is not measured yet.

    Args:
        plan: what is asked of whom.
        cases: the scans.
        folder: of the report; see `RowStore`.
        jobs: processes that work at once; 1 stays in this one. Beside time and memory, confidences may differ in their
            last bits (1e-7), since each process computes with fewer threads.
        restart: throw away what an earlier run did.
        progress: called with (pieces of work done, in all).
        cancelled: asked between pieces of work; True stops, and what is done stays.

    Raises:
        InputError: the folder cannot be used, or there is nothing to be measured.
        Cancelled: `cancelled` said yes.
    """
    start = time.perf_counter()
    left_out: list[str] = []
    works = _protocol(plan).work(cases, [recipe.name for recipe in plan.recipes], left_out)
    if not works:
        raise InputError(" ".join(["There is nothing to be measured.", *left_out]))
    store = RowStore(folder)
    store.open(plan.identity(), restart)
    waiting = [work for work in works if not store.is_done(work)]
    before = len(works) - len(waiting)
    if progress:
        progress(before, len(works))

    def tell() -> None:
        if progress:
            progress(before + sum(map(store.is_done, waiting)), len(works))

    by_scan: dict[tuple[str, str, str], list[Work]] = {}
    for work in waiting:
        support = work.support.name if work.support else ""
        by_scan.setdefault((work.query.dataset, work.query.name, support), []).append(work)
    todo = [_Job(plan, folder, own) for own in by_scan.values()]
    if jobs > 1 and len(todo) > 1:
        failed = _in_processes(todo, min(jobs, len(todo)), tell, cancelled)
    else:
        failed = [text for job in todo for text in _do(job, tell, cancelled)]
    rows, too_thin = set_aside(store.rows(works))
    left_out += dict.fromkeys([*failed, *too_thin])
    return Outcome(rows, left_out, before, time.perf_counter() - start)


def _in_processes(
    todo: Sequence[_Job], jobs: int, tell: Callable[[], None], cancelled: Callable[[], bool] | None
) -> list[str]:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    # new processes: threads of torch and of Slicer's tools do not outlive a fork
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(threads,))
    try:
        running: list[Future[list[str]]] = [pool.submit(_do, job) for job in todo]
        while not all(future.done() for future in running):
            if cancelled and cancelled():
                raise Cancelled()
            _raise_first(running)
            tell()
            time.sleep(_GLANCE)
        _raise_first(running)
        tell()
        return [text for future in running for text in future.result()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _raise_first(running: Iterable[Future[list[str]]]) -> None:
    """Do not let the others work on where one has failed for a reason of ours."""
    for future in running:
        if future.done():
            future.result()


def _begin(threads: int) -> None:
    import torch  # noqa: PLC0415 - in the new process

    torch.set_num_threads(threads)


def _do(job: _Job, tell: Callable[[], None] | None = None, cancelled: Callable[[], bool] | None = None) -> list[str]:
    """Do all work about one scan; returns why some was left out."""
    store, protocol = RowStore(job.folder), _protocol(job.plan)
    scans: dict[tuple[str, str], Scan] = {}
    failed = []
    for work in job.works:
        if cancelled and cancelled():
            raise Cancelled()
        try:
            for case in (work.query, work.support):
                if case is not None and (case.dataset, case.name) not in scans:
                    scans[case.dataset, case.name] = case.read()
        except FewShotError as error:
            failed.append(f"{work.query.name} was not measured: {error}")
            continue
        query = scans[work.query.dataset, work.query.name]
        support = None if work.support is None else scans[work.support.dataset, work.support.name]
        store.keep(work, protocol.measure(work, query, support, _method(job.plan, work)))
        if tell:
            tell()
    return failed


_MADE: dict[str, tuple[Recipe, Method]] = {}
"""Methods of this process, the last of each name: loading weights takes seconds."""


def _method(plan: Plan, work: Work) -> Method:
    from . import methods  # noqa: PLC0415 - torch is loaded where something is measured

    recipe = next(recipe for recipe in plan.recipes if recipe.name == work.method)
    # a network trained for each fold: runs/fold{fold}
    options = {key: value.replace("{fold}", work.fold) for key, value in recipe.options.items()}
    recipe = replace(recipe, options=options)
    if work.method not in _MADE or _MADE[work.method][0] != recipe:
        _MADE[work.method] = recipe, methods.make(recipe)
    return _MADE[work.method][1]


def _protocol(plan: Plan) -> Any:
    from . import protocols  # noqa: PLC0415

    return protocols.make(plan.protocol, plan.options)
