"""CT or MR: what a volume's values say when its file does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MODALITIES = ("ct", "mr")

_AIR_BELOW = -150
"""HU: fat is above it and air or lung below; MR intensities are not negative, or barely so after resampling."""


def guess_modality(volume: NDArray[np.generic]) -> str:
    """Guess "ct" or "mr" from the values of a volume.

    A CT in Hounsfield units nearly always shows some air or lung, or the scanner's padding below it. A CT stored with
    an offset (0 to 4095) passes for MR, so callers must say what was guessed and how to correct it.

    Args:
        volume: array of any shape.
    """
    return "ct" if volume.size and float(volume.min()) < _AIR_BELOW else "mr"
