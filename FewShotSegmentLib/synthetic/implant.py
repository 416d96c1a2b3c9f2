"""Structures implanted into real slices: real texture around them, and a truth that is known voxel for voxel."""

from __future__ import annotations

import torch
from torch import Tensor

from .appearance import blur
from .draw import Draw
from .settings import SyntheticSettings
from .shapes import blob_level, draw_blob, make_grid

_CONTRAST = (0.25, 2.0)
"""Least and most difference in grey value to what was there, in standard deviations of the volume."""

_KEPT = (0.0, 0.7)
"""Share of what was there that shines through: an organ's own texture."""


def implant(draw: Draw, slices: Tensor, settings: SyntheticSettings | None = None) -> tuple[Tensor, Tensor]:
    """Put a blob into consecutive slices; it is there on the first one and ends on any, or goes on.

    Supervoxels end where a threshold says so; a blob ends where it is drawn, which is what the end of an organ must
    look like to a network that has to see it.

    Args:
        draw: random numbers.
        slices: [T, H, W], zero mean and unit deviation.
        settings: ranges of the blob's shape.

    Returns:
        The slices with the blob, and its mask [T, H, W], 0 or 1; the first slice's is not empty.
    """
    settings = settings or SyntheticSettings()
    depth, height, width = slices.shape
    size = max(height, width)
    grid = make_grid(depth, size, slices.device)
    inside = torch.zeros(1, depth, size, size, dtype=torch.bool, device=slices.device)
    while not bool(inside[0, 0, :height, :width].sum() >= 9):
        blob = draw_blob(draw, 1, grid, settings)
        y, x = _place(draw, slices[0])
        half_length = draw.log_uniform(1.0, 2.0 * depth, 1, 1, 1, 1)
        middle = half_length * draw.uniform(-0.9, 0.9, 1, 1, 1, 1)
        blob = blob._replace(
            z=middle, half_length=half_length, y=y + blob.drift_y * middle, x=x + blob.drift_x * middle
        )
        waves = draw.smooth(1, 3, (depth, size, size), 0.1 * size, 6.0)
        inside = blob_level(blob, grid, waves) < 1
    mask = inside[0, :, :height, :width].float()
    soft = blur(mask[None], draw.number(0.4, 1.2))[0] * (1 - draw.number(*_KEPT))
    sign = 1.0 if draw.number(0, 1) < 0.5 else -1.0
    first = mask[0] > 0
    grey = slices[0][first].mean() + sign * draw.number(*_CONTRAST)
    texture = draw.smooth(1, 1, (depth, size, size), draw.one_of((1.0, 2.0, 4.0)), 1.5)[0, 0, :, :height, :width]
    organ = grey + draw.number(0.0, 0.4) * texture
    return slices + soft * (organ - slices), mask


def _place(draw: Draw, image: Tensor) -> tuple[float, float]:
    """Row and column of a pixel that is brighter than the mean: mostly one of the body, while air lies around it."""
    bright = (image >= image.mean()).nonzero()
    row, column = bright[int(draw.number(0, len(bright) - 1e-6))].tolist()
    return float(row), float(column)
