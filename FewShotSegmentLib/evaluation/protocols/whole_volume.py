"""(b) The published supports, asked as a user would: the whole volume, nothing known of where the organ is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..case import Case, Scan
from ..method import Method
from ..protocol import Measured, Work
from . import across
from .folds import FOLDS, choose, leave_one_out, make_folds, patients, pool_title, pools
from .options import Options
from .works import across_work


class WholeVolume:
    """Another patient's annotated slices, and every slice of the query."""

    name = "whole-volume"
    title = "Whole volume"
    task = "across"

    def __init__(self, options: Options):
        self.options = options
        self.explanation = (
            f"One scan of another patient is annotated on {options.shots_slices} slices of the organ, as in the "
            "published protocol; every slice of the query is scored, and nothing is taken from its reference. The "
            "supports are those of the published folds; in data sets of fewer than 5 patients or of several groups "
            "each patient is supported by the next one of the same group, round the end."
        )

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """See `Protocol`."""
        self.options.wanted(cases)
        count = self.options.folds if isinstance(self.options.folds, int) else FOLDS
        found = []
        for pool in pools(cases):
            grouped = bool(pool[0].group) or len(patients(pool)) < FOLDS
            found.append(leave_one_out(pool) if grouped else make_folds(pool, count))
            if not found[-1]:
                left_out.append(f"{pool_title(pool)}: there is only one patient, so that nobody else can be annotated.")
        folds = [fold for own in choose(found, self.options.folds) for fold in own]
        return across_work(self.name, folds, methods, self.options, left_out)

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """See `Protocol`."""
        return across.measure(work, query, support, method, self.options, published=False, setting="")
