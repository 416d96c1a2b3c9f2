"""What a method is asked, and what it has to be to be evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..images import Geometry
from .case import Mask, Scan


@dataclass(frozen=True)
class Volume:
    """The image that a method sees: a scan without its labels.

    One object stands for one scan: a method may keep what it has computed of the last one it saw (`is`).

    Attributes:
        image: [z, y, x]; CT in HU. Not to be changed.
        geometry: where the voxels lie.
        modality: "ct" or "mr".
    """

    image: NDArray[np.generic]
    geometry: Geometry
    modality: str

    @classmethod
    def of(cls, scan: Scan) -> Volume:
        """A scan's image."""
        return cls(scan.image, scan.geometry, scan.modality)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm, (z, y, x)."""
        return self.geometry.spacing


@dataclass(frozen=True)
class Within:
    """The users' task: some slices of a volume are annotated, the others are wanted.

    Attributes:
        volume: the image.
        anchors: {index along z: bool [y, x]}; an empty mask says "absent here".
        slice_range: first and last slice that may hold the organ, where the user says so.
        ends: what only Grow from seeds is told: the reference on the first and last slice of the volume,
            {index: bool [y, x]}, since it needs background seeds there.
    """

    volume: Volume
    anchors: Mapping[int, Mask]
    slice_range: tuple[int, int] | None = None
    ends: Mapping[int, Mask] = field(default_factory=dict)


@dataclass(frozen=True)
class Across:
    """The papers' task: slices of another patient's scan are annotated.

    Attributes:
        query: the image to be segmented.
        support: the other patient's image.
        anchors: annotated slices of the support, {index along z: bool [y, x]}.
        parts: for each slice of the query the anchor (its index in the support) that it is to be compared with, int
            [z], −1 where the slice is not asked for; None where the method chooses itself and every slice is wanted.
        organ: its name; for the support library's sake only.
    """

    query: Volume
    support: Volume
    anchors: Mapping[int, Mask]
    parts: NDArray[np.integer] | None = None
    organ: str = "organ"


@dataclass(frozen=True)
class Answer:
    """What a method says.

    Attributes:
        mask: bool [z, y, x] of the volume or query.
        confidence: [z], 0 to 1; None where the method has none.
        note: a sentence where there is something to be told (nothing found, and why).
    """

    mask: Mask
    confidence: NDArray[np.floating] | None = None
    note: str = ""


class Reading(Protocol):
    """One organ of one volume, corrected slice after slice."""

    def annotate(self, anchors: Mapping[int, Mask], changed: int) -> Answer:
        """The result with these anchors, of which slice `changed` is the new one."""

    def propose(self) -> int | None:
        """The slice to correct next, of the last result; None if there is none worth a look."""


class Method(Protocol):
    """One way to segment. Made once per process; answers are the same at every call.

    Attributes:
        name: for --methods and files, "engine", "demons", ….
        title: in tables.
        note: what else there is to know, printed below tables ("" for nothing).
        tasks: of "within" and "across", those it can do.
        parameters: numbers that were learned; 0 for none.
    """

    name: str
    title: str
    note: str
    tasks: Collection[str]
    parameters: int

    def within(self, question: Within) -> Answer:
        """Carry annotated slices through their volume."""

    def across(self, question: Across) -> Answer:
        """Segment another patient's volume."""

    def read(self, volume: Volume) -> Reading:
        """Begin to read one organ of a volume slice after slice."""


@dataclass(frozen=True)
class Recipe:
    """How a method is made; can be pickled, so that every process makes its own.

    Attributes:
        name: see `Method`.
        title: see `Method`.
        tasks: see `Method`.
        missing: why it cannot be run here, a sentence; "" if it can.
        options: what `methods.make` needs to make it: weights, device, ….
    """

    name: str
    title: str
    tasks: Sequence[str]
    missing: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
