"""One image file: read, normalised, with superpixels on the network's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FewShotError
from ..images import read_volume
from ..preprocessing import decide_modality, normalise
from ..settings import Settings
from .sources import Source
from .training_volume import TrainingVolume

if TYPE_CHECKING:
    from ..superpixels import SuperpixelSettings

MakeSuperpixels = Callable[[NDArray[np.generic], tuple[float, float, float], str, int], NDArray[np.int32]]
"""(image [z, y, x], spacing in mm, modality, axis) → labels int32 [z, y, x], 0 outside the body."""


@dataclass(frozen=True)
class Reading:
    """How one file is read; picklable, since worker processes do it."""

    settings: Settings
    superpixels: SuperpixelSettings | None
    cache: Path | None
    modality: str
    min_slices: int
    make: MakeSuperpixels | None
    dimensions: int


Parts = tuple["tuple[TrainingVolume, NDArray[np.float32], NDArray[np.int32]] | None", list[str]]
"""A volume whose tensors are empty with what belongs in them: arrays pass between processes without shared memory."""


def read_one(source: Source, reading: Reading) -> Parts:
    """One file, or None with the reason; must not raise for what a single file can cause."""
    notes: list[str] = []
    try:
        volume = read_volume(source.path)
        axis = volume.geometry.acquisition_axis
        count = volume.array.shape[axis]
        if count < reading.min_slices:
            return None, [f"{source.name} is left out: it has {count} slices, and {reading.min_slices} are needed."]
        wished = reading.modality if reading.modality != "auto" else volume.modality or source.modality or "auto"
        modality, note = decide_modality(wished, volume.array)
        if note:
            notes.append(f"{source.name}: {note}")
        spacing = volume.geometry.spacing
        stack = np.moveaxis(volume.array, axis, 0)
        pixel = tuple(s for a, s in enumerate(spacing) if a != axis)
        normalised = normalise(stack, (pixel[0], pixel[1]), modality, reading.settings)
        make = reading.make or partial(_make_superpixels, reading=reading, notes=notes)
        labels = np.moveaxis(make(volume.array, spacing, modality, axis), axis, 0)
    except FewShotError as error:
        return None, [f"{source.name} is left out: {error}"]
    height, width = normalised.size
    superpixels = to_grid(labels, (height, width), reading.dimensions)
    if not superpixels.any():
        return None, [f"{source.name} is left out: no superpixel was found in it."]
    new = (spacing[axis], pixel[0] * stack.shape[1] / height, pixel[1] * stack.shape[2] / width)
    empty = torch.zeros(0, 0, 0)
    frame = TrainingVolume(source.name, modality, empty, empty, new, reading.dimensions)
    return (frame, normalised.slices.numpy(), superpixels), notes


def _make_superpixels(
    image: NDArray[np.generic],
    spacing: tuple[float, float, float],
    modality: str,
    axis: int,
    *,
    reading: Reading,
    notes: list[str],
) -> NDArray[np.int32]:
    """By the project's own superpixels, through the cache if there is one."""
    from ..superpixels import SuperpixelCache, SuperpixelSettings, make_superpixels  # noqa: PLC0415 - see above

    wanted = reading.superpixels or SuperpixelSettings()
    if reading.cache is None:
        return make_superpixels(image, spacing, modality, wanted, axis).labels
    cache = SuperpixelCache(reading.cache)
    labels = cache.get(image, spacing, modality, wanted, axis).labels
    notes += cache.notes
    return labels


def to_grid(labels: NDArray[np.integer], size: tuple[int, int], dimensions: int) -> NDArray[np.int32]:
    """Superpixels on slices of another size, each pixel with the number that lies at its middle.

    Args:
        labels: [n, rows, columns], 0 for none.
        size: h and w wanted.
        dimensions: 2 renumbers each slice without gaps, 3 the volume, where small superpixels vanish.

    Returns:
        int32 [n, h, w].
    """
    grid = zip(size, labels.shape[1:], strict=True)
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in grid)
    moved = labels[:, rows[:, None], columns]
    parts = [moved] if dimensions == 3 else list(moved)
    out = np.empty(moved.shape, np.int32)
    for part, target in zip(parts, [out] if dimensions == 3 else list(out), strict=True):
        seen = np.bincount(part.ravel()) > 0
        seen[0] = False
        target[...] = (np.cumsum(seen) * seen)[part]
    return out
