"""Which images the demo runs on: the user's, else the shared ones, else a generated phantom."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ..errors import InputError
from ..images import Geometry, Segment, read_annotation, write_segmentation
from ..images.output import Found
from ..phantom import make_phantom
from .colors import color_of

SHARED_CASES = ("abdomen_ct", "heart_mr")
PHANTOM_SHAPE = (60, 160, 160)


@dataclass(frozen=True)
class Source:
    """A volume with what is annotated on it.

    Attributes:
        name: Start of the names of all files written for it.
        said: A sentence on where it comes from, for the terminal and the picture.
        modality: ``ct``, ``mr`` or ``auto``.
        volume: Image file, never written to.
        annotation: Annotation or reference file, never written to unless it is the phantom's.
        names: Names for labels that have none in the file.
        complete: Whether the annotation is known to hold whole organs.
        written: Files that were written for it (the phantom's own).
    """

    name: str
    said: str
    modality: str
    volume: Path
    annotation: Path
    names: dict[int, str] = field(default_factory=dict)
    complete: bool = False
    written: tuple[Path, ...] = ()


def find_sources(
    shared: Path, volume: str, annotation: str, folder: Path, phantom_shape: tuple[int, int, int] = PHANTOM_SHAPE
) -> list[Source]:
    """The images to run on: the user's own if given, else those in the shared folder, else the phantom.

    Args:
        shared: Folder that may hold ``data/demo``.
        volume: The user's volume, or an empty string.
        annotation: The user's annotation, or an empty string.
        folder: Where files are written; it exists.
        phantom_shape: Voxels (z, y, x) of the phantom.

    Returns:
        At least one source.

    Raises:
        InputError: One of the user's two files is missing, or the list of shared cases cannot be read.
    """
    if volume and annotation:
        return [_own(Path(volume), Path(annotation), folder)]
    if volume or annotation:
        given, missing = ("VOLUME", "ANNOTATION") if volume else ("ANNOTATION", "VOLUME")
        raise InputError(f"{given} was given without {missing}; give both, or neither for the demo's own images.")
    return shared_sources(shared / "data" / "demo") or [phantom_source(folder, phantom_shape)]


def _own(volume: Path, annotation: Path, folder: Path) -> Source:
    for path in (volume, annotation):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.")
    name = volume.resolve().name
    for ending in (".gz", ".nii", ".nrrd", ".mha", ".mhd", ".seg"):
        name = name.removesuffix(ending)
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in name) or "volume"
    # Someone may keep images in the demo's folder: no file of theirs may be replaced.
    inputs = {volume.resolve(), annotation.resolve()}
    while inputs & {path.resolve() for path in outputs(name, folder)}:
        name += "_demo"
    return Source(name, f"Your volume {volume.name} with {annotation.name}.", "auto", volume, annotation)


def outputs(name: str, folder: Path) -> tuple[Path, Path, Path]:
    """The files that a case may write: annotation, segmentation, picture."""
    return folder / f"{name}_annotation.seg.nrrd", folder / f"{name}.seg.nrrd", folder / f"{name}_overlay.png"


def shared_sources(folder: Path) -> list[Source]:
    """The shared cases that are there, none where there is no such folder.

    Args:
        folder: With ``cases.json`` and the images.

    Raises:
        InputError: ``cases.json`` is damaged.
    """
    index = folder / "cases.json"
    if not index.is_file():
        return []
    try:
        cases = {case["case"]: case for case in json.loads(index.read_text(encoding="utf-8"))}
        known = {name: cases[name] for name in SHARED_CASES if name in cases}
        sources = []
        for name, case in known.items():
            volume, labels = folder / f"{name}_image.nii.gz", folder / f"{name}_labels.nii.gz"
            if volume.is_file() and labels.is_file():
                names = {int(label): str(organ) for label, organ in case["labels"].items()}
                said = f"A patient's image; source {case['source']}, licence {case['licence']}."
                sources.append(Source(name, said, str(case["modality"]).lower(), volume, labels, names, complete=True))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"The list of demo images {index} is damaged ({error!r}).") from error
    return sources


def phantom_source(folder: Path, shape: tuple[int, int, int] = PHANTOM_SHAPE) -> Source:
    """Generate the phantom and write it and its reference to ``folder``."""
    # The same patient, so coarser voxels are larger ones.
    spacing = tuple(5.0 * 60 / n if axis == 0 else 2.2 * 160 / n for axis, n in enumerate(shape))
    phantom = make_phantom(shape, (spacing[0], spacing[1], spacing[2]), "ct")
    matrix = np.diag([*reversed(phantom.spacing), 1.0])
    geometry = Geometry(shape, matrix)
    name = "phantom_ct"
    volume, reference = folder / f"{name}_volume.nrrd", folder / f"{name}_reference.seg.nrrd"
    image = sitk.GetImageFromArray(phantom.image)
    geometry.apply_to(image)
    sitk.WriteImage(image, str(volume), useCompression=True)
    found = []
    for number, (label, organ) in enumerate(phantom.names.items()):
        segment = Segment(organ, color_of(organ, number), label, {}, phantom.labels, label)
        found.append(Found(segment, segment.mask, (0, ())))
    write_segmentation(reference, found, geometry)
    said = "A GENERATED PHANTOM, no patient's image: it shows that everything runs, not how well it does on patients."
    return Source(name, said, "ct", volume, reference, complete=True, written=(volume, reference))


def read_segments(source: Source, geometry: Geometry) -> list[Segment]:
    """The segments of a source on the voxels of its volume, named and coloured.

    Args:
        source: The source.
        geometry: Of its volume.

    Raises:
        InputError: The annotation cannot be read, is empty, or does not lie on the volume's voxels.
    """
    segments = read_annotation(source.annotation, geometry).segments
    if not source.names:
        return segments
    named = []
    for number, segment in enumerate(segments):
        name = source.names.get(segment.label, segment.name)
        color = color_of(name, number)
        named.append(Segment(name, color, segment.label, segment.fields, segment.mask, 1))
    return named
