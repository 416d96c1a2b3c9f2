"""Intensities as superpixels see them: 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

CT_WINDOW = (-125.0, 275.0)
"""HU, as published."""

_MR_TOP = 0.995
"""Quantile to which MR is clipped, as published."""


@dataclass(frozen=True)
class GreyScale:
    """Values of a volume that become 0 and 255; those beyond are clipped."""

    low: float
    high: float

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """Any part of the volume as 0 to 255, float64 of its shape."""
        values = np.clip(image.astype(np.float64), self.low, self.high)
        return np.asarray((values - self.low) * (255.0 / (self.high - self.low)))


def grey_scale(image: NDArray[np.generic], modality: str) -> GreyScale:
    """The published scale of a whole volume: CT clipped to −125…275 HU, MR's top 0.5 % clipped, then min–max.

    Args:
        image: [z, y, x], any real type.
        modality: "ct" (values in HU) or "mr".

    Raises:
        InputError: not a volume, no known modality, values that are not finite, or no contrast.
    """
    check_image(image, modality)
    low, high = float(image.min()), float(image.max())
    if modality == "ct":
        low, high = max(low, CT_WINDOW[0]), min(high, CT_WINDOW[1])
    else:
        top = float(np.quantile(np.asarray(image, np.float64), _MR_TOP))
        high = top if top > low else high  # a small bright structure in an empty volume
    if not low < high:
        where = " between −125 and 275 HU" if modality == "ct" else ""
        raise InputError(f"The volume has no contrast{where}, so there is nothing to cut up; check the file.")
    return GreyScale(low, high)


def check_image(image: NDArray[np.generic], modality: str) -> None:
    """Raises InputError if it cannot be cut up."""
    if image.ndim != 3 or not image.size:
        raise InputError(f"Superpixels need a volume of 3 dimensions with voxels, not of shape {image.shape}.")
    if modality not in ("ct", "mr"):
        raise InputError(f"The modality must be ct or mr, not {modality}.")
    if image.dtype.kind not in "biuf":
        raise InputError(f"The volume's values must be real numbers, not {image.dtype}.")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise InputError("The volume has values that are no numbers (NaN or infinite); fill them first.")
