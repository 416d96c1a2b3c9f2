"""A simulated reader: annotates the middle slice, then corrects one slice a round, and how good the volume gets by it.

What it costs a reader to get a volume right is the number of slices to be looked at, so that choosing them well counts
as much as carrying the mask.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Protocol

import engine  # puts this checkout on the path, before anything of FewShotSegmentLib is imported
import numpy as np
from cases import Case, Structure, structures, support_slice
from scores import dice, score

if TYPE_CHECKING:
    from FewShotSegmentLib import Result
    from FewShotSegmentLib.session import SessionResult

    Choose = Callable[[Result, Structure, np.random.Generator], int | None]

TARGET = 0.90
MOST_SLICES = 10
SEED = 0
STRATEGIES = {
    "proposed": "the slice that the engine proposes",
    "worst": "the slice with the most wrong voxels, which only the reference knows",
    "random": "any slice of what was found, one before and one behind it included",
}


@dataclass
class Reading:
    """One structure, read with one strategy.

    Attributes:
        slices: those read, in their order; the first is the annotated one.
        dice: of the whole volume after each of them, the slices read included: they are the user's result.
        unread: the same without the slices read; nan where the structure lies on no other.
    """

    source: str
    case: str
    structure: str
    strategy: str
    slices: list[int] = field(default_factory=list)
    dice: list[float] = field(default_factory=list)
    unread: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.case} {self.structure}"

    @property
    def needed(self) -> int | None:
        """Slices read until the whole volume, those slices included, has the target; None where it never has."""
        return next((number for number, value in enumerate(self.dice, 1) if value >= TARGET), None)

    def dice_after(self, slices: int) -> float:
        """Dice with so many slices; where nothing was left to read earlier, that of the last one."""
        return self.dice[min(slices, len(self.dice)) - 1]

    def as_dict(self) -> dict:
        """For the JSON, which knows no nan."""
        unread = [None if math.isnan(value) else value for value in self.unread]
        names = ("source", "case", "structure", "strategy", "slices", "dice")
        return {name: getattr(self, name) for name in names} | {"unread": unread, "needed": self.needed}


@dataclass(frozen=True)
class Summary:
    """Readings of some structures with one strategy; `median` is None where half of them or more never got there."""

    structures: int
    median: float | None
    share_reached: float
    dice: tuple[float, ...]  # mean after each slice


class Session(Protocol):
    """What of `VolumeSession` is used."""

    def propagate(
        self, segments: Mapping[str, Mapping[int, np.ndarray]], *, around: Mapping[str, Sequence[int]] | None = None
    ) -> Mapping[str, SessionResult]: ...


def propose(result: Result, structure: Structure, _random: np.random.Generator) -> int | None:
    """The engine's own choice: it sees its result, and the reference never."""
    from FewShotSegmentLib.review import next_slice

    return next_slice(result, structure.spacing[0])


def worst(result: Result, structure: Structure, _random: np.random.Generator) -> int | None:
    """The slice with the most wrong voxels, the first of several; None where all that is not read is right."""
    wrong = np.count_nonzero(result.mask != structure.reference, axis=(1, 2))
    wrong[list(result.anchors)] = 0
    return int(np.argmax(wrong)) if wrong.any() else None


def draw(result: Result, _structure: Structure, random: np.random.Generator) -> int | None:
    """Any of the slices among which the engine chooses: a draw from the whole volume would be a weak rival."""
    held = np.flatnonzero(result.mask.any(axis=(1, 2)))
    if not len(held):
        return None
    near = range(max(held[0] - 1, 0), min(held[-1] + 2, len(result.mask)))
    left = [z for z in near if z not in result.anchors]
    return int(random.choice(left)) if left else None


CHOICES: dict[str, Choose] = {"proposed": propose, "worst": worst, "random": draw}


def open_session(loaded) -> Callable[[Structure], Session]:
    """Makes a session of a loaded engine, whose features stay from round to round and structure to structure."""
    from FewShotSegmentLib.session import VolumeSession

    def make(structure: Structure) -> Session:
        modality = structure.modality.lower()
        return VolumeSession(loaded, structure.image, spacing=structure.spacing, modality=modality)

    return make


def measure(
    cases: Iterable[Case],
    make: Callable[[Structure], Session],
    heard: Callable[[Structure, Result], None] = lambda structure, result: None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Reading]:
    """All readings of these cases.

    Args:
        cases: whose structures are read.
        make: a session for a structure; one serves all structures of a case.
        heard: gets every structure with its result from one annotated slice.
        progress: hears of every structure before it is read.
    """
    readings = []
    for case in cases:
        session = None
        for structure in structures(case, []):
            session = session or make(structure)
            progress(f"{structure.case} {structure.name}: reader")
            anchors = structure.anchors("one")
            first = session.propagate({"": anchors})[""]
            heard(structure, first)
            readings += [read(structure, strategy, session, first) for strategy in CHOICES]
    return readings


def read(structure: Structure, strategy: str, session: Session, first: Result) -> Reading:
    """Correct slice after slice, from the result of the one annotated slice.

    A corrected slice gets the reference's mask; one without the structure an empty mask, "absent here".
    """
    reading = Reading(structure.source, structure.case, structure.name, strategy)
    random = np.random.default_rng([SEED, zlib.crc32(reading.title.encode())])
    index: int | None = support_slice(structure.slices)
    anchors: dict[int, np.ndarray] = {}
    result = first
    while index is not None:
        anchors[index] = structure.reference[index]
        if len(anchors) > 1:
            result = renewed(result, session.propagate({"": anchors}, around={"": [index]})[""])
        reading.slices.append(index)
        reading.dice.append(dice(result.mask, structure.reference))
        left = [z for z in structure.slices if z not in anchors]
        reading.unread.append(score(result.mask, structure.reference, anchors).whole if left else math.nan)
        index = CHOICES[strategy](result, structure, random) if len(anchors) < MOST_SLICES else None
    return reading


def renewed(before: Result, part: SessionResult) -> Result:
    """What a user has after a correction: the new result where it was settled anew, else the earlier one."""
    mask, confidence = before.mask.copy(), before.slice_confidence.copy()
    for start, end in part.renewed:
        mask[start : end + 1] = part.mask[start : end + 1]
        confidence[start : end + 1] = part.slice_confidence[start : end + 1]
    result = replace(part, mask=mask, slice_confidence=confidence)
    result.find_slices()
    return result


def summarise(readings: Sequence[Reading]) -> Summary:
    """Readings of one strategy, each structure counting once; one that never reached the target counts as worst."""
    needed = [math.inf if reading.needed is None else reading.needed for reading in readings]
    middle = median(needed)
    return Summary(
        structures=len(readings),
        median=None if math.isinf(middle) else float(middle),
        share_reached=sum(map(math.isfinite, needed)) / len(needed),
        dice=tuple(
            math.fsum(reading.dice_after(slices) for reading in readings) / len(readings)
            for slices in range(1, MOST_SLICES + 1)
        ),
    )


def of_strategy(readings: Sequence[Reading], strategy: str) -> list[Reading]:
    """Those with this strategy."""
    return [reading for reading in readings if reading.strategy == strategy]


def by_source(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    """Readings of each source, in their order."""
    grouped: dict[str, list[Reading]] = {}
    for reading in readings:
        grouped.setdefault(reading.source, []).append(reading)
    return grouped


def missing() -> str | None:
    """Why the reader cannot be simulated here, if it cannot."""
    return engine.missing()
