"""CHAOS: abdominal T2-SPIR MR of 20 patients with liver, kidneys and spleen (chaos.grand-challenge.org).

References are one PNG per slice, called like the DICOM file they belong to (IMG-0002-00001.dcm and .png), rows in the
same order: read with GDCM, nothing has to be flipped. The published preparation flips axis 1 of the PNGs only because
its images came through dcm2nii, which stores rows upside down.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...errors import InputError
from ..case import Case, Scan
from .adapter import Adapter, natural
from .reading import compact
from .slices import along_normal, read_header, stack

ORGANS = {"liver": 1, "right kidney": 2, "left kidney": 3, "spleen": 4}
"""In the order of the grey values, as in the published preparation."""

GREY = {1: (55, 70), 2: (110, 135), 3: (175, 200), 4: (240, 255)}
"""Grey values of each organ in the PNGs, from and to; nominally 63, 126, 189 and 252 (the challenge's data page)."""

_PLACES = ("", "MR", "Train_Sets/MR", "CHAOS_Train_Sets/Train_Sets/MR")


def read(folder: Path) -> Scan:
    """Read one patient's T2SPIR folder.

    Raises:
        InputError: DICOM files and PNGs do not go together, a file is damaged, or a PNG has unknown grey values.
    """
    dicom, ground = _files(folder)
    if {path.stem for path in dicom} == {path.stem for path in ground}:
        reference = {path.stem: path for path in ground}
    elif len(dicom) == len(ground):
        # renamed copies: both are numbered in the order of the slices
        reference = {image.stem: label for image, label in zip(dicom, ground, strict=True)}
    else:
        raise InputError(
            f"{folder} holds {len(dicom)} DICOM files but {len(ground)} PNGs, and CHAOS has one PNG for each; "
            "get the data set again."
        )
    slices = along_normal([read_header(path) for path in dicom])
    image, geometry = stack(slices)
    labels = [_labels(reference[item.path.stem]) for item in slices]
    if any(one.shape != image.shape[1:] for one in labels):
        raise InputError(f"The PNGs in {folder / 'Ground'} are not of the size of the DICOM slices; get them again.")
    return Scan(image, compact(np.stack(labels)), geometry, "mr")


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """DICOM files and PNGs of a T2SPIR folder, in natural order."""
    dicom, ground = (
        sorted(
            (path for path in (folder / name).glob("*") if path.suffix.lower() == ending and path.name[0] != "."),
            key=lambda path: natural(path.name),
        )
        for name, ending in (("DICOM_anon", ".dcm"), ("Ground", ".png"))
    )
    return dicom, ground


def _labels(path: Path) -> NDArray[np.integer[Any]]:
    """Labels [y, x] of a PNG."""
    try:
        grey = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read; it may be damaged.") from error
    if grey.ndim != 2:
        raise InputError(f"{path} is no picture of grey values; get the data set again.")
    labels = np.zeros(grey.shape, np.uint8)
    for value, (lowest, highest) in GREY.items():
        labels[(grey >= lowest) & (grey <= highest)] = value
    unknown = np.unique(grey[(grey != 0) & (labels == 0)])
    if len(unknown):
        raise InputError(f"{path} has the grey value {unknown[0]}, which stands for no organ of CHAOS.")
    return labels


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """All patients with T2-SPIR images, by number."""
    for place in _PLACES:
        patients = [path.parent for path in (folder / place).glob("*/T2SPIR") if path.is_dir()]
        if patients:
            break
    else:
        raise ADAPTER.refuse(f"There is no NUMBER/T2SPIR in {folder}")
    found = []
    for patient in sorted(patients, key=lambda path: natural(path.name)):
        dicom, ground = _files(patient / "T2SPIR")
        for what, files in (("DICOM_anon/*.dcm", dicom), ("Ground/*.png", ground)):
            if not files:
                raise ADAPTER.refuse(f"There is no {what} in {patient / 'T2SPIR'}")
        found.append(
            Case("chaos", f"chaos_{patient.name}", patient.name, "mr", ORGANS, partial(read, patient / "T2SPIR"))
        )
    return found


ADAPTER = Adapter(
    "chaos",
    "CHAOS (T2-SPIR MR)",
    "Train_Sets/MR/NUMBER/T2SPIR with DICOM_anon/*.dcm and Ground/*.png of the same names",
    "FOLDER may be the unpacked archive, Train_Sets or MR. The CT and T1-DUAL parts are not used.",
    cases,
)
