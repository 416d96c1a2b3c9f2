"""One frame for support and query: the support's slice as if it had been cut from the query's volume.

World coordinates of two patients share directions and millimetres, but no origin. So the support's slice is turned to
the query's axes and resampled to its pixels, and the bodies' middles are laid on each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ..images.geometry import AxisMatch, Geometry, match_axes
from ..support import Support, SupportSlice

_MARGIN = 0.04
"""Share of the slice that must be left around the body for its size to be taken as known."""

_MOST_SCALE = 1.25
"""Bodies are not scaled by more than this or its inverse."""

_SMALLEST_TURN = math.radians(1)
"""Turns in plane below this are not undone: interpolating blurs more than they move."""

_PART = 0.02
"""Share of the largest part's area from which on a part is body: dark organs cut it in pieces; a table's lines
are thinner."""

_BODY_SLICES = 9
"""Slices on which a volume's body is looked for."""

_BODY_ABOVE = 0.15
"""Share of the range from darkest to brightest (1 and 99 %) above which a pixel is taken as body."""


@dataclass(frozen=True)
class Body:
    """Where a slice, or a stack of slices, shows the body.

    Attributes:
        middle: (row, column), in pixels.
        size: (rows, columns), in pixels; None where the body is cut off by the edge, so that its size is not known.
    """

    middle: tuple[float, float]
    size: tuple[float, float] | None


@dataclass(frozen=True)
class Frame:
    """The query's pixel grid as the networks see it.

    Attributes:
        geometry: of the query's volume.
        axis: array axis of the query across its slices.
        size: (h, w) of a slice.
        pixel: (row, column) size of one of its pixels in mm.
        body: where it shows the body.
    """

    geometry: Geometry
    axis: int
    size: tuple[int, int]
    pixel: tuple[float, float]
    body: Body


@dataclass(frozen=True)
class FramedSlice:
    """A support's slice in the query's frame.

    Attributes:
        image: [h, w], standardised as its own volume.
        mask: [h, w], 0 to 1 (covered share).
        place: where its slice lies in its volume, 0 (first) to 1 (last), in the query's order of slices; None where the
            volume has one slice.
        offset: mm along the query's slices from the support's first annotated slice.
        support: number of the support it belongs to.
        index: of the slice in the support's volume.
    """

    image: Tensor
    mask: Tensor
    place: float | None
    offset: float
    support: int
    index: int


def query_axis(support: Support, query: Geometry) -> AxisMatch:
    """How the support's axes (across, row, column) lie in the query."""
    return match_axes(support.slices[0].geometry, query)


