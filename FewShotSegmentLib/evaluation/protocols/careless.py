"""Annotations as a careless or hurried reader draws them, all on one slice, bool [y, x]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from ..case import Mask
from .disturb import ndimage


def eroded(mask: Mask, pixels: float) -> Mask:
    """Drawn too small: without what lies within so many pixels of its outline; may be empty."""
    return np.asarray(_depth(mask) > pixels)


def dilated(mask: Mask, pixels: float) -> Mask:
    """Drawn too large: with what lies within so many pixels of it."""
    return np.asarray(_depth(mask) >= -pixels)


def shifted(mask: Mask, pixels: int, random: Generator) -> Mask:
    """Drawn beside: moved by so many pixels up, down, left or right; what leaves the slice is lost."""
    axis, back = int(random.integers(2)), bool(random.integers(2))
    moved = np.roll(mask, -pixels if back else pixels, axis)
    entered = np.moveaxis(moved, axis, 0)
    entered[slice(-pixels, None) if back else slice(0, pixels)] = False
    return moved


def jagged(mask: Mask, pixels: float, random: Generator) -> Mask:
    """Drawn with an unsteady hand: its outline goes in and out by up to so many pixels."""
    wobble = ndimage().gaussian_filter(random.normal(0.0, 1.0, mask.shape), 1.0, mode="wrap")
    depth = _depth(mask)
    # steps between pixel centres: −1 beside the outline, 1 at it; the outline itself is at 0
    depth = np.where(mask, depth - 0.5, depth + 0.5)
    return np.asarray(depth + pixels * np.clip(wobble / (wobble.std() or 1.0), -1.0, 1.0) > 0)


def _depth(mask: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Pixels to the nearest one outside of the mask, and as a negative number to the nearest one inside."""
    # the world beyond the slice is outside
    distance = ndimage().distance_transform_edt
    return np.asarray(distance(np.pad(mask, 1))[1:-1, 1:-1] - distance(~mask))


POOR: tuple[tuple[str, Callable[[Mask, Generator], Mask]], ...] = (
    ("support eroded 2 px", lambda mask, random: eroded(mask, 2.0)),
    ("support dilated 2 px", lambda mask, random: dilated(mask, 2.0)),
    ("support shifted 3 px", lambda mask, random: shifted(mask, 3, random)),
    ("support jagged 2 px", lambda mask, random: jagged(mask, 2.0, random)),
)
"""Settings and what they do to the annotation."""
