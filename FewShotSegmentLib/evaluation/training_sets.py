"""What networks are trained on before they are evaluated as published: images without labels, and each fold's list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ..errors import InputError
from ..images.output import all_or_nothing
from ..progress import Progress
from .case import Case
from .protocols.folds import FOLDS
from .protocols.splits import write_splits
from .report.files import write_text
from .store import file_name


def export(
    cases: Sequence[Case],
    setting: str,
    folder: Path,
    test_organs: Sequence[str] = (),
    folds: int = FOLDS,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the images of all training scans, and a file for each fold that `fewshotsegment pretrain` takes.

    In setting 2 the slices with test organs are cut out of the images, so that whatever is trained on them has never
    seen one; what lies on both sides of the cut become neighbours, which concerns only networks that look at more than
    one slice.

    Args:
        cases: of one data set, group and modality, in their order.
        setting: "1" or "2".
        folder: a new or empty one; gets images/ and fold0.json, fold1.json, ….
        test_organs: whose slices setting 2 leaves out.
        folds: how many there are.
        progress: called with (images written, in all).

    Returns:
        The folds' files.

    Raises:
        InputError: the cases cannot be split, the folder is not empty, or nothing is left of a scan.
        OutputError: a file cannot be written.
    """
    _expect_new(folder)
    paths = write_splits(cases, setting, folder, test_organs, folds)
    splits = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    left_out = {entry["case"]: entry["left_out_slices"] for split in splits for entry in split["train"]}
    wanted = [case for case in cases if case.name in left_out]
    for number, case in enumerate(wanted, 1):
        _write_image(case, left_out[case.name], folder)
        if progress:
            progress(number, len(wanted))
    by_name = {case.name: case for case in cases}
    for path, split in zip(paths, splits, strict=True):
        for entry in split["train"]:
            entry.update(_entry(by_name[entry["case"]]))
        _write_list(path, split)
    return paths


def export_list(cases: Sequence[Case], folder: Path, progress: Progress | None = None) -> Path:
    """Write the images of scans to train on, and train.json, which `fewshotsegment pretrain` takes.

    Args:
        cases: of one modality.
        folder: a new or empty one.
        progress: called with (images written, in all).

    Raises:
        InputError: the folder is not empty, or a scan cannot be read.
        OutputError: a file cannot be written.
    """
    _expect_new(folder)
    for number, case in enumerate(cases, 1):
        _write_image(case, [], folder)
        if progress:
            progress(number, len(cases))
    path = folder / "train.json"
    _write_list(path, {"train": [_entry(case) for case in cases]})
    return path


def _expect_new(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; choose a new folder for the training images.")


def _entry(case: Case) -> dict[str, str]:
    return {"case": case.name, "image": _image_of(case.name), "modality": case.modality}


def _write_list(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _image_of(name: str) -> str:
    return f"images/{file_name(name)}.nii.gz"


def _write_image(case: Case, left_out: Sequence[int], folder: Path) -> None:
    scan, path = case.read(), folder / _image_of(case.name)
    kept = np.delete(scan.image, left_out, axis=0)
    if not len(kept):
        raise InputError(f"Every slice of {case.name} shows a test organ, so nothing of it is left for setting 2.")
    image = sitk.GetImageFromArray(kept.astype(np.int16) if kept.dtype == bool else kept)
    scan.geometry.apply_to(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    with all_or_nothing([path]) as (part,):
        sitk.WriteImage(image, str(part), useCompression=True)
