"""(c) The users' task: a few slices of a volume are annotated, the others are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ..case import Case, Scan
from ..method import Method, Volume, Within
from ..protocol import Measured, Work
from .asked import asked
from .options import Options
from .scoring import Question, overlap, within_extent
from .supports import MIN_SLICES, Indices, anchor_slices, annotated, organ_slices, setting_title, volume_ends
from .works import within_work


class OneSlice:
    """1, 2, 3 or 5 annotated slices within one volume."""

    name = "one-slice"
    title = "Annotated slices within a volume"
    task = "within"

    def __init__(self, options: Options):
        self.options = options
        self.explanation = (
            "Some slices of the volume are annotated, all others are wanted: 1 slice is the middle one of the organ; "
            "2 lie at 25 and 75 % of its slices, 3 at 25, 50 and 75 %, 5 at these and at both ends. With “range” the "
            "first and the last slice of the organ are told besides. Annotated slices are left out of the overlap; "
            "dice_common leaves out those of all settings, so that settings can be compared; dice_common_extent is the "
            "same of the organ's own slices."
        )

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """See `Protocol`; which organs are too short only shows in the scans, see `set_aside`."""
        return within_work(self.name, cases, methods, self.options)

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """See `Protocol`."""
        volume = Volume.of(query)
        for organ in self.options.of(work.query.organs):
            reference = work.query.mask(query, organ)
            question = Question(work, method, organ, self.options.tolerance_mm)
            slices = organ_slices(reference)
            if len(slices) < MIN_SLICES:
                yield Measured(question.too_thin(len(slices)))
                continue
            settings = self._settings(slices)
            common = {index for indices, _ in settings.values() for index in indices}
            for count in self.options.anchors:
                if setting_title(count) not in settings:
                    why = f"{question.title}: {len(slices)} slices are too few for {count} annotated ones."
                    yield Measured(question.leave_out(setting_title(count), len(slices), why))
            for setting, (indices, ends) in settings.items():
                ask = Within(volume, annotated(reference, indices), ends, volume_ends(reference))
                answer = asked(partial(method.within, ask), reference.shape)
                row = question.score(
                    answer,
                    reference,
                    query.spacing,
                    setting=setting,
                    given=indices,
                    not_scored=indices,
                    extra={
                        "dice_common": overlap(answer.answer.mask, reference, common),
                        "dice_common_extent": overlap(within_extent(answer.answer.mask, reference), reference, common),
                    },
                )
                yield Measured(row, answer.answer.mask)

    def _settings(self, slices: Indices) -> dict[str, tuple[tuple[int, ...], tuple[int, int] | None]]:
        """{setting: (annotated slices, range that is told)} that an organ is long enough for."""
        found: dict[str, tuple[tuple[int, ...], tuple[int, int] | None]] = {}
        for count in self.options.anchors:
            indices = anchor_slices(slices, count)
            # a slice is to be left to be found, and two annotations on one slice are one
            if len(slices) > count == len(indices):
                found[setting_title(count)] = indices, None
                if count == 5:
                    found[f"{setting_title(count)}, range"] = indices, (int(slices[0]), int(slices[-1]))
        return found
