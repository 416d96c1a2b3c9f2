"""Which volumes of data/dev are measured.

The sources and their order are fixed here, so that two runs, and two versions of the engine, are compared on the same
structures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import engine  # noqa: F401 - puts this checkout on the path, before anything of FewShotSegmentLib is imported
import numpy as np
import SimpleITK as sitk

from FewShotSegmentLib.evaluation import datasets
from FewShotSegmentLib.evaluation.case import Case as EvaluatedCase
from FewShotSegmentLib.evaluation.protocols.supports import middle_slice, organ_slices

# (title, start of the case's name, modality); a case belongs to the first source that fits.
SOURCES = (
    ("limb tumour MR", "sts", "MR"),
    ("limb tumour CT", "sts", "CT"),
    ("heart MR", "scd", "MR"),
    ("hippocampus MR", "hippocampus", "MR"),
    ("head-neck CT", "kbp", "CT"),
    ("fetal brain MR", "fetal", "MR"),
)
# Below this the support mask is a dot: 4 pixels for spinal cord and oesophagus in the head-neck CT of 5 mm pixels. The
# prototype's README leaves such structures out of its means (found by reproducing its copy column), so the table shows
# the mean with and without them.
SMALL_SUPPORT_PIXELS = 10


@dataclass(frozen=True)
class Case:
    """One labelled volume of data/dev, as the transfer takes it."""

    name: str
    source: str
    modality: str
    labels: dict[int, str]
    folder: Path

    def read(self) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
        """Image and labels as [z, y, x], and the spacing in the same order."""
        image = sitk.ReadImage(str(self.folder / f"{self.name}_image.nii.gz"))
        labels = sitk.ReadImage(str(self.folder / f"{self.name}_labels.nii.gz"))
        return sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labels), image.GetSpacing()[::-1]


def dev_folder(shared: Path) -> Path:
    """Where the labelled volumes lie in the shared folder."""
    return shared / "data" / "dev"


def source_of(name: str, modality: str) -> str | None:
    """Title of the source that a case belongs to; None if to none."""
    fits = (title for title, prefix, own in SOURCES if name.startswith(prefix) and modality.upper() == own)
    return next(fits, None)


def read_cases(shared: Path) -> dict[str, list[Case]]:
    """The cases of data/dev by source, in the order of cases.json."""
    folder = dev_folder(shared)
    grouped: dict[str, list[Case]] = {title: [] for title, _, _ in SOURCES}
    for entry in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        title = source_of(entry["case"], entry["modality"])
        if title:
            labels = {int(value): name for value, name in entry["labels"].items()}
            grouped[title].append(Case(entry["case"], title, entry["modality"], labels, folder))
    return grouped


def evaluated_cases(shared: Path, limit: int | None) -> list[EvaluatedCase]:
    """The same number of cases of each source for `FewShotSegmentLib.evaluation`, their groups being the sources.

    Raises:
        InputError: data/dev is not as it should be.
    """
    grouped: dict[str, list[EvaluatedCase]] = {title: [] for title, _, _ in SOURCES}
    for case in datasets.find(f"generic:{dev_folder(shared)}", []):
        title = source_of(case.name, case.modality)
        if title:
            grouped[title].append(replace(case, group=title))
    return [case for cases in grouped.values() for case in cases[:limit]]


def small_supports(cases: Iterable[EvaluatedCase]) -> set[tuple[str, str]]:
    """(case, structure) of those that are a dot on their middle slice."""
    small = set()
    for case in cases:
        scan = case.read()
        for organ in case.organs:
            mask = case.mask(scan, organ)
            slices = organ_slices(mask)
            if len(slices) and np.count_nonzero(mask[middle_slice(slices)]) < SMALL_SUPPORT_PIXELS:
                small.add((case.name, organ))
    return small
