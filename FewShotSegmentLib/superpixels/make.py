"""A volume's superpixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, InputError
from ..progress import Progress
from .body import find_body
from .intensity import grey_scale
from .methods import cut_slice, cut_volume
from .settings import SuperpixelSettings


@dataclass(frozen=True)
class SuperpixelMap:
    """A volume cut into superpixels (2D) or supervoxels (3D).

    Attributes:
        labels: int32 [z, y, x]: 0 outside the body; 1 … n on each slice (2D) or over the volume (3D), none left out.
        body: bool [z, y, x]; `labels > 0`.
        spacing: voxel size in mm, array order.
        axis: array axis across the slices.
        settings: what they were made with.
    """

    labels: NDArray[np.int32]
    body: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    axis: int
    settings: SuperpixelSettings

    @property
    def counts(self) -> tuple[int, ...]:
        """How many there are on each slice (2D), or in the volume (3D, one number)."""
        return tuple(int(part.max(initial=0)) for part in self._parts())

    def sizes(self) -> list[NDArray[np.int64]]:
        """Pixels of each, by slice (2D), or voxels (3D, one array): `sizes()[slice][number - 1]`."""
        return [np.asarray(np.bincount(part.ravel())[1:], np.int64) for part in self._parts()]

    @property
    def voxel_mm(self) -> float:
        """Area of a pixel in mm² (2D) or volume of a voxel in mm³ (3D)."""
        return self.settings.voxel_mm(self.spacing, self.axis)

    def _parts(self) -> Sequence[NDArray[np.int32]]:
        return [self.labels] if self.settings.dimensions == 3 else list(np.moveaxis(self.labels, self.axis, 0))


def make_superpixels(
    image: NDArray[np.generic],
    spacing: Sequence[float],
    modality: str,
    settings: SuperpixelSettings | None = None,
    axis: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> SuperpixelMap:
    """Cut a volume into superpixels; the same call gives the same ones.

    The published way: intensities become 0 to 255 (see `intensity`), each slice is cut as a whole, and what lies
    outside the body is 0. Where the body's edge cuts through a superpixel, it can be smaller than the smallest size
    (1 in 12 is less than half of it, on six volumes); see `SuperpixelMap.sizes`. Of the published code's relabelling,
    which loses one superpixel of each slice and makes empty ones, nothing is kept.

    Args:
        image: [z, y, x], any real type; not changed.
        spacing: voxel size in mm, array order.
        modality: "ct" (values in HU) or "mr".
        settings: by default the published ones.
        axis: array axis across the slices, for the body's mask too.
        progress: called with (slices done, slices in all).
        cancelled: asked before each slice whether to stop.

    Raises:
        InputError: an argument that cannot be used, values that are not finite, no contrast, or a package is missing.
        Cancelled: `cancelled` said yes.
    """
    settings = settings or SuperpixelSettings()
    z, y, x = check_spacing(spacing)
    if axis not in (0, 1, 2):
        raise InputError(f"The axis must be 0, 1 or 2, not {axis}.")
    scale = grey_scale(image, modality)
    if cancelled and cancelled():
        raise Cancelled
    smallest = settings.smallest((z, y, x), axis)
    body = find_body(image, modality, axis, scale)
    labels = np.zeros(image.shape, np.int32)
    count = image.shape[axis]
    if settings.dimensions == 3:
        labels[:] = cut_volume(scale.apply(image), body, (z, y, x), settings, smallest, cancelled)
        if progress:
            progress(count, count)
        return SuperpixelMap(labels, body, (z, y, x), axis, settings)
    pixel = [s for a, s in enumerate((z, y, x)) if a != axis]
    slices = zip(*(np.moveaxis(each, axis, 0) for each in (image, body, labels)), strict=True)
    for number, (slice_, mask, out) in enumerate(slices):
        if cancelled and cancelled():
            raise Cancelled
        out[:] = cut_slice(scale.apply(slice_), mask, pixel, settings, smallest)
        if progress:
            progress(number + 1, count)
    return SuperpixelMap(labels, body, (z, y, x), axis, settings)


def check_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    """Three lengths in mm; raises InputError if they are not."""
    values = [float(s) for s in spacing]
    if len(values) != 3 or not all(np.isfinite(s) and s > 0 for s in values):
        raise InputError(f"The spacing must be three lengths in mm, not {', '.join(f'{s:g}' for s in values)}.")
    return values[0], values[1], values[2]
