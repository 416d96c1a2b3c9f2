"""Reading an image and its reference labels: one voxel grid, whole numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...errors import GeometryError, InputError
from ...images import Geometry
from ...images.geometry import place_on_grid
from ...images.volume import as_3d, is_folder, read_image
from ..case import Scan


def read_pair(image: Path, labels: Path, modality: str, channel: int | None = None) -> Scan:
    """Read a scan from an image file and a labelmap.

    Axis 0 is the file's slowest one (k of NIfTI). A file whose slices were acquired across another axis
    (`Geometry.acquisition_axis`) stays as it is, as in the published evaluations.

    Args:
        image: file of one volume, or of several channels.
        labels: file of whole numbers on the image's voxels; it may be flipped, swapped or cropped against it.
        modality: "ct" or "mr".
        channel: which one to take of an image of four dimensions, counted from 0; None for an image of three.

    Raises:
        InputError: a file is missing, damaged, of another kind, or the labels do not lie on the image's voxels.
    """
    volume = _volume(image, channel)
    geometry = Geometry.of_image(volume)
    array = sitk.GetArrayFromImage(volume)
    return Scan(array, read_labels(labels, geometry, image), geometry, modality)


def read_labels(path: Path, geometry: Geometry, image: Path) -> NDArray[np.integer[Any]]:
    """Reference labels on an image's voxels, integers [z, y, x].

    Unlike an annotation, a reference may be empty or full.

    Args:
        path: of the labelmap.
        geometry: of the image.
        image: whose it is, for the text.

    Raises:
        InputError: missing, damaged, no whole numbers, or not on those voxels.
    """
    content = as_3d(_file(path, "labels"), path)
    values = sitk.GetArrayFromImage(content)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or not np.array_equal(values, np.rint(values)):
            raise InputError(f"{path.name} has values that are no whole numbers, so it holds no labels.")
        values = values.astype(np.int64)
    if values.min() < 0:
        raise InputError(f"{path.name} has values below 0, so it holds no labels.")
    try:
        placed = place_on_grid(values, Geometry.of_image(content), geometry, f"{path.name} (labels of {image.name})")
    except GeometryError as error:
        raise InputError(str(error)) from error
    return compact(placed)


def compact(labels: NDArray[np.generic]) -> NDArray[np.integer[Any]]:
    """The same labels in the smallest type: they are sent to other processes."""
    return np.ascontiguousarray(labels, dtype=np.min_scalar_type(int(labels.max(initial=0))))


def _volume(path: Path, channel: int | None) -> Any:
    image = _file(path, "image")
    if channel is None:
        return as_3d(image, path)
    if image.GetDimension() != 4 or image.GetSize()[3] <= channel:
        raise InputError(
            f"{path.name} has no channel {channel}; it should have 4 dimensions, as its dataset.json says."
        )
    return as_3d(image[:, :, :, channel], path)


def _file(path: Path, what: str) -> Any:
    if is_folder(path):
        raise InputError(f"{path} is a folder where a file with {what} should be; get the data set again.")
    return read_image(path, what)
