"""Reading one DICOM series from a folder, after checking that its slices make a regular volume."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ..errors import InputError

_SLICE = re.compile(rb"1\.2\.840\.10008\.5\.1\.4\.1\.1\.[24]\0")
"""SOP class of CT and MR images."""

_POSITION, _ORIENTATION, _MODALITY, _DESCRIPTION = "0020|0032", "0020|0037", "0008|0060", "0008|103e"


def read_series(folder: Path, series: str | None = None) -> tuple[Any, str | None]:
    """Image and modality ("ct", "mr" or None) of a folder of DICOM files.

    Args:
        folder: not searched recursively.
        series: UID of the series to take; needed only where there are several.

    Raises:
        InputError: no series, several and none chosen, or slices that are not evenly spaced.
    """
    try:
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and is_dicom(path)]
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be opened: {error.strerror}.") from error
    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not uids:
        raise InputError(f"There are no DICOM images in the folder {folder} (its subfolders are not searched).")
    names_of = sitk.ImageSeriesReader.GetGDCMSeriesFileNames
    listed = {Path(name).name for uid in uids for name in names_of(str(folder), uid)}
    for path in files:
        if path.name not in listed and _is_slice(path):
            # the series reader leaves it out without a word, and the volume would end a slice early
            raise InputError(f"The DICOM file {path.name} is damaged or not complete; get it again.")
    if series is not None and series not in uids:
        raise InputError(f"There is no series {series} in {folder}; there are: {', '.join(uids)}.")
    if series is None and len(uids) > 1:
        described = "; ".join(_describe(folder, uid) for uid in uids)
        raise InputError(
            f"The folder {folder} holds {len(uids)} DICOM series; choose one with --series UID: {described}."
        )
    names = names_of(str(folder), series or uids[0])
    tags = [_read_tags(name) for name in names]
    if len(names) > 1:
        _check_positions(tags)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"The DICOM files in {folder} cannot be read as one volume; a file may be damaged.") from error
    return image, {"CT": "ct", "MR": "mr"}.get(tags[0].get(_MODALITY, ""))


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do; raises OSError if it cannot be opened."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _is_slice(path: Path) -> bool:
    """Whether a DICOM file says of itself that it is a CT or MR image (and no report, index or segmentation)."""
    with path.open("rb") as file:
        return _SLICE.search(file.read(4096)) is not None


def _read_tags(name: str) -> dict[str, str]:
    """The few tags that matter, without the pixels."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(name)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"The DICOM file {Path(name).name} cannot be read; it may be damaged.") from error
    keys = (_POSITION, _ORIENTATION, _MODALITY, _DESCRIPTION)
    return {key: reader.GetMetaData(key).strip() for key in keys if reader.HasMetaDataKey(key)}


def _describe(folder: Path, uid: str) -> str:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    return f"{uid} ({_read_tags(names[0]).get(_DESCRIPTION) or 'no description'}, {len(names)} images)"


def _check_positions(tags: list[dict[str, str]]) -> None:
    """Raise InputError unless the slices lie at even steps along their normal.

    The series reader only looks at the first two: with a slice missing, all behind it would lie in the wrong place.
    """
    try:
        positions = np.array([[float(v) for v in t[_POSITION].split("\\")] for t in tags])
        row, column = np.array([float(v) for v in tags[0][_ORIENTATION].split("\\")]).reshape(2, 3)
    except (KeyError, ValueError):
        return  # a multi-frame or secondary-capture file without positions: the image's own geometry stands
    steps = np.diff(positions, axis=0)
    along = steps @ np.cross(row, column)
    usual = float(np.median(np.abs(along)))
    if usual < 1e-3 or np.abs(along).min() < 0.01 * usual:
        raise InputError(
            "Several DICOM images lie at the same place (time points or echoes in one series); export one volume."
        )
    uneven = np.flatnonzero(np.abs(np.abs(along) - usual) > max(0.1, 0.02 * usual))
    if uneven.size:
        first = int(uneven[0])
        raise InputError(
            f"The DICOM slices are not evenly spaced: {abs(along[first]):.3g} mm after image {first + 1}, "
            f"usually {usual:.3g} mm; a slice may be missing."
        )
    sideways = np.linalg.norm(steps - np.outer(along, np.cross(row, column)), axis=1).max()
    if sideways > max(0.1, 0.05 * usual):
        raise InputError(
            f"The DICOM slices are shifted against each other by {sideways:.3g} mm a slice (a tilted gantry); "
            "resample the volume to a regular grid first."
        )