def find_body(slices: Tensor) -> Body:
    """The box that holds the body on slices [n, h, w], the median of a few of them; the grid's middle if there is none.

    The body is what is not background and no small part of it, so that a table does not count: it moved the middle of
    an abdomen by 16 mm.
    """
    sample = slices.flatten()[:: max(1, slices.numel() // 200_000)]
    low, high = (float(q) for q in torch.quantile(sample, torch.tensor([0.01, 0.99])))
    height, width = slices.shape[1:]
    boxes = []
    for index in np.unique(np.linspace(0, len(slices) - 1, min(len(slices), _BODY_SLICES)).round().astype(int)):
        body = _large_parts((slices[index] > low + _BODY_ABOVE * (high - low)).numpy())
        if body.any():
            # between the tails, so that an arm or a cable does not move it
            boxes.append([*_tails(body.sum(1)), *_tails(body.sum(0))])
    if not boxes:
        return Body(((height - 1) / 2, (width - 1) / 2), None)
    top, bottom, left, right = (float(edge) for edge in np.median(boxes, 0))
    margin = min(top / height, (height - 1 - bottom) / height, left / width, (width - 1 - right) / width)
    size = (bottom - top + 1, right - left + 1) if margin >= _MARGIN else None
    return Body(((top + bottom) / 2, (left + right) / 2), size)


def _large_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The large connected parts of a slice's mask."""
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return np.asarray((areas >= _PART * areas.max())[labels] & mask)


def _tails(counts: NDArray[np.integer[Any]]) -> tuple[int, int]:
    """Rows (or columns) between which all but 2 % of the pixels on either side lie."""
    share = counts.cumsum() / counts.sum()
    return int(np.searchsorted(share, 0.02)), int(np.searchsorted(share, 0.98))


def bring_to_frame(
    support: Support, number: int, slices: list[SupportSlice], frame: Frame, body_scale: float
) -> list[FramedSlice]:
    """The support's slices on the query's pixels, in the query's order.

    Args:
        support: whose slices they are.
        number: of the support.
        slices: those wanted.
        frame: the query's.
        body_scale: how much of the difference in size between both bodies organs share, 0 to 1.
    """
    match = query_axis(support, frame.geometry)
    framed = [_bring(support, number, part, match, frame, body_scale) for part in slices]
    framed.sort(key=lambda item: item.offset)
    return framed


def _bring(
    support: Support, number: int, part: SupportSlice, match: AxisMatch, frame: Frame, body_scale: float
) -> FramedSlice:
    # both are [row, column] of the support; after this, of the query
    image, mask = support.intensity.apply(part.image), part.mask.astype(np.float32)
    spacing = part.geometry.spacing[1:]
    flips = tuple(axis for axis in (0, 1) if match.signs[axis + 1] < 0)
    image, mask = np.flip(image, flips), np.flip(mask, flips)
    if match.axes[1] > match.axes[2]:
        image, mask, spacing = image.T, mask.T, spacing[::-1]
    stack = torch.from_numpy(np.stack([image, mask]).copy())
    body = find_body(stack[:1])
    scale = [s / p for s, p in zip(spacing, frame.pixel, strict=True)]
    if body.size and frame.body.size:
        here, there = (math.sqrt(a * b) for a, b in (body.size, frame.body.size))
        larger = there / (here * math.sqrt(scale[0] * scale[1]))
        scale = [s * min(_MOST_SCALE, max(1 / _MOST_SCALE, larger)) ** body_scale for s in scale]
    resampled = _resample(stack, (scale[0], scale[1]))
    # bodies' middles on each other, to a whole pixel
    shift = [
        round(there - (here + 0.5) * s + 0.5)
        for there, here, s in zip(frame.body.middle, body.middle, scale, strict=True)
    ]
    image_there, mask_there = _place(
        resampled, shift, float(stack[0].min()), frame, _turn(part.geometry, match, frame.geometry)
    )
    rises = match.signs[0] > 0
    place = part.index / (part.count - 1) if part.count > 1 else None
    step = part.geometry.spacing[0] * (1 if rises else -1)
    return FramedSlice(
        image_there,
        mask_there.clamp(0, 1),
        place if rises or place is None else 1 - place,
        (part.index - support.slices[0].index) * step,
        number,
        part.index,
    )


def _turn(own: Geometry, match: AxisMatch, query: Geometry) -> float:
    """Angle in radians by which the support's slice, flipped and transposed, still is turned in the query's plane."""
    mine, theirs = (g.ijk_to_lps[:3, 2::-1] / np.linalg.norm(g.ijk_to_lps[:3, 2::-1], axis=0) for g in (own, query))
    in_order = sorted((1, 2), key=match.axes.__getitem__)
    row, column = ((mine[:, a] * match.signs[a], theirs[:, match.axes[a]]) for a in in_order)
    across = float(row[0] @ column[1] - column[0] @ row[1])
    return math.atan2(across, float(row[0] @ row[1] + column[0] @ column[1]))


def _place(stack: Tensor, shift: list[int], empty: float, frame: Frame, turn: float) -> tuple[Tensor, Tensor]:
    """Image and mask [2, row, column] on the query's grid, turned about the body's middle."""
    if abs(turn) < _SMALLEST_TURN:
        return _paste(stack[0], shift, frame.size, empty), _paste(stack[1], shift, frame.size, 0.0)
    # on a larger grid first, so that corners that turn into view are there
    margin = max(frame.size) // 2
    wide = (frame.size[0] + 2 * margin, frame.size[1] + 2 * margin)
    moved = [s + margin for s in shift]
    # what comes from beyond is 0 in both
    both = torch.stack([_paste(stack[0] - empty, moved, wide, 0.0), _paste(stack[1], moved, wide, 0.0)])
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in frame.size), indexing="ij")
    down, right = rows - frame.body.middle[0], columns - frame.body.middle[1]
    from_row = frame.body.middle[0] + margin + math.cos(turn) * down + math.sin(turn) * right
    from_column = frame.body.middle[1] + margin - math.sin(turn) * down + math.cos(turn) * right
    grid = torch.stack([2 * from_column / (wide[1] - 1) - 1, 2 * from_row / (wide[0] - 1) - 1], -1)
    turned = F.grid_sample(both[None], grid[None], mode="bilinear", align_corners=True)[0]
    return turned[0] + empty, turned[1]


def _resample(stack: Tensor, scale: tuple[float, float]) -> Tensor:
    """[2, row, column] with its pixels `scale` times as many; averaged where there are fewer."""
    size = [max(1, round(n * s)) for n, s in zip(stack.shape[-2:], scale, strict=True)]
    smaller = min(scale) < 1
    return F.interpolate(stack[None], size=size, mode="bilinear", align_corners=False, antialias=smaller)[0]


def _paste(image: Tensor, shift: list[int], size: tuple[int, int], empty: float) -> Tensor:
    """An image on a grid of another size, its first pixel at `shift`; what is beyond the grid is cut off."""
    out = torch.full(size, empty)
    here = [slice(max(0, -s), max(0, min(n, t - s))) for s, n, t in zip(shift, image.shape, size, strict=True)]
    there = [slice(max(0, s), max(0, s) + max(0, h.stop - h.start)) for s, h in zip(shift, here, strict=True)]
    if all(h.stop > h.start for h in here):
        out[there[0], there[1]] = image[here[0], here[1]]
    return out
