"""A volume's intensity scale: what standardising did to its values, kept so that a single slice can have the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FLOOR = 1e-5
"""Added to the deviation, as the networks were trained with."""


@dataclass(frozen=True)
class IntensityScale:
    """How `normalise` brings a volume's values to zero mean and unit deviation.

    Attributes:
        low: values below are raised to it (CT: HU, else the scanner's own units, like all four).
        high: values above are lowered to it.
        mean: of the clipped and resampled volume.
        deviation: its standard deviation.
    """

    low: float
    high: float
    mean: float
    deviation: float

    @property
    def divisor(self) -> float:
        """What values are divided by."""
        return self.deviation + _FLOOR

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.float32]:
        """Values as the networks see them, float32 of the image's shape; not resampled.

        Args:
            image: any part of the volume that the scale is of, any shape and real type; not changed.
        """
        values = np.array(image, np.float32)
        np.clip(values, np.float32(self.low), np.float32(self.high), out=values)
        values -= np.float32(self.mean)
        values /= np.float32(self.divisor)
        return values
