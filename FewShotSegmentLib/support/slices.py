"""What a support is: one structure's annotated slices, each with its place in the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.geometry import Geometry

if TYPE_CHECKING:
    from ..preprocessing.intensity import IntensityScale


@dataclass(frozen=True)
class SupportSlice:
    """One annotated slice.

    Attributes:
        image: float32 [row, column], the volume's own values (CT: HU).
        mask: bool [row, column], not empty.
        geometry: of shape (1, rows, columns). Array axis 0 is across the slice: its column of `ijk_to_lps`, the third,
            is the direction in which the slice index rises, times the distance of two slices in mm. The axes may be
            left-handed, as those of a volume may.
        index: of the slice along its axis of the volume.
        count: slices of the volume along that axis.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    geometry: Geometry
    index: int
    count: int


@dataclass(frozen=True)
class Support:
    """One structure of one volume, with its annotated slices.

    Attributes:
        name: as the user called it.
        color: red, green, blue, 0 to 1.
        fields: header fields of its segment without their prefix (`Tags` with the terminology, …), as `Segment.fields`.
        modality: "ct" or "mr".
        intensity: of the whole volume, what `normalise` uses for slices along these slices' axis.
        slices: by rising index, all along one axis.
        volume_id: 16 hexadecimal digits made from the voxels: tells whether two supports are of the same volume, and
            nothing about whose it is.
        source: name of the volume's file or folder, only where it was asked to be kept.
        added: day on which the support was made, as YYYY-MM-DD.
    """

    name: str
    color: tuple[float, float, float]
    fields: dict[str, str]
    modality: str
    intensity: IntensityScale
    slices: tuple[SupportSlice, ...]
    volume_id: str
    source: str | None
    added: str


def slice_geometry(geometry: Geometry, axis: int, index: int) -> Geometry:
    """Geometry of one slice of a volume, with the axis across the slice first.

    Rows and columns follow in the order in which they come in the array, as in ``np.moveaxis(array, axis, 0)[index]``.

    Args:
        geometry: of the volume.
        axis: array axis across the slice.
        index: of the slice along it.
    """
    order = [axis, *(other for other in range(3) if other != axis)]
    matrix = np.eye(4)
    for new, old in enumerate(order):
        matrix[:3, 2 - new] = geometry.ijk_to_lps[:3, 2 - old]  # columns are i, j, k: the array's axes backwards
    matrix[:3, 3] = geometry.ijk_to_lps[:3, 3] + index * geometry.ijk_to_lps[:3, 2 - axis]
    return Geometry((1, geometry.shape[order[1]], geometry.shape[order[2]]), matrix)
