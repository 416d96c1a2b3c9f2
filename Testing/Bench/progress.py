"""The bar that shows how far a run is, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def counted(total: int) -> Iterator[Callable[[str], None]]:
    """A bar of so many runs; what is yielded takes the name of the run that begins."""
    with tqdm(total=total, file=sys.stderr, unit="run", dynamic_ncols=True, mininterval=_interval()) as bar:

        def progress(text: str) -> None:
            bar.set_description_str(text, refresh=False)
            bar.update()

        yield progress


@contextmanager
def works(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for `FewShotSegmentLib.evaluation`, which tells (scans done, in all)."""
    with tqdm(desc=name, file=sys.stderr, unit="scan", dynamic_ncols=True, mininterval=_interval()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _interval() -> float:
    """Seconds between lines: one every half minute where nobody watches, as a log of hundreds hides its errors."""
    return 0.5 if sys.stderr.isatty() else 30


@contextmanager
def timed(name: str) -> Iterator[Callable[[str], None]]:
    """No count, only what is being done and since when."""
    with tqdm(file=sys.stderr, bar_format=f"{name}: {{desc}} {{elapsed}}") as bar:
        yield bar.set_description_str
