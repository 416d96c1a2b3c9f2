"""Labelled volumes in a folder, to validate with: which there are, which are taken, and reading them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...errors import InputError
from ...images import Geometry, read_annotation, read_volume
from ...images.volume import Volume
from ...preprocessing import MODALITIES

_IMAGE, _LABELS = "_image", "_labels"
_KINDS = (".nii.gz", ".nii", ".nrrd", ".mha")

_ACQUISITION = re.compile(r"_(ct|mr|ed|es|pre|post|t1|t2|(run|scan|series|phase|time|echo)\d+)$", re.IGNORECASE)
"""What the names of one patient's several volumes differ in, at their end."""

MIN_SLICES = 3
"""Slices of a structure: one before and one after the annotated one."""


@dataclass(frozen=True)
class LabelledFiles:
    """One labelled volume that has not been read.

    Attributes:
        name: of the case.
        group: cases that can be compared: region and modality of cases.json, or "" where it says nothing.
        modality: "ct", "mr" or "auto".
        names: of the labels by value; empty for all that the file holds.
        image: file.
        labels: file, on the image's voxels.
        slices: along the axis across which it was most likely acquired.
    """

    name: str
    group: str
    modality: str
    names: dict[int, str]
    image: Path
    labels: Path
    slices: int

    @property
    def patient(self) -> str:
        """Whose it is, as far as the name says: two volumes of one patient must not explain each other."""
        return _ACQUISITION.sub("", self.name)


@dataclass(frozen=True)
class LabelledVolume:
    """One labelled volume.

    Attributes:
        files: where it came from.
        volume: image and geometry.
        masks: bool [z, y, x] by structure, each on at least `MIN_SLICES` slices.
        axis: array axis across the slices.
    """

    files: LabelledFiles
    volume: Volume
    masks: dict[str, NDArray[np.bool_]]
    axis: int

    def stack(self, name: str) -> NDArray[np.bool_]:
        """A structure's mask with the slices first."""
        return np.moveaxis(self.masks[name], self.axis, 0)

    def middle(self, name: str) -> int:
        """The middle one of the slices that hold a structure."""
        held = np.flatnonzero(self.stack(name).any((1, 2)))
        return int(held[len(held) // 2])


def find_labelled(folder: str | Path) -> list[LabelledFiles]:
    """All pairs NAME_image and NAME_labels of a folder, by name; cases.json gives modality, region and label names.

    Raises:
        InputError: no such folder, no pair in it, a file that is no image, or a cases.json that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"There is no folder {folder} to validate with; name one with NAME_image and NAME_labels files."
        )
    listed = _listed(folder / "cases.json")
    found = []
    for image in sorted(folder.iterdir()):
        kind = next((kind for kind in _KINDS if image.name.endswith(_IMAGE + kind)), None)
        if kind is None:
            continue
        name = image.name.removesuffix(_IMAGE + kind)
        labels = next((p for k in _KINDS if (p := folder / f"{name}{_LABELS}{k}").is_file()), None)
        if labels is None:
            continue
        said = listed.get(name, {})
        modality = str(said.get("modality", "")).lower()
        group = " ".join(str(said[key]) for key in ("region", "modality") if said.get(key))
        names = {int(value): str(label) for value, label in dict(said.get("labels", {})).items()}
        modality = modality if modality in MODALITIES else "auto"
        found.append(LabelledFiles(name, group, modality, names, image, labels, _slices(image)))
    if not found:
        raise InputError(
            f"The folder {folder} has nothing to validate with: it must hold pairs of files called NAME_image and "
            f"NAME_labels ({', '.join(_KINDS)})."
        )
    return found


def choose(found: Sequence[LabelledFiles], most: int, of_each: int, most_slices: int) -> list[LabelledFiles]:
    """At most `most` cases, one for each patient, the same number of each group as far as there are so many.

    Args:
        found: all cases.
        most: cases wanted.
        of_each: cases of a group that are taken at a time; groups with fewer are left out.
        most_slices: larger volumes are left out, for they take too long.

    Returns:
        By group; of a group those with the fewest slices first.
    """
    groups: dict[str, list[LabelledFiles]] = {}
    patients = set()
    for case in sorted(found, key=lambda case: (case.slices, case.name)):
        if case.slices <= most_slices and (case.group, case.patient) not in patients:
            patients.add((case.group, case.patient))
            groups.setdefault(case.group, []).append(case)
    waiting = {name: groups[name] for name in sorted(groups) if len(groups[name]) >= of_each}
    taken = dict.fromkeys(waiting, 0)
    room = most
    while room >= of_each and any(taken[name] < len(cases) for name, cases in waiting.items()):
        for name, cases in waiting.items():
            more = min(of_each, len(cases) - taken[name], room)
            if room >= of_each and more:
                taken[name] += more
                room -= more
    return [case for name, cases in waiting.items() for case in cases[: taken[name]]]


def read_labelled(files: LabelledFiles, most_structures: int) -> LabelledVolume | None:
    """Read a case; None if no structure is on enough slices.

    Args:
        files: of the case.
        most_structures: the first ones that are on enough slices.

    Raises:
        InputError: a file cannot be read, or labels and image do not fit.
    """
    volume = read_volume(files.image)
    annotation = read_annotation(files.labels, volume.geometry)
    axis = volume.geometry.acquisition_axis
    masks: dict[str, NDArray[np.bool_]] = {}
    for segment in annotation.segments:
        if files.names and segment.label not in files.names:
            continue
        mask = segment.mask
        other = tuple(a for a in range(3) if a != axis)
        if len(masks) < most_structures and np.count_nonzero(mask.any(other)) >= MIN_SLICES:
            masks[files.names.get(segment.label, f"label {segment.label}")] = mask
    return LabelledVolume(files, volume, masks, axis) if masks else None


def _listed(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        return {str(case["case"]): dict(case) for case in json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be read as a list of cases; mend or remove it.") from error


def _slices(image: Path) -> int:
    """From the file's header alone."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(image))
    try:
        reader.ReadImageInformation()
        geometry = Geometry.of_image(reader)
    except (RuntimeError, InputError) as error:
        raise InputError(f"{image} cannot be read as an image; remove it from the folder or get it again.") from error
    return geometry.shape[geometry.acquisition_axis]
