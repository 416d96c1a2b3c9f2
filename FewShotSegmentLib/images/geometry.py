"""The geometry module: where voxels lie in the world, in one place.

Arrays are [z, y, x] (slowest first); indices (i, j, k) are x, y, z; the world is LPS in mm. Slicer's RAS exists only at
the Slicer module's edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError

_TILTED = 15.0
"""Degrees from which slices of two grids cut the body at angles so different that an organ's outline changes."""

_TOLERANCE = 1e-2
"""Voxels: two grids agree when no corner is off by more. NIfTI keeps single precision (1e-4 voxel at 1 m)."""


@dataclass(frozen=True)
class Geometry:
    """A voxel grid.

    Attributes:
        shape: number of voxels as (z, y, x).
        ijk_to_lps: 4 × 4, from voxel indices (i, j, k, 1) to mm (L, P, S, 1).
    """

    shape: tuple[int, int, int]
    ijk_to_lps: NDArray[np.float64]

    @classmethod
    def of_image(cls, image: Any) -> Geometry:
        """Geometry of a 3D SimpleITK image."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        matrix[:3, 3] = image.GetOrigin()
        x, y, z = image.GetSize()
        return cls((z, y, x), matrix)

    def apply_to(self, image: Any) -> None:
        """Give a 3D SimpleITK image of this shape this geometry."""
        size = np.linalg.norm(self.ijk_to_lps[:3, :3], axis=0)
        image.SetSpacing([float(s) for s in size])
        image.SetOrigin([float(o) for o in self.ijk_to_lps[:3, 3]])
        image.SetDirection([float(d) for d in (self.ijk_to_lps[:3, :3] / size).ravel()])

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm in array order (z, y, x)."""
        x, y, z = np.linalg.norm(self.ijk_to_lps[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.ijk_to_lps[:3, :3]))) / 1000

    @property
    def acquisition_axis(self) -> int:
        """Array axis across which slices were most likely acquired: the clearly largest spacing's, else 0."""
        spacing = self.spacing
        thickest = int(np.argmax(spacing))
        others = [s for axis, s in enumerate(spacing) if axis != thickest]
        return thickest if spacing[thickest] > 1.1 * max(others) else 0

    def corners(self) -> NDArray[np.float64]:
        """The eight corner voxels' centres in mm LPS, [8, 3]."""
        z, y, x = (n - 1 for n in self.shape)
        ijk = np.array([(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)], float)
        return np.asarray((ijk @ self.ijk_to_lps.T)[:, :3])


@dataclass(frozen=True)
class AxisMatch:
    """Which axes of another grid run closest to one grid's own, whatever the patient's position in either.

    Attributes:
        axes: for each own array axis, the other's.
        signs: +1 where both run the same way, -1 where they run against each other.
        degrees: largest angle between an axis and its match.
        across: angle between the first axes, the ones across slices where the first axis is.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    degrees: float
    across: float

    @property
    def tilted(self) -> bool:
        """Whether slices across the first axis cut the body at clearly different angles; a turn in plane is none."""
        return self.across > _TILTED


def match_axes(own: Geometry, other: Geometry) -> AxisMatch:
    """Match two grids' axes by their directions in the world; grids may lie anywhere and be of any handedness."""
    mine, theirs = (g.ijk_to_lps[:3, 2::-1] / np.linalg.norm(g.ijk_to_lps[:3, 2::-1], axis=0) for g in (own, other))
    cosines = mine.T @ theirs  # [own array axis, other array axis]
    best = max(permutations(range(3)), key=lambda axes: sum(abs(cosines[a, b]) for a, b in enumerate(axes)))
    along = [float(cosines[a, b]) for a, b in enumerate(best)]
    first, second, third = (1 if c >= 0 else -1 for c in along)
    angles = [float(a) for a in np.degrees(np.arccos(np.minimum(1.0, np.abs(along))))]
    return AxisMatch((best[0], best[1], best[2]), (first, second, third), max(angles), angles[0])


