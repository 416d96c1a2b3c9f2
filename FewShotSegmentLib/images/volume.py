"""Reading volumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ..errors import InputError
from .dicom import is_dicom, read_series
from .geometry import Geometry
from .nifti import is_whole

READABLE = "NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha, .mhd) or a folder of DICOM files"


@dataclass(frozen=True)
class Volume:
    """An image volume.

    Attributes:
        array: [z, y, x] with the file's own type.
        geometry: where its voxels lie.
        modality: "ct" or "mr" where the file says so (DICOM), else None.
        path: where it came from.
    """

    array: NDArray[np.generic]
    geometry: Geometry
    modality: str | None
    path: Path


def read_volume(path: str | Path, series: str | None = None) -> Volume:
    """Read an image volume.

    Args:
        path: file, or folder of DICOM files.
        series: DICOM series UID, needed only where the folder holds several series.

    Raises:
        InputError: missing, unreadable, not an image, or not one volume of three dimensions.
    """
    path = Path(path)
    modality = None
    if is_folder(path):
        image, modality = read_series(path, series)
    else:
        image = read_image(path, "volume")
    image = as_3d(image, path)
    # a copy, since SimpleITK's views do not keep their image alive: one that outlives it reads freed memory
    return Volume(sitk.GetArrayFromImage(image), Geometry.of_image(image), modality, path)


def read_image(path: Path, what: str) -> Any:
    """A file as a SimpleITK image; raises InputError with one sentence."""
    try:
        if not is_whole(path):
            raise InputError(
                f"{path.name} is damaged or not complete (cut short while copying?); get the {what} again."
            )
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(
                f"The {what} {path.name} has skewed axes, which are not supported; resample it to a regular grid first."
            ) from error
        if "emory" in str(error):
            raise InputError(f"There is not enough memory to read the {what} {path.name}.") from error
        raise InputError(
            f"{path.name} cannot be read as an image; the {what} must be {READABLE}, and the file must be whole."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.") from error
    if image.GetDimension() == 3 and image.GetSize()[2] == 1 and is_dicom(path):
        raise InputError(f"{path.name} is one slice of a DICOM series; give the folder that it lies in.")
    return image


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; raises InputError if it is nothing at all or cannot be looked at."""
    try:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
        return path.is_dir()
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.") from error


def as_3d(image: Any, path: Path) -> Any:
    """The image if it is one volume (a fourth dimension of one time point is dropped); raises InputError if not."""
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        hint = {2: "a single slice", 4: f"a series of {image.GetSize()[-1]} volumes"}.get(
            image.GetDimension(), "no volume"
        )
        raise InputError(
            f"{path.name} has {image.GetDimension()} dimensions ({hint}); give one volume of 3 dimensions."
        )
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{path.name} has {image.GetNumberOfComponentsPerPixel()} values per voxel (a colour or vector image); "
            "give a volume with one value per voxel."
        )
    return image
