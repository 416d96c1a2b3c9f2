"""Pictures of discs whose motion is known: what registration and the refiner's tests share."""

from __future__ import annotations

import torch
from torch import Tensor


def places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Column and row of every pixel, [h, w] each."""
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return columns, rows


def disc(
    height: int, width: int, column: float, row: float, radius: float, soft: float = 0.2, flat: float = 1.0
) -> Tensor:
    """An ellipse [1, 1, h, w], 0 to 1, its border `soft` pixels wide, `flat` times as tall as wide."""
    x, y = places(height, width)
    away = ((x - column) ** 2 + ((y - row) / flat) ** 2).sqrt()
    return torch.sigmoid((radius - away) / soft)[None, None]


def picture(height: int, width: int, column: float, row: float, radius: float) -> Tensor:
    """A bright disc on dark ground, [1, 1, h, w], with the contrast that registration expects."""
    return 4 * disc(height, width, column, row, radius, soft=1.5) - 1.5


def textured(height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth blobs everywhere, [1, 1, h, w], mean 0 and deviation 1."""
    noise = torch.randn(1, 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    for _ in range(2):
        noise = torch.nn.functional.avg_pool2d(noise, 5, 1)
    return (noise - noise.mean()) / noise.std()


def wave(height: int, width: int, pixels: float, phase: float = 0.0) -> Tensor:
    """A smooth displacement [1, 2, h, w] of up to `pixels`, one period over the image, columns first."""
    x, y = places(height, width)
    angle = 2 * torch.pi
    return pixels * torch.stack([torch.sin(angle * y / height + phase), torch.cos(angle * x / width + phase)])[None]


def dice(one: Tensor, other: Tensor) -> float:
    """Dice of two masks that are 0 to 1."""
    one, other = one > 0.5, other > 0.5
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
