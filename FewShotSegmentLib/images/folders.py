"""Which files of a folder are images, and what a file is called."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from .dicom import is_dicom
from .output import LABELMAPS, SEGMENTATION

IMAGES = (*LABELMAPS, ".mhd")
"""Endings of image files."""

_ENDINGS = (SEGMENTATION, *IMAGES, ".dcm")

_NO_IMAGES = ("_labels", "_superpixels", ".seg")
"""Ends of a name, before the file's kind, of what lies beside images and is none."""


def stem_of(path: Path) -> str:
    """A file's name without its ending, `.nii.gz` and `.seg.nrrd` whole; a folder's name.

    Links are not followed: what they lead to may be called otherwise.
    """
    name = Path(os.path.abspath(path)).name
    ending = next((e for e in _ENDINGS if name.lower().endswith(e) and len(name) > len(e)), "")
    return name[: len(name) - len(ending)]


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder by name, without labels and superpixels; the folder itself where it holds DICOM files.

    Raises:
        InputError: there is no image, or the folder cannot be opened.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        kind = [path for path in files if path.name.lower().endswith(IMAGES)]
        images = [path for path in kind if not path.name.lower().endswith(SEGMENTATION) and not _is_labels(path)]
        if images:
            return images
        if not kind and any(is_dicom(path) for path in files):
            return [folder]
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be opened: {error.strerror}.") from error
    if kind:
        raise InputError(f"The folder {folder} holds labels only; name a folder with images.")
    raise InputError(
        f"There is no image in the folder {folder}: it must hold files of the kinds {', '.join(IMAGES)} that are not "
        "called *_labels, or one DICOM series (subfolders are not searched)."
    )


def find_images(given: Iterable[str | Path]) -> list[Path]:
    """All images among files and folders, in the order given and by name within a folder; each file once.

    A path that is nothing stays in the list: whoever reads it says so, and goes on with the others.

    Raises:
        InputError: no image in a folder, or nothing at all is given.
    """
    found: dict[Path, Path] = {}
    for item in given:
        path = Path(item)
        for file in images_in(path) if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    if not found:
        raise InputError("No image is named; name at least one, or a folder of images.")
    return list(found.values())


def _is_labels(path: Path) -> bool:
    return stem_of(path).lower().endswith(_NO_IMAGES)
