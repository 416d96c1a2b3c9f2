"""Which scans a network is trained on in each fold, so that it can be asked fairly in `published`.

The publications have two settings. In setting 1 the network is trained, without labels, on every slice of the training
scans. In setting 2 slices that show a test organ are left out, so that it has never seen one. (DSPNet's default
configuration leaves out the slices of the two kidneys and tests on liver and spleen; here it is always the test organs
whose slices are left out.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, OutputError
from ..case import Case
from .folds import FOLDS, Fold, make_folds, patients, pools
from .options import SETTINGS
from .supports import organ_slices

LABEL_GROUPS = (("right kidney", "left kidney"), ("liver", "spleen"))
"""Published groups of test organs, for CHAOS and SABS alike; training is then on the other group's."""


def label_group(number: int, organs: Iterable[str]) -> tuple[str, ...]:
    """The test organs of a published group.

    Args:
        number: 0 for the kidneys (trained with liver and spleen), 1 for liver and spleen (trained with the kidneys).
        organs: the data set's names.

    Returns:
        Names as the data set writes them.

    Raises:
        InputError: there is no such group, or the data set lacks one of its organs.
    """
    if number not in range(len(LABEL_GROUPS)):
        raise InputError(f"There is no label group {number}; there are 0 (kidneys) and 1 (liver and spleen).")
    there = {name.casefold(): name for name in organs}
    missing = [name for name in LABEL_GROUPS[number] if name not in there]
    if missing:
        raise InputError(f"Label group {number} needs {' and '.join(missing)}, which the data set does not have.")
    return tuple(there[name] for name in LABEL_GROUPS[number])


def training_split(
    cases: Sequence[Case], fold: int, setting: str, test_organs: Sequence[str] = (), folds: int = FOLDS
) -> dict[str, Any]:
    """One fold: what is trained on and what is tested.

    Neither a test scan nor the support is trained on, nor any other scan of their patients.

    Args:
        cases: of one data set, group and modality, in their order.
        fold: its number, from 0.
        setting: "1", or "2", for which the training scans are read.
        test_organs: whose slices setting 2 leaves out.
        folds: how many there are.

    Returns:
        Plain values: {"fold", "setting", "test_organs", "train": [{"case", "left_out_slices"}, …] with sorted indices,
        "test": [names], "support": [names]}.

    Raises:
        InputError: the cases cannot be split, there is no such fold, setting or organ, or a scan cannot be read.
    """
    return _split(cases, fold, setting, test_organs, folds, {})


def write_splits(
    cases: Sequence[Case], setting: str, folder: Path, test_organs: Sequence[str] = (), folds: int = FOLDS
) -> list[Path]:
    """Write every fold's `training_split` to fold0.json, fold1.json, … and return these files.

    Raises:
        InputError: see `training_split`.
        OutputError: a file cannot be written.
    """
    paths = [folder / f"fold{number}.json" for number in range(len(_folds(cases, folds)))]
    read: dict[str, list[int]] = {}
    splits = [_split(cases, number, setting, test_organs, folds, read) for number in range(len(paths))]
    for path, split in zip(paths, splits, strict=True):
        part = path.with_suffix(".json.part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(split, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(part, path)
        except OSError as error:
            raise OutputError(f"The fold cannot be written to {path}: {error.strerror or error}.") from error
    return paths


def _split(
    cases: Sequence[Case], fold: int, setting: str, organs: Sequence[str], folds: int, read: dict[str, list[int]]
) -> dict[str, Any]:
    """`training_split`; `read` keeps the slices with test organs of each scan that was read."""
    if setting not in SETTINGS:
        raise InputError(f"There is no setting “{setting}”; there are 1 and 2.")
    if setting == "2" and not organs:
        raise InputError("Setting 2 leaves out slices with test organs: name the organs that will be tested.")
    known = {name for case in cases for name in case.organs}
    for organ in organs:
        if organ not in known:
            raise InputError(f"No scan has an organ called “{organ}”; there are: {', '.join(sorted(known))}.")
    found = _folds(cases, folds)
    if fold not in range(len(found)):
        raise InputError(f"There is no fold {fold}; folds are numbered from 0 to {len(found) - 1}.")
    tested = {case.patient for pair in found[fold].pairs for case in pair}
    train = [case for case in cases if case.patient not in tested]
    if not train:
        raise InputError(f"Fold {fold} leaves no patient to train on: there are too few for {len(found)} folds.")
    for case in train if setting == "2" else ():
        if case.name not in read:
            read[case.name] = _with_organs(case, organs)
    return {
        "fold": fold,
        "setting": setting,
        "test_organs": list(organs),
        "train": [{"case": case.name, "left_out_slices": read.get(case.name, [])} for case in train],
        "test": [query.name for query, _ in found[fold].pairs],
        "support": found[fold].supports,
    }


def _folds(cases: Sequence[Case], count: int) -> list[Fold]:
    found = pools(cases)
    if len(found) > 1:
        raise InputError("The scans are of several data sets, groups or modalities: split each of them on its own.")
    if not found or len(patients(found[0])) < 3:
        raise InputError("There are fewer than three patients: one to test, one to annotate and one to train on.")
    return make_folds(found[0], count)


def _with_organs(case: Case, organs: Iterable[str]) -> list[int]:
    scan = case.read()
    values = [case.organs[organ] for organ in organs if organ in case.organs]
    return [int(index) for index in organ_slices(np.isin(scan.labels, values))]
