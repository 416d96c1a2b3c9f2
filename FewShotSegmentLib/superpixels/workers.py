"""Several volumes at a time, each in a process of its own; no process outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..errors import InputError
from ..progress import Progress

STEPS = 1000
"""Steps of progress for each task."""

Work = Callable[[Any, Progress, Callable[[], bool]], dict[str, Any]]
"""A function of a module (so that another process finds it): task, progress of it, whether to stop."""

_LOOK_EVERY = 0.2
_GRACE = 3.0
"""Seconds that a worker has to end by itself once it is asked to; what is within scikit-image does not look."""

_shared: dict[str, Any] = {}
"""Of a worker: counters of all tasks, and the event that asks it to stop."""

writing = threading.Lock()
"""Held while files are written, so that a worker does not end in the middle of it."""


def run_all(
    work: Work, tasks: Sequence[Any], jobs: int, progress: Progress | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Do all tasks; yields (number of the task, result) as they come.

    Args:
        work: does one task; must itself handle what its user can mend.
        tasks: that can be pickled.
        jobs: how many at a time; 1 for in this process.
        progress: called with (steps done, steps in all), 1000 steps for each task.

    Raises:
        InputError: the system ended a worker.
    """
    total = STEPS * len(tasks)
    if min(jobs, len(tasks)) <= 1:
        for number, task in enumerate(tasks):

            def step(done: int, count: int, number: int = number) -> None:
                if progress:
                    progress(STEPS * number + round(STEPS * done / max(1, count)), total)

            yield number, work(task, step, lambda: False)
            step(1, 1)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    counters = context.Array("i", len(tasks), lock=False)
    stop = context.Event()
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _prepare, (counters, stop))
    try:
        waiting: dict[Future[dict[str, Any]], int] = {
            pool.submit(_work, work, number, task): number for number, task in enumerate(tasks)
        }
        while waiting:
            done, _ = wait(waiting, _LOOK_EVERY, FIRST_COMPLETED)
            if progress:
                progress(sum(counters), total)
            for future in sorted(done, key=waiting.__getitem__):
                yield waiting.pop(future), future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "The system ended one of the processes, most likely for want of memory; use fewer --jobs."
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(counters: Any, stop: Any) -> None:
    """Make a new worker ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes; the first one decides
    _shared.update(counters=counters, stop=stop)
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()


def _watch(stop: Any) -> None:
    """End this worker when it is asked to stop and does not, or when the process that started it is gone."""
    parent = multiprocessing.parent_process()
    while not stop.wait(1.0):
        if parent is not None and not parent.is_alive():
            break
    else:
        time.sleep(_GRACE)
    with writing:
        os._exit(1)


def _work(work: Work, number: int, task: Any) -> dict[str, Any]:
    """One task, in a worker."""

    def step(done: int, count: int) -> None:
        _shared["counters"][number] = round(STEPS * done / max(1, count))

    result = work(task, step, _shared["stop"].is_set)
    step(1, 1)
    return result