def place_on_grid(array: NDArray[np.generic], own: Geometry, grid: Geometry, what: str) -> NDArray[np.generic]:
    """Put an array that lies on (part of) a grid's voxels onto the whole grid, without resampling.

    The array's axes may run in other directions than the grid's (flipped or swapped), as they do when one file was
    written by Slicer and the other one read from DICOM; it may be cropped, or stick out where it is empty.

    Args:
        array: [z, y, x] on `own`; 0 is empty.
        own: geometry of the array.
        grid: geometry wanted.
        what: what the array is, for the text.

    Returns:
        Array of the grid's shape; the given one (not a copy) where nothing has to be moved.

    Raises:
        GeometryError: the voxels do not coincide (the text says by how many mm), or something lies outside the grid.
    """
    index = np.linalg.inv(grid.ijk_to_lps) @ own.ijk_to_lps  # own ijk → grid ijk
    turn = np.rint(index[:3, :3])
    if not (np.abs(turn).sum(0) == 1).all() or not (np.abs(turn).sum(1) == 1).all():
        raise GeometryError(_mismatch(own, grid, what))
    exact = np.eye(4)
    exact[:3, :3], exact[:3, 3] = turn, np.rint(index[:3, 3])
    corners = np.linalg.inv(own.ijk_to_lps) @ np.vstack([own.corners().T, np.ones(8)])
    if np.abs((index - exact) @ corners)[:3].max() > _TOLERANCE:
        raise GeometryError(_mismatch(own, grid, what))
    axis_of = [int(np.flatnonzero(turn[row])[0]) for row in range(3)]  # grid's i, j, k come from own's …
    moved = array.transpose([2 - axis_of[2 - a] for a in range(3)])
    flips = tuple(slice(None, None, int(turn[2 - a, axis_of[2 - a]])) for a in range(3))
    moved = moved[flips]
    start = [int(exact[2 - a, 3]) - (moved.shape[a] - 1 if flips[a].step < 0 else 0) for a in range(3)]
    if tuple(moved.shape) == grid.shape and not any(start):
        return np.asarray(moved)
    inside = tuple(
        slice(max(0, -s), max(0, min(n, g - s))) for s, n, g in zip(start, moved.shape, grid.shape, strict=True)
    )
    if np.count_nonzero(moved) != np.count_nonzero(moved[inside]):
        raise GeometryError(
            f"{what} is drawn beyond the volume's edge (its grid reaches {_largest_offset(own, grid):.3g} mm past it); "
            "it seems to belong to another volume."
        )
    out = np.zeros(grid.shape, array.dtype)
    target = tuple(slice(s + i.start, s + max(i.start, i.stop)) for s, i in zip(start, inside, strict=True))
    out[target] = moved[inside]
    return out


def _mismatch(own: Geometry, grid: Geometry, what: str) -> str:
    """One sentence that says how two grids differ."""
    mine, theirs = (sorted(g.spacing) for g in (own, grid))
    if not np.allclose(mine, theirs, rtol=1e-3):
        sizes = [" × ".join(f"{s:.4g}" for s in reversed(g.spacing)) for g in (own, grid)]
        return (
            f"{what} has voxels of {sizes[0]} mm, the volume of {sizes[1]} mm (off by up to "
            f"{_largest_offset(own, grid):.3g} mm); annotate on the volume's own geometry, or resample to it."
        )
    return (
        f"{what} does not lie on the volume's voxels (off by up to {_largest_offset(own, grid):.3g} mm); "
        "annotate on the volume's own geometry or resample the annotation to it."
    )


def _largest_offset(own: Geometry, grid: Geometry) -> float:
    """Largest distance in mm of a corner voxel to the nearest voxel of the grid (within it or continued)."""
    corners = np.vstack([own.corners().T, np.ones(8)])
    index = np.linalg.inv(grid.ijk_to_lps) @ corners
    inside = np.clip(np.rint(index[:3]), 0, np.array(grid.shape[::-1])[:, None] - 1)
    nearest = grid.ijk_to_lps @ np.vstack([inside, np.ones(8)])
    return float(np.linalg.norm((corners - nearest)[:3], axis=0).max())
