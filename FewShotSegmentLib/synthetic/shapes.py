"""The structures of a synthetic anatomy: blobs that end, forks that split and merge, and a body around them."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .draw import Draw
from .settings import SyntheticSettings


class Grid(NamedTuple):
    """Coordinates of voxels, broadcastable to [B, depth, size, size]: z in slices, y and x in pixels."""

    z: Tensor
    y: Tensor
    x: Tensor
    depth: int
    size: int


def make_grid(depth: int, size: int, device: torch.device) -> Grid:
    """Voxel indices as coordinates."""
    z, line = torch.arange(depth, device=device).float(), torch.arange(size, device=device).float()
    return Grid(z.view(1, -1, 1, 1), line.view(1, 1, -1, 1), line.view(1, 1, 1, -1), depth, size)


class Blob(NamedTuple):
    """Parameters of one blob in each of B volumes, each [B, 1, 1, 1]."""

    z: Tensor
    y: Tensor
    x: Tensor
    along: Tensor
    across: Tensor
    half_length: Tensor
    angle: Tensor
    drift_y: Tensor
    drift_x: Tensor
    bluntness: Tensor
    wobble: Tensor


def draw_blob(draw: Draw, count: int, grid: Grid, settings: SyntheticSettings) -> Blob:
    """A blob anywhere, its middle up to 3 slices beyond the volume."""
    one = (count, 1, 1, 1)
    along = draw.log_uniform(*settings.radius, *one) * grid.size
    drift = settings.drift * grid.size / 192
    return Blob(
        z=draw.uniform(-3, grid.depth + 2, *one),
        y=draw.uniform(0.1, 0.9, *one) * grid.size,
        x=draw.uniform(0.1, 0.9, *one) * grid.size,
        along=along,
        across=along * draw.uniform(*settings.elongation, *one).exp(),
        half_length=draw.log_uniform(settings.half_length[0], settings.half_length[1] * grid.depth, *one),
        angle=draw.uniform(0, math.pi, *one),
        drift_y=draw.normal(*one) * drift,
        drift_x=draw.normal(*one) * drift,
        bluntness=draw.uniform(*settings.bluntness, *one),
        wobble=draw.uniform(*settings.wobble, *one),
    )


def mirrored(blob: Blob, size: int) -> Blob:
    """The blob on the other side of the slice, about the middle column."""
    return blob._replace(x=size - 1 - blob.x, angle=-blob.angle, drift_x=-blob.drift_x)


def blob_level(blob: Blob, grid: Grid, waves: Tensor) -> Tensor:
    """How far out a voxel lies: below 1 inside.

    Args:
        blob: parameters.
        grid: coordinates.
        waves: smooth noise [B, 3, depth, size, size] that bends the border.

    Returns:
        [B, depth, size, size].
    """
    above = grid.z - blob.z
    dy, dx = grid.y - blob.y - blob.drift_y * above, grid.x - blob.x - blob.drift_x * above
    cos, sin = blob.angle.cos(), blob.angle.sin()
    first = (cos * dy + sin * dx) / blob.along + 2 * blob.wobble * waves[:, 0]
    second = (cos * dx - sin * dy) / blob.across + 2 * blob.wobble * waves[:, 1]
    return (
        first.square()
        + second.square()
        + (above.abs() / blob.half_length) ** blob.bluntness
        + blob.wobble * waves[:, 2]
    )


def fork_level(draw: Draw, blob: Blob, grid: Grid, waves: Tensor) -> Tensor:
    """As `blob_level`, of two lobes that are one on some slices and apart on others.

    The lobes part along the slice by up to 2.5 radii; where they part, and towards which end, is drawn.
    """
    one = blob.z.shape
    meets = draw.uniform(0, grid.depth - 1, *one)
    speed = draw.log_uniform(0.1, 1.0, *one) * torch.where(draw.chance(0.5, *one), 1.0, -1.0)
    apart = ((grid.z - meets) * speed).clamp(0, 2.5) * blob.along / 2
    heading = draw.uniform(0, 2 * math.pi, *one)
    lobes = []
    for side in (-1, 1):
        moved = blob._replace(y=blob.y + side * apart * heading.sin(), x=blob.x + side * apart * heading.cos())
        lobes.append(blob_level(moved, grid, waves))
    return torch.minimum(*lobes)


def body_level(draw: Draw, count: int, grid: Grid) -> Tensor:
    """How far out a voxel lies in the body: 1 on its outline; [B, depth, size, size]."""
    one = (count, 1, 1, 1)
    y, x = grid.y / (grid.size - 1) * 2 - 1, grid.x / (grid.size - 1) * 2 - 1
    width, height = draw.uniform(0.65, 1.15, *one), draw.uniform(0.5, 1.05, *one)
    power = draw.uniform(1.8, 3.0, *one)
    dy, dx = (y - draw.uniform(-0.1, 0.1, *one)) / height, (x - draw.uniform(-0.1, 0.1, *one)) / width
    radius = (dx.abs() ** power + dy.abs() ** power) ** (1 / power)
    waves = draw.smooth(count, 1, (grid.depth, grid.size, grid.size), grid.size / 4, max(4, grid.depth))[:, 0]
    return radius + 0.08 * waves
