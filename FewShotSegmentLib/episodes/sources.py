"""Which files are images to learn from, and what is known about them without reading them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..images.folders import images_in, stem_of
from ..images.volume import is_folder
from ..preprocessing import MODALITIES


@dataclass(frozen=True)
class Source:
    """One volume that has not been read yet.

    Attributes:
        path: file, or folder of DICOM files.
        name: of the case: the file's without `_image` and ending.
        modality: "ct" or "mr" where the folder's cases.json says so, else None.
    """

    path: Path
    name: str
    modality: str | None


def find_sources(given: Iterable[str | Path]) -> tuple[list[Source], list[str]]:
    """All images among files and folders, in the order given and by name within a folder; each file once.

    Args:
        given: image files; folders with images (subfolders are not searched; files called *_labels or *_superpixels
            and segmentations are left out); folders of one DICOM series each; a fold's list (.json) as
            `fewshotsegment evaluate published --export-training` writes it.

    Returns:
        The images, and sentences about what could not be used.

    Raises:
        InputError: no such path, or no image in a folder.
    """
    found: dict[Path, Source] = {}
    notes: list[str] = []
    for item in given:
        path = Path(item)
        if path.suffix == ".json":
            for source in _of_fold(path):
                found.setdefault(source.path.resolve(), source)
            continue
        folder = path if is_folder(path) else path.parent
        listed = _listed_modalities(folder, notes)
        for file in images_in(path) if folder == path else [path]:
            name = case_name(file)
            found.setdefault(file.resolve(), Source(file, name, listed.get(name)))
    if not found:
        raise InputError("There is nothing to learn from; name at least one image, or a folder of images.")
    return list(found.values()), notes


def _of_fold(path: Path) -> list[Source]:
    """The training images of a fold."""
    try:
        entries = json.loads(path.read_text("utf-8"))["train"]
        return [Source(path.parent / entry["image"], str(entry["case"]), entry.get("modality")) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is not a fold's list; make one with fewshotsegment evaluate published --export-training."
        ) from error


def case_name(path: Path) -> str:
    """The name of the case that an image file or DICOM folder is of."""
    return stem_of(path).removesuffix("_image")


def _listed_modalities(folder: Path, notes: list[str]) -> dict[str, str]:
    """{case: modality} of the folder's cases.json; what is wrong with it is added to the notes."""
    path = folder / "cases.json"
    if not path.is_file():
        return {}
    try:
        cases = json.loads(path.read_text("utf-8"))
        listed = {str(case["case"]): str(case.get("modality", "")).lower() for case in cases}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        note = f"{path} cannot be read as a list of cases; modalities are guessed from the values."
        if note not in notes:
            notes.append(note)
        return {}
    return {case: modality for case, modality in listed.items() if modality in MODALITIES}
