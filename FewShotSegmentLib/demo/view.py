"""How slices are turned and cropped for a picture: radiological convention, true proportions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What points right and down on the screen, in LPS, for slices across L, P and S: the patient's right on the left of
# axial and coronal pictures, the front on the left of sagittal ones, the head up.
_SCREEN = {0: ((1, 1), (2, -1)), 1: ((0, 1), (2, -1)), 2: ((0, 1), (1, 1))}
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))


@dataclass(frozen=True)
class Plane:
    """How slices across one array axis are laid on the screen.

    Attributes:
        axis: Array axis across which the slices lie.
        swap: Rows and columns change places.
        flip_rows: Then the rows run backwards.
        flip_columns: Then the columns run backwards.
        pixel: Height and width of a pixel on the screen in mm.
        left: Letter of the patient's side on the left of the screen.
        top: Letter of the patient's side at the top of the screen.
    """

    axis: int
    swap: bool
    flip_rows: bool
    flip_columns: bool
    pixel: tuple[float, float]
    left: str
    top: str

    def slice(self, volume: NDArray[Any], index: int) -> NDArray[Any]:
        """Slice ``index`` of ``volume`` [z, y, x] as rows and columns of the screen."""
        picture: NDArray[Any] = np.take(volume, index, axis=self.axis)
        if self.swap:
            picture = picture.T
        return picture[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def plane(axis: int, axes_lps: NDArray[np.float64], spacing: tuple[float, float, float]) -> Plane:
    """Lay slices across ``axis`` on the screen.

    Args:
        axis: Array axis (0, 1 or 2) across which the slices lie.
        axes_lps: Rows are the directions of the array axes z, y, x in LPS, each of length 1.
        spacing: Voxel size along the array axes in mm.

    Returns:
        The turn that shows the slices as radiologists see them.
    """
    first, second = (a for a in range(3) if a != axis)
    normal = int(np.abs(axes_lps[axis]).argmax())
    (right, right_sign), (down, down_sign) = _SCREEN[normal]
    # Which of the two remaining axes runs across the screen: oblique volumes have no exact answer, so the nearer.
    straight = abs(axes_lps[second][right]) + abs(axes_lps[first][down])
    crossed = abs(axes_lps[first][right]) + abs(axes_lps[second][down])
    swap = bool(crossed > straight)
    rows, columns = (second, first) if swap else (first, second)
    return Plane(
        axis=axis,
        swap=swap,
        flip_rows=bool(axes_lps[rows][down] * down_sign < 0),
        flip_columns=bool(axes_lps[columns][right] * right_sign < 0),
        pixel=(spacing[rows], spacing[columns]),
        left=_LETTERS[right][0 if right_sign > 0 else 1],
        top=_LETTERS[down][0 if down_sign > 0 else 1],
    )


def crop(
    shown: NDArray[np.bool_], pixel: tuple[float, float], margin_mm: float = 18.0, least_mm: float = 70.0
) -> tuple[float, float, float, float]:
    """A square around everything that is to be seen.

    Args:
        shown: bool [rows, columns] on the screen.
        pixel: Height and width of a pixel in mm.
        margin_mm: Room on each side.
        least_mm: Smallest side of the square.

    Returns:
        Left, right, bottom, top in mm from the picture's upper left corner; it may reach over the picture's edge.
    """
    if not shown.any():
        shown = np.ones_like(shown)
    spans = []
    for others, size in ((0, pixel[1]), (1, pixel[0])):
        where = np.flatnonzero(shown.any(axis=others))
        spans.append((where[0] * size - margin_mm, (where[-1] + 1) * size + margin_mm))
    side = max(least_mm, *(high - low for low, high in spans))
    (x, y) = ((low + high) / 2 for low, high in spans)
    return x - side / 2, x + side / 2, y + side / 2, y - side / 2


def grey_window(volume: NDArray[Any], modality: str) -> tuple[float, float]:
    """Darkest and brightest grey value: a soft tissue window for CT, else nearly the whole range of the volume."""
    if modality == "ct":
        return -160.0, 240.0
    low, high = np.percentile(volume, (1.0, 99.7))
    return float(low), float(max(high, low + 1))


def columns(ends: tuple[int, int], own: tuple[int, int], annotated: int) -> list[int]:
    """Slices to show: both ends, the annotated slice, and halfway to it within the organ.

    Args:
        ends: First and last slice that hold anything, be it reference, result or annotation.
        own: First and last slice of the organ as far as is known, within ``ends``: a result that runs on for long
            would otherwise leave no picture of the organ itself.
        annotated: The annotated slice, within ``own``.

    Returns:
        At most five slice indices in order, fewer where the organ has fewer slices.
    """
    halfway = ((own[0] + annotated) // 2, (annotated + own[1] + 1) // 2)
    return sorted({ends[0], halfway[0], annotated, halfway[1], ends[1]})
