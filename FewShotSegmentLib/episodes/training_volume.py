"""A volume to draw episodes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True)
class TrainingVolume:
    """A volume to draw episodes from.

    Attributes:
        name: of the case.
        modality: "ct" or "mr".
        slices: float32 [n, h, w], zero mean and unit deviation over the volume; h and w are multiples of 16.
        superpixels: int32 [n, h, w] on the same grid; 0 belongs to none. With 2 dimensions 1…k on each slice, with 3
            1…k over the volume, no number missing.
        spacing: of this grid (z, y, x), mm.
        dimensions: 2 (numbers of different slices have nothing to do with each other) or 3 (supervoxels).
    """

    name: str
    modality: str
    slices: Tensor
    superpixels: Tensor
    spacing: tuple[float, float, float]
    dimensions: int = 2

    def __post_init__(self) -> None:
        if self.slices.ndim != 3 or self.slices.shape != self.superpixels.shape:
            raise InputError(
                f"{self.name} has slices of the shape {list(self.slices.shape)} and superpixels of "
                f"{list(self.superpixels.shape)}; both must be [slice, row, column] and agree."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of a slice."""
        return self.slices.shape[1], self.slices.shape[2]

    @cached_property
    def usable(self) -> NDArray[np.intp]:
        """Indices of the slices that have superpixels."""
        return np.flatnonzero(self.superpixels.flatten(1).any(1).numpy())

    def ids_on(self, index: int, share: float = 0.0) -> NDArray[np.intp]:
        """Numbers of the superpixels on a slice, upwards.

        Args:
            index: slice.
            share: of the slice's pixels that they must cover at least; the largest one is there even if it does not.
        """
        areas = np.bincount(self.superpixels[index].numpy().ravel())
        areas[0] = 0
        return np.flatnonzero(areas >= max(1.0, min(float(areas.max()), share * self.superpixels[index].numel())))

    def next_with_superpixels(self, index: int) -> int:
        """`index`, or the next slice that has superpixels; after the last comes the first.

        Raises:
            InputError: no such slice, or no superpixel anywhere.
        """
        if not 0 <= index < len(self.slices):
            raise InputError(f"{self.name} has the slices 0 to {len(self.slices) - 1}, but no slice {index}.")
        if not len(self.usable):
            raise InputError(f"{self.name} has no superpixels; leave it out, or make others.")
        return int(self.usable[np.searchsorted(self.usable, index) % len(self.usable)])


@dataclass(frozen=True)
class TrainingData:
    """What was read.

    Attributes:
        volumes: in the order of their files.
        notes: what was left out or guessed, a sentence each.
    """

    volumes: list[TrainingVolume]
    notes: list[str]

    @property
    def by_modality(self) -> dict[str, list[TrainingVolume]]:
        """Volumes of each modality; train on one at a time, since contrast means something else in the other."""
        modalities = sorted({volume.modality for volume in self.volumes})
        return {m: [volume for volume in self.volumes if volume.modality == m] for m in modalities}
