"""Medical Segmentation Decathlon: ten tasks of CT and MR (medicaldecathlon.com; Antonelli et al., Nat Commun 2022)."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...images.folders import stem_of
from ..case import Case
from .adapter import Adapter, natural
from .reading import read_pair

_MR = ("mr", "mri", "flair", "t1", "t1w", "t1gd", "t2", "t2w", "adc")


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """The training part of a task, or of all tasks in a folder: tests have no labels. The group is the task."""
    tasks = [folder] if (folder / "dataset.json").is_file() else [p.parent for p in folder.glob("*/dataset.json")]
    if not tasks:
        raise ADAPTER.refuse(f"There is no dataset.json in {folder} or in a folder within")
    return [
        case
        for task in sorted(tasks, key=lambda p: natural(p.name))
        for case in _task(Path(os.path.abspath(task)), notes)
    ]


def _task(folder: Path, notes: list[str]) -> list[Case]:
    content = _read(folder / "dataset.json")
    try:
        organs = {str(name): int(value) for value, name in content["labels"].items() if int(value) != 0}
        channels = [str(content["modality"][key]) for key in sorted(content["modality"], key=int)]
        pairs = [(str(entry["image"]), str(entry["label"])) for entry in content["training"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ADAPTER.refuse(f"{folder / 'dataset.json'} does not name modality, labels and training files") from error
    if not channels or not pairs:
        raise ADAPTER.refuse(f"{folder / 'dataset.json'} names no modality or no training files")
    modality = _modality(channels[0], folder)
    group = "msd-" + folder.name.partition("_")[2].lower() if "_" in folder.name else f"msd-{folder.name.lower()}"
    if len(channels) > 1:
        notes.append(
            f"msd: images of {folder.name} have {len(channels)} channels ({', '.join(channels)}); only the first, "
            f"{channels[0]}, is used."
        )
    channel = 0 if len(channels) > 1 else None
    found = []
    for image, label in sorted(pairs, key=lambda pair: natural(pair[0])):
        files = [_existing(folder, name) for name in (image, label)]
        name = stem_of(files[0])
        load = partial(read_pair, files[0], files[1], modality, channel)
        found.append(Case("msd", name, name, modality, organs, load, group))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON; get the data set again.") from error
    if not isinstance(content, dict):
        raise ADAPTER.refuse(f"{path} does not name modality, labels and training files")
    return content


def _modality(channel: str, folder: Path) -> str:
    if channel.lower() == "ct":
        return "ct"
    if channel.lower() in _MR:
        return "mr"
    raise InputError(f"{folder / 'dataset.json'} names the modality {channel}; only CT and MR can be evaluated.")


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ADAPTER.refuse(f"There is no {Path(name).as_posix()} in {folder}, though its dataset.json names it")
    return path


ADAPTER = Adapter(
    "msd",
    "Medical Segmentation Decathlon",
    "Task09_Spleen/dataset.json and the imagesTr and labelsTr files that it names",
    "FOLDER may be one task or a folder of several. Of images with several channels the first one is used.",
    cases,
)
