"""Any folder: images, labels, and a JSON that names what is in them."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...images.folders import IMAGES, stem_of
from ..case import Case
from .adapter import Adapter, natural, one_each
from .reading import read_pair

_ACQUISITION = re.compile(r"_(ct|mr|mr_t1|mr_t2|ed|es|run\d+)$", re.IGNORECASE)
"""What the names of one patient's scans differ in: series, phase of the heart, run of the same examination."""

_LABEL_ENDINGS = ("_labels", "_label", "_seg", "_segmentation", "_mask")


def patient_of(name: str) -> str:
    """Whose scan a case is, from its name: “scd01_ed” and “scd01_es” are both of “scd01”."""
    return _ACQUISITION.sub("", name)


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """The cases of `cases.json` in its order; without one, all in `images` by name."""
    if (folder / "cases.json").is_file():
        return _listed(folder)
    if (folder / "images").is_dir():
        return _two_folders(folder, notes)
    raise ADAPTER.refuse(f"There is neither cases.json nor images in {folder}")


def _listed(folder: Path) -> list[Case]:
    path = folder / "cases.json"
    entries = _read(path)
    if not isinstance(entries, list):
        raise ADAPTER.refuse(f"{path} is no list of cases")
    found = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not isinstance(name := entry.get("case"), str) or not name.strip():
            raise ADAPTER.refuse(f"Entry {number} of {path} has no name “case”")
        organs = _organs(entry.get("labels"), f"{name} in {path}")
        modality = _modality(entry.get("modality"), f"{name} in {path}")
        image, labels = (
            _existing(folder, str(entry.get(key, f"{name}_{ending}.nii.gz")), name)
            for key, ending in (("image", "image"), ("segmentation", "labels"))
        )
        patient, group = str(entry.get("patient", patient_of(name))), str(entry.get("group", ""))
        load = partial(read_pair, image, labels, modality)
        found.append(Case("generic", name, patient, modality, organs, load, group))
    return found


def _two_folders(folder: Path, notes: list[str]) -> list[Case]:
    path = folder / "labels.json"
    if not path.is_file():
        raise ADAPTER.refuse(f"There is no labels.json in {folder}")
    content = _read(path)
    if isinstance(content, dict) and "labels" in content:
        modality: str | None = _modality(content.get("modality"), str(path))
        organs = _organs(content["labels"], str(path))
    else:
        modality, organs = None, _organs(content, str(path))
    images, references = (_images(folder / name) for name in ("images", "labels"))
    if not images:
        raise ADAPTER.refuse(f"There is no image in {folder / 'images'}")
    found = []
    for name in sorted(images, key=natural):
        label = next((references[name + e] for e in ("", *_LABEL_ENDINGS) if name + e in references), None)
        if label is None:
            raise ADAPTER.refuse(f"There is no file for {name} in {folder / 'labels'}")
        kind = modality or _from_name(name, path)
        found.append(
            Case("generic", name, patient_of(name), kind, organs, partial(read_pair, images[name], label, kind))
        )
    return found


def _images(folder: Path) -> dict[str, Path]:
    """{name without “_image”: file} of a folder's image files."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    kept = [path for path in files if path.name.lower().endswith(IMAGES) and not path.name.startswith(".")]
    return one_each(((stem_of(path).removesuffix("_image"), path) for path in kept), str(folder))


def _from_name(name: str, path: Path) -> str:
    """Modality that a file's name tells: labels.json may be names only."""
    if match := re.search(r"(?:^|_)(ct|mr)(?:_|$)", name, re.IGNORECASE):
        return match[1].lower()
    raise InputError(
        f"The modality of {name} is not known; write {path.name} as "
        '{"modality": "CT", "labels": {"1": "liver"}}, with "CT" or "MR".'
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}).") from error


def _modality(value: object, where: str) -> str:
    if not isinstance(value, str) or value.lower() not in ("ct", "mr", "mri"):
        raise InputError(f"The modality of {where} is {value!r}; it must be “CT” or “MR”.")
    return value.lower()[:2]


def _organs(labels: object, where: str) -> dict[str, int]:
    """{name: value} of {"value": "name"}; value 0 is background."""
    try:
        if not isinstance(labels, dict):
            raise ValueError
        pairs = [(str(name), int(value)) for value, name in labels.items()]
    except ValueError as error:
        raise InputError(f'The labels of {where} are not written as {{"1": "liver"}}, number and name.') from error
    organs = {name: value for name, value in pairs if value}
    if not organs or len(organs) < sum(value != 0 for _, value in pairs) or min(organs.values()) < 0:
        raise InputError(f"The labels of {where} must have at least one name, each name once, and numbers above 0.")
    return organs


def _existing(folder: Path, name: str, case: str) -> Path:
    path = folder / name
    if not path.exists():
        raise ADAPTER.refuse(f"There is no {name} in {folder}, a file of {case}")
    return path


ADAPTER = Adapter(
    "generic",
    "a generic folder",
    'cases.json, a list like [{"case": "a1", "modality": "CT", "labels": {"1": "liver"}}] with files a1_image.nii.gz '
    "and a1_labels.nii.gz, or folders images and labels with files of the same names and labels.json "
    '{"modality": "CT", "labels": {"1": "liver"}}',
    "An entry of cases.json may also name “image” and “segmentation” (files), “patient” and “group”. Without “patient” "
    "it is the case's name up to an ending such as _ct, _mr_t1, _ed, _es or _run2. Segments must not overlap.",
    cases,
)
