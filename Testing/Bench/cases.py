"""Which volumes and structures are measured, and which of their slices are given to a method.

The sources and their order are fixed here, so that two runs, and two versions of the engine, are compared on the same
structures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

# (title, start of the case's name, modality); a case belongs to the first source that fits.
SOURCES = (
    ("limb tumour MR", "sts", "MR"),
    ("limb tumour CT", "sts", "CT"),
    ("heart MR", "scd", "MR"),
    ("hippocampus MR", "hippocampus", "MR"),
    ("head-neck CT", "kbp", "CT"),
    ("fetal brain MR", "fetal", "MR"),
)
MIN_SLICES = 3
# Below this the support mask is a dot: 4 pixels for spinal cord and oesophagus in the head-neck CT of 5 mm pixels. The
# prototype's README leaves such structures out of its means (found by reproducing its copy column), so the table shows
# the mean with and without them.
SMALL_SUPPORT_PIXELS = 10
SOFT_TISSUE_HU = (-160, 240)


@dataclass(frozen=True)
class Case:
    """One labelled volume of data/dev."""

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


@dataclass
class Structure:
    """One label of one volume, with the slices that hold it."""

    case: str
    source: str
    name: str
    modality: str
    image: np.ndarray  # [z, y, x], as in the file
    reference: np.ndarray  # bool [z, y, x]
    spacing: tuple[float, float, float]  # mm, in the order of the array
    slices: np.ndarray = field(init=False)  # sorted indices of the slices that hold the structure

    def __post_init__(self):
        self.slices = np.flatnonzero(self.reference.any(axis=(1, 2)))

    @cached_property
    def windowed(self) -> np.ndarray:
        """The image as the baselines see it: float32, CT clipped to soft tissue as for the prototype's own figures."""
        image = self.image.astype(np.float32)
        return np.clip(image, *SOFT_TISSUE_HU) if self.modality == "CT" else image

    def anchors(self, kind: str) -> dict[int, np.ndarray]:
        """The annotated slices that a method is given, with the reference mask on each."""
        return {z: self.reference[z] for z in ANCHORS[kind](self.slices)}

    @property
    def small_support(self) -> bool:
        return int(self.reference[support_slice(self.slices)].sum()) < SMALL_SUPPORT_PIXELS


def support_slice(slices: np.ndarray) -> int:
    """The one slice of the one-slice protocol: the middle of the slices that hold the structure."""
    return int(slices[len(slices) // 2])


def quarter_slices(slices: np.ndarray) -> list[int]:
    """The three slices of the three-anchor protocol; short structures may yield fewer."""
    return sorted({int(slices[round(part * (len(slices) - 1))]) for part in (0.25, 0.5, 0.75)})


def quarters_and_ends(slices: np.ndarray) -> list[int]:
    """The three slices, and the first and the last one: what 'Fill between slices' needs to reach the ends."""
    return sorted({int(slices[0]), *quarter_slices(slices), int(slices[-1])})


ANCHORS = {
    "one": lambda slices: [support_slice(slices)],
    "three": quarter_slices,
    "five": quarters_and_ends,
}


def read_cases(shared: Path) -> dict[str, list[Case]]:
    """The cases of data/dev by source, in the order of cases.json."""
    folder = shared / "data" / "dev"
    grouped: dict[str, list[Case]] = {title: [] for title, _, _ in SOURCES}
    for entry in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        for title, prefix, modality in SOURCES:
            if entry["case"].startswith(prefix) and entry["modality"] == modality:
                labels = {int(value): name for value, name in entry["labels"].items()}
                grouped[title].append(Case(entry["case"], title, modality, labels, folder))
                break
    return grouped


def structures(case: Case, skipped: list[str]) -> Iterator[Structure]:
    """The structures of a case; what is too thin to have a before and an after goes to `skipped`, in words."""
    image, labels, spacing = case.read()
    for value, name in case.labels.items():
        structure = Structure(case.name, case.source, name, case.modality, image, labels == value, spacing)
        if len(structure.slices) < MIN_SLICES:
            skipped.append(f"{case.name} {name}: {len(structure.slices)} slices, fewer than {MIN_SLICES}")
        else:
            yield structure
