"""Small pictures of library entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..support import Support, SupportSlice

LONG_SIDE = 128
"""Pixels of a picture's longer side."""


def draw_thumbnail(support: Support) -> NDArray[np.uint8]:
    """The middle annotated slice in grey with the outline of what is drawn in its colour.

    Pixels are squares in mm, and the patient is shown as radiologists do: head or front up, the patient's left on the
    right of the picture; of sagittal slices the front on the left.

    Args:
        support: to show.

    Returns:
        uint8 [row, column, 3], the longer side `LONG_SIDE`.
    """
    piece = support.slices[len(support.slices) // 2]
    image, mask, (height, width) = _turned(piece)
    rows, columns = _places(image.shape[0], height, image.shape[1], width)
    scale = support.intensity
    grey = (image[np.ix_(rows, columns)] - scale.low) / max(scale.high - scale.low, 1e-6)
    picture = np.repeat((255 * np.clip(np.nan_to_num(grey), 0, 1)).astype(np.uint8)[..., None], 3, axis=2)
    color = np.array([min(1.0, max(0.0, part)) for part in support.color])
    picture[_outline(mask[np.ix_(rows, columns)])] = np.rint(255 * color).astype(np.uint8)
    return picture


def _places(rows: int, height: float, columns: int, width: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of an image that the picture's pixels lie on; sizes in mm."""
    scale = LONG_SIDE / max(rows * height, columns * width)
    found = []
    for count, size in ((rows, height), (columns, width)):
        pixels = max(1, round(count * size * scale))
        found.append(((np.arange(pixels) + 0.5) * count / pixels).astype(np.intp))
    return found[0], found[1]


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask that touch what is not it; the picture's edge counts as such."""
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


def _turned(piece: SupportSlice) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[float, float]]:
    """A slice's image and mask as they are to be looked at, with the size of a row and of a column in mm."""
    _, height, width = piece.geometry.spacing
    down, right = piece.geometry.ijk_to_lps[:3, 1] / height, piece.geometry.ijk_to_lps[:3, 0] / width
    image, mask = piece.image, piece.mask
    (first, across), (second, _) = _direction(down), _direction(right)
    if across == 0 or (across == 1 and _direction(right)[1] == 2):
        image, mask, height, width, first, second = image.T, mask.T, width, height, second, first
        across = _direction(right)[1]
    # LPS: left and posterior grow to the right and down as they should, superior grows down and should not
    down_sign = -first if across == 2 else first
    return image[::down_sign, ::second], mask[::down_sign, ::second], (height, width)


def _direction(vector: NDArray[np.float64]) -> tuple[int, int]:
    """(1 or -1, axis of LPS that a direction runs along most)."""
    axis = int(np.abs(vector).argmax())
    return (1 if vector[axis] >= 0 else -1), axis
