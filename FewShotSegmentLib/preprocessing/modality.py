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


def decide_modality(wished: str, volume: NDArray[np.generic]) -> tuple[str, str | None]:
    """The modality, and what has to be said where it is a guess.

    Args:
        wished: "ct", "mr" or "auto".
        volume: array of any shape.
    """
    if wished != "auto":
        return wished, None
    guess = guess_modality(volume)
    return guess, (
        f"Nothing says whether the volume is CT or MR; its values ({volume.min():g} to {volume.max():g}) look like "
        f"{guess.upper()}. Choose the modality if that is wrong."
    )
