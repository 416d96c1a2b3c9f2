"""A generated volume with two bright tubes from end to end: no mask dies out, so that every slice costs its time."""

from __future__ import annotations

import numpy as np

# Centres as parts of the width and height; radius as a part of the width.
TUBES = ((0.35, 0.5), (0.68, 0.45))
RADIUS = 0.09


def make(slices: int, size: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """int16 volume [slices, size, size] in HU, and each tube's mask [size, size], the same on every slice.

    Noise of 12 HU is drawn once for the volume from a fixed seed, slice by slice: a float copy of 512 × 512 × 300 would
    be counted in the memory that is measured.
    """
    rows, columns = np.mgrid[:size, :size] / size
    masks = [(columns - x) ** 2 + (rows - y) ** 2 < RADIUS**2 for x, y in TUBES]
    body = (columns - 0.5) ** 2 / 0.2 + (rows - 0.5) ** 2 / 0.16 < 1
    clean = np.where(body, 20.0, -120.0) + 110.0 * np.logical_or.reduce(masks)
    random = np.random.default_rng(0)
    volume = np.empty((slices, size, size), dtype=np.int16)
    for plane in volume:
        plane[:] = np.rint(clean + random.normal(0.0, 12.0, clean.shape))
    return volume, masks
