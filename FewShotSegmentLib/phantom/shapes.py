"""The drawing tools of the phantom: smooth noise, ellipsoids and tubes on a grid of millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Bool = NDArray[np.bool_]
Point = tuple[float, float, float]

WIDTH_MM = 352.0
HEIGHT_MM = 300.0


@dataclass(frozen=True)
class Grid:
    """Where the voxels lie in the patient that is drawn.

    Attributes:
        x: Millimetres to the Left of the middle, −176 … 176, broadcastable to [z, y, x].
        y: Millimetres Posterior of the middle, −176 … 176, broadcastable to [z, y, x].
        z: Millimetres above the lower end, 0 … 300, broadcastable to [z, y, x].
    """

    x: Field
    y: Field
    z: Field

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        depth, height, width = np.broadcast_shapes(self.x.shape, self.y.shape, self.z.shape)
        return depth, height, width


def make_grid(shape: tuple[int, int, int]) -> Grid:
    """Centres of the voxels of an image of ``shape`` [z, y, x] which holds the whole patient."""
    z, y, x = ((np.arange(n) + 0.5) / n for n in shape)
    return Grid(
        x=((x - 0.5) * WIDTH_MM).astype(np.float32)[None, None, :],
        y=((y - 0.5) * WIDTH_MM).astype(np.float32)[None, :, None],
        z=(z * HEIGHT_MM).astype(np.float32)[:, None, None],
    )


def smooth_noise(shape: tuple[int, int, int], length_mm: float, rng: np.random.Generator) -> Field:
    """Noise without edges, of mean 0 and variance 1, the same at every resolution.

    Random weights on a coarse lattice are spread by Gaussian bumps. The bumps are separable, so three small matrix
    products replace an interpolation in space; the lattice depends on millimetres only, so that a phantom with fewer
    voxels shows the same patient.

    Args:
        shape: Voxels along z, y, x.
        length_mm: Distance over which the noise changes.
        rng: Source of the random numbers.

    Returns:
        float32 [z, y, x].
    """
    bases = []
    for voxels, extent in zip(shape, (HEIGHT_MM, WIDTH_MM, WIDTH_MM), strict=True):
        nodes = np.arange(-2.0, np.ceil(extent / length_mm) + 3.0) * length_mm
        centres = (np.arange(voxels) + 0.5) / voxels * extent
        bumps = np.exp(-0.5 * ((centres[:, None] - nodes[None, :]) / (0.75 * length_mm)) ** 2)
        # Unit energy for each voxel gives unit variance everywhere, the borders included.
        bases.append((bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32))
    weights = rng.standard_normal(tuple(b.shape[1] for b in bases)).astype(np.float32)
    # The last product is by far the largest: as one contiguous matrix it is ten times faster than slice by slice.
    rows = np.ascontiguousarray(np.einsum("zi,ijk,yj->zyk", bases[0], weights, bases[1], optimize=True))
    field: Field = (rows.reshape(-1, rows.shape[-1]) @ bases[2].T).reshape(shape)
    return field


def ellipsoid(grid: Grid, centre: Point, radii: Point, turn_deg: float = 0.0, lean: Point = (0.0, 0.0, 0.0)) -> Field:
    """How far out a voxel lies in an ellipsoid: 0 in its centre, 1 on its surface, more outside.

    Args:
        grid: Positions in millimetres.
        centre: (x, y, z) in millimetres.
        radii: Semi-axes along (x, y, z) in millimetres.
        turn_deg: Turn about z, from x towards y.
        lean: Shift in x and y per millimetre of z, which leans the long axis (the third value is unused).

    Returns:
        float32 [z, y, x], not negative.
    """
    dz = grid.z - np.float32(centre[2])
    dx = grid.x - np.float32(centre[0]) - np.float32(lean[0]) * dz
    dy = grid.y - np.float32(centre[1]) - np.float32(lean[1]) * dz
    angle = np.deg2rad(turn_deg)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    squared = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 + (dz / radii[2]) ** 2
    out: Field = np.sqrt(squared)
    return out


def tube(grid: Grid, points: Sequence[Point], radii: Sequence[float]) -> Field:
    """Signed distance in millimetres to a tube along a polyline: negative inside.

    Args:
        grid: Positions in millimetres.
        points: Corners (x, y, z) of the polyline in millimetres, at least two.
        radii: Radius in millimetres at each corner; between corners it changes evenly.

    Returns:
        float32 [z, y, x] in millimetres.
    """
    nearest = np.full(grid.shape, np.inf, dtype=np.float32)
    for (start, end), (r0, r1) in zip(pairwise(points), pairwise(radii), strict=True):
        step = np.subtract(end, start).astype(np.float32)
        dx, dy, dz = (axis - np.float32(s) for axis, s in zip((grid.x, grid.y, grid.z), start, strict=True))
        t = np.clip((dx * step[0] + dy * step[1] + dz * step[2]) / np.float32(step @ step), 0, 1)
        distance = np.sqrt((dx - t * step[0]) ** 2 + (dy - t * step[1]) ** 2 + (dz - t * step[2]) ** 2)
        np.minimum(nearest, distance - (r0 + t * np.float32(r1 - r0)), out=nearest)
    return nearest
