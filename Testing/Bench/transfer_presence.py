"""Whether the pipeline says that an organ is not there: every query once more, with the organ's slices taken out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pairs import Pair
from transfer_accuracy import TransferRecord
from transfer_volumes import Scene, scenes

from FewShotSegmentLib.images.geometry import Geometry

MIN_LEFT = 5
# The slice beside an organ's last one often shows some of it.
MARGIN = 1


@dataclass(frozen=True)
class Absence:
    """One query without its organ.

    Attributes:
        title: pair and structure.
        slices: how many are left.
        found: whether the pipeline takes the organ for found all the same.
        confidence: its overall confidence.
    """

    title: str
    slices: int
    found: bool
    confidence: float


def without(slices: np.ndarray, count: int) -> tuple[int, int]:
    """First slice and end of the longer part of a volume that does not hold the organ."""
    below, above = (0, max(0, int(slices[0]) - MARGIN)), (min(count, int(slices[-1]) + 1 + MARGIN), count)
    return max(below, above, key=lambda part: part[1] - part[0])


def part_of(geometry: Geometry, first: int, end: int) -> Geometry:
    """Geometry of slices `first` to `end` (not included) along array axis 0."""
    matrix = geometry.ijk_to_lps.copy()
    matrix[:3, 3] += first * matrix[:3, 2]
    return Geometry((end - first, *geometry.shape[1:]), matrix)


def measure(pairs: Sequence[Pair], transfer: Any, progress: Callable[[str], None] = lambda text: None) -> list[Absence]:
    """One support slice for every structure of every pair, where enough slices are left."""
    found = []
    for scene in scenes(pairs, []):
        for name, support in scene.supports("one").items():
            progress(f"{scene.pair.title}: {name} taken out")
            absence = _one(scene, name, support, transfer)
            found += [absence] if absence else []
    return found


def _one(scene: Scene, name: str, support: Any, transfer: Any) -> Absence | None:
    query = scene.query
    first, end = without(query.slices(name), len(query.image))
    if end - first < MIN_LEFT:
        return None
    result = transfer.run(
        query.image[first:end],
        part_of(query.geometry, first, end),
        {name: [support]},
        modality=query.modality,
        keep_probability=False,
    )[name]
    return Absence(f"{scene.pair.title} {name}", end - first, result.found, result.confidence)


def lines(records: Sequence[TransferRecord], absences: Sequence[Absence]) -> list[str]:
    """What to print: counts, and where an organ that is not there was taken for found."""
    there = sum(not any(r.startswith("full pipeline, one") for r in record.remarks) for record in records)
    right = sum(not absence.found for absence in absences)
    text = (
        f"Found or not, one slice: of {len(records)} structures that are there {there} were found; "
        f"of {len(absences)} volumes whose slices with the structure (and {MARGIN} beside) were taken out, "
        f"{right} were said not to hold it"
    )
    wrong = [f"taken for found: {a.title} (confidence {a.confidence:.2f})" for a in absences if a.found]
    return [text, *wrong]
