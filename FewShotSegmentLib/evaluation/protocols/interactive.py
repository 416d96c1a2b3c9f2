"""(d) A simulated reader: annotates one slice, then corrects one slice a round, and how good the volume gets by it.

What it costs a reader to get a volume right is the number of slices to be looked at, so that choosing them well counts
as much as carrying the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.random import Generator

from ..case import Case, Mask, Scan
from ..method import Answer, Method, Reading, Volume
from ..protocol import Measured, Work
from ..row import Row
from .asked import Asked, asked
from .options import Options
from .scoring import Question, overlap
from .supports import MIN_SLICES, annotated, middle_slice, organ_slices
from .works import generator, within_work


class Interactive:
    """One annotated slice, then one corrected slice a round."""

    name = "interactive"
    title = "Simulated reader"
    task = "within"

    def __init__(self, options: Options):
        self.options = options
        self.explanation = (
            "A simulated reader annotates the organ's middle slice, then corrects one slice a round by the reference, "
            f"up to {options.rounds} slices: the one that the method proposes, the one with the most wrong voxels "
            "(which only the reference knows), or a random one of what was found, one before and one behind it "
            "included. Dice is of the whole volume with the slices that were read, as they are the reader's result; "
            "unread_dice leaves them out."
        )

    def work(self, cases: Sequence[Case], methods: Iterable[str], left_out: list[str]) -> list[Work]:
        """See `Protocol`; which organs are too short only shows in the scans, see `set_aside`."""
        return within_work(self.name, cases, methods, self.options)

    def measure(self, work: Work, query: Scan, support: Scan | None, method: Method) -> Iterator[Measured]:
        """See `Protocol`; masks are kept of each reading's first and last round."""
        volume = Volume.of(query)
        for organ in self.options.of(work.query.organs):
            reference = work.query.mask(query, organ)
            question = Question(work, method, organ, self.options.tolerance_mm)
            slices = organ_slices(reference)
            if len(slices) < MIN_SLICES:
                yield Measured(question.too_thin(len(slices)))
                continue
            for strategy in self.options.strategies:
                yield from self._read(question, strategy, volume, reference, generator(work, organ))

    def _read(
        self, question: Question, strategy: str, volume: Volume, reference: Mask, random: Generator
    ) -> Iterator[Measured]:
        reader = _Reader(question.method, volume, reference)
        index: int | None = middle_slice(organ_slices(reference))
        while index is not None:
            answer = reader.correct(index)
            read = reader.read
            index = None
            if len(read) < self.options.rounds and not answer.failed:
                index = CHOICES[strategy](reader, random)
            row = question.score(
                answer,
                reference,
                volume.spacing,
                setting=strategy,
                round=len(read),
                given=read,
                extra={"unread_dice": overlap(answer.answer.mask, reference, read)},
                sure_without=read,
            )
            yield Measured(row, answer.answer.mask if len(read) == 1 or index is None else None)


class _Reader:
    """One organ, read with one strategy.

    Attributes:
        read: slices that were annotated or corrected, in this order.
        mask: of the last answer.
        reference: what the reader corrects by.
    """

    def __init__(self, method: Method, volume: Volume, reference: Mask):
        self.read: list[int] = []
        self.mask = np.zeros_like(reference)
        self.reference = reference
        self._method = method
        self._volume = volume
        self._reading: Reading | None = None

    def correct(self, index: int) -> Asked:
        """Give a slice the reference's mask, an empty one where the organ is not, and carry it on."""
        self.read.append(index)

        def call() -> Answer:
            self._reading = self._reading or self._method.read(self._volume)
            return self._reading.annotate(annotated(self.reference, self.read), index)

        answer = asked(call, self.reference.shape)
        self.mask = answer.answer.mask
        return answer

    def propose(self) -> int | None:
        """What the method proposes; None if that is nothing, or has been read."""
        index = None if self._reading is None else self._reading.propose()
        return None if index is None or index in self.read else int(index)


def _propose(reader: _Reader, _random: Generator) -> int | None:
    return reader.propose()


def _worst(reader: _Reader, _random: Generator) -> int | None:
    """The slice with the most wrong voxels, the first of several; None where all that is not read is right."""
    wrong = np.count_nonzero(reader.mask != reader.reference, axis=(1, 2))
    wrong[reader.read] = 0
    return int(np.argmax(wrong)) if wrong.any() else None


def _draw(reader: _Reader, random: Generator) -> int | None:
    """Any of the slices among which a method would choose: a draw from the whole volume would be a weak rival."""
    held = organ_slices(reader.mask)
    if not len(held):
        return None
    near = range(max(int(held[0]) - 1, 0), min(int(held[-1]) + 2, len(reader.mask)))
    left = [index for index in near if index not in reader.read]
    return int(random.choice(left)) if left else None


CHOICES: dict[str, Callable[[_Reader, Generator], int | None]] = {
    "proposed": _propose,
    "worst": _worst,
    "random": _draw,
}


def rounds_needed(rows: Sequence[Row], target: float) -> int | None:
    """Slices read until the whole volume, those slices included, has a Dice; None where it never has.

    Args:
        rows: of one reading: one case, organ, method and strategy.
        target: Dice, 0 to 1.
    """
    return min((row.round for row in rows if _dice(row.metrics) >= target), default=None)


def _dice(values: Mapping[str, float | None]) -> float:
    value = values["dice"]
    return -1.0 if value is None else value
