"""A generated abdomen with known organs, for demonstrations and tests where no patient's image is at hand.

It needs SciPy, which comes with the optional extra ``demo``; the engine never imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .anatomy import NAMES, draw
from .appearance import render

__all__ = ["Phantom", "make_phantom"]

_SMALLEST = (8, 24, 24)


@dataclass(frozen=True)
class Phantom:
    """A generated abdomen in LPS orientation: x grows to the Left, y to Posterior, z to Superior.

    Attributes:
        image: int16 [z, y, x]; HU (−1024 … 1500) for CT, arbitrary units (0 … 900) for MR.
        labels: uint8 [z, y, x]; 0 is background, the rest are keys of ``names``.
        names: Organ of each label.
        spacing: Voxel size (z, y, x) in mm.
    """

    image: NDArray[np.int16]
    labels: NDArray[np.uint8]
    names: dict[int, str]
    spacing: tuple[float, float, float]


def make_phantom(
    shape: tuple[int, int, int] = (60, 160, 160),
    spacing: tuple[float, float, float] = (5.0, 2.2, 2.2),
    modality: str = "ct",
    seed: int = 0,
) -> Phantom:
    """Generate an abdomen with liver, spleen, kidneys, stomach and aorta.

    The patient is drawn for 300 × 352 × 352 mm and stretched to fill any ``shape``, so a smaller shape shows the same
    patient more coarsely; ``spacing`` is what the image claims. Every organ starts and ends inside the volume.

    Args:
        shape: Voxels along z, y, x, at least 8 × 24 × 24.
        spacing: Voxel size (z, y, x) in mm.
        modality: ``ct`` (HU) or ``mr`` (like T2-weighted, arbitrary units).
        seed: The same seed gives the same patient with the same noise.

    Returns:
        Image, labels and names.

    Raises:
        InputError: The modality is unknown, or shape or spacing are too small.
    """
    if modality not in ("ct", "mr"):
        raise InputError(f"The phantom has the modalities ct and mr, not {modality!r}.")
    if any(n < least for n, least in zip(shape, _SMALLEST, strict=True)) or min(spacing) <= 0:
        raise InputError(f"The phantom needs at least {_SMALLEST} voxels (z, y, x) of a positive size.")
    # Shape and look draw from streams of their own, so that CT and MR of one seed show the same organs.
    anatomy, look = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    tissue, labels = draw(shape, anatomy)
    return Phantom(image=render(tissue, modality, spacing, look), labels=labels, names=dict(NAMES), spacing=spacing)
