"""DICOM slices that are chosen one by one: volumes whose reference is kept per slice.

`images.dicom` reads whole series. Here the files' names matter, since references name the file they belong to, and a
volume may be one phase of a series with many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...errors import InputError
from ...images import Geometry

_POSITION, _ORIENTATION, _DESCRIPTION, _SPACING = "0020|0032", "0020|0037", "0008|103e", "0028|0030"


@dataclass(frozen=True)
class Slice:
    """One DICOM file, without its pixels.

    Attributes:
        path: the file.
        position: of the first pixel's centre, mm LPS, [3].
        row: direction in which a row runs, unit length, [3].
        column: direction in which a column runs, unit length, [3].
        spacing: mm between rows, and between columns.
        description: of the series; "" where there is none.
    """

    path: Path
    position: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing: tuple[float, float]
    description: str

    @property
    def normal(self) -> NDArray[np.float64]:
        """Right-handed normal of the slice, [3]."""
        return np.cross(self.row, self.column)


def read_header(path: Path) -> Slice:
    """Where a DICOM slice lies.

    Raises:
        InputError: the file cannot be read, or does not say where it lies.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"The DICOM file {path} cannot be read; it may be damaged.") from error
    try:
        position, orientation, spacing = (
            np.array([float(value) for value in reader.GetMetaData(tag).split("\\")])
            for tag in (_POSITION, _ORIENTATION, _SPACING)
        )
        row, column = orientation.reshape(2, 3)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The DICOM file {path} does not say where its slice lies, or how large its pixels are."
        ) from error
    named = reader.HasMetaDataKey(_DESCRIPTION)
    return Slice(
        path,
        position,
        row,
        column,
        (float(spacing[0]), float(spacing[1])),
        reader.GetMetaData(_DESCRIPTION).strip() if named else "",
    )


def along_normal(slices: Sequence[Slice]) -> list[Slice]:
    """Slices in the order in which they lie along the first one's normal: what makes the volume right-handed."""
    normal = slices[0].normal
    return sorted(slices, key=lambda item: (float(item.position @ normal), item.path.name))


def stack(slices: Sequence[Slice]) -> tuple[NDArray[np.generic], Geometry]:
    """The volume of some slices.

    Args:
        slices: in order along their normal.

    Returns:
        Image [z, y, x] and where its voxels lie. A single slice is as thick as its pixels are wide.

    Raises:
        InputError: slices of different sizes, turned, shifted or unevenly spaced against each other, or damaged.
    """
    first, where = slices[0], slices[0].path.parent
    for item in slices:
        turned = np.abs([item.row - first.row, item.column - first.column]).max() > 1e-3
        if turned or not np.allclose(item.spacing, first.spacing, rtol=1e-3):
            raise InputError(f"The DICOM slices in {where} differ in direction or pixel size; they make no volume.")
    arrays = [_pixels(item.path) for item in slices]
    if len({array.shape for array in arrays}) > 1:
        raise InputError(f"The DICOM slices in {where} differ in size; they make no volume.")
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1] = first.row * first.spacing[1], first.column * first.spacing[0]
    matrix[:3, 2], matrix[:3, 3] = _step(slices), first.position
    image = np.stack(arrays)
    z, y, x = image.shape
    return image, Geometry((z, y, x), matrix)


def _step(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """From a slice to the next, mm LPS [3]."""
    first, where = slices[0], slices[0].path.parent
    if len(slices) == 1:
        return np.asarray(first.normal * first.spacing[1])
    steps = np.diff([item.position for item in slices], axis=0)
    usual = float(np.median(steps @ first.normal))
    if usual < 1e-3:
        raise InputError(f"Several DICOM slices in {where} lie at the same place; they make no volume.")
    # a slice that is missing shifts all behind it
    off = float(np.abs(steps - usual * first.normal).max())
    if off > max(0.1, 0.05 * usual):
        raise InputError(
            f"The DICOM slices in {where} are not evenly spaced (off by {off:.3g} mm, usually {usual:.3g} mm apart); "
            "a slice may be missing, so get the data set again."
        )
    return np.asarray((slices[-1].position - first.position) / (len(slices) - 1))


def _pixels(path: Path) -> NDArray[Any]:
    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(f"The DICOM file {path} cannot be read; it may be damaged.") from error
    if pixels.ndim == 3 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim != 2:
        raise InputError(f"The DICOM file {path} is no single slice of grey values.")
    return np.asarray(pixels)
