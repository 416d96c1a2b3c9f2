"""(a) As SSL-ALPNet and DSPNet publish their figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..case import Case, Scan
from ..method import Method
from ..protocol import Measured, Work
from . import across
from .folds import FOLDS, choose, make_folds, pool_title, pools
from .options import Options
from .works import across_work


class Published:
    """1-way, 1-shot, cross-validated; what is compared with what is taken from the query's reference."""

    name = "published"
    title = "Published protocol"
    task = "across"

    def __init__(self, options: Options):
        self.options = options
        parts = options.shots_slices
        trained = (
            "trained on all slices of the training scans"
            if options.setting == "1"
            else "trained without the slices that show a test organ"
        )
        self.explanation = (
            f"One scan of another patient is annotated on {parts} slices of the organ, in the middle of each of its "
            f"{parts} equal parts: the scan that follows the fold's last one, round the end, for all scans of the "
            "fold. Each slice of the query is compared with the annotated slice of the part that it lies in, and only "
            "slices from the organ's first to its last are scored: parts, first and last are taken from the query's "
            "own reference, as published. "
            f"Setting {options.setting}: networks are to be {trained}."
        )

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """See `Protocol`."""
        self.options.wanted(cases)
        count = self.options.folds if isinstance(self.options.folds, int) else FOLDS
        found = []
        for pool in pools(cases):
            found.append(make_folds(pool, count))
            if not found[-1]:
                left_out.append(f"{pool_title(pool)}: there is only one patient, so that nobody else can be annotated.")
        folds = [fold for own in choose(found, self.options.folds) for fold in own]
        return across_work(self.name, folds, methods, self.options, left_out)

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """See `Protocol`."""
        setting = f"setting {self.options.setting}"
        return across.measure(work, query, support, method, self.options, published=True, setting=setting)
