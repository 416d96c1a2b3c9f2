"""What a user gets for each volume: labels, a description and a picture, written together or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ..errors import InputError, OutputError
from ..images import Volume
from ..images.folders import stem_of
from ..images.nifti import is_whole
from ..version import __version__
from .make import SuperpixelMap
from .settings import FORMAT, SuperpixelSettings

_PERCENTILES = {"p10": 10, "median": 50, "p90": 90}


@dataclass(frozen=True)
class Outputs:
    """The files for one volume; the description is written last, so that what it says holds."""

    labels: Path
    picture: Path
    description: Path

    @classmethod
    def of(cls, folder: Path, stem: str) -> Outputs:
        """Files in a folder, by the volume's name."""
        start = f"{stem}_superpixels"
        return cls(folder / f"{start}.nii.gz", folder / f"{start}.png", folder / f"{start}.json")

    @property
    def all(self) -> tuple[Path, Path, Path]:
        """In the order in which they take their names."""
        return self.labels, self.picture, self.description


def name_outputs(volumes: Sequence[Path], folder: Path) -> list[Outputs]:
    """Files for each volume; of two called alike the second one's folder goes before its name.

    Raises:
        InputError: two volumes cannot be told apart by name.
        OutputError: the folder is a file, or an output would be one of the volumes.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for the superpixels.")
    taken: set[str] = set()
    outputs = []
    for volume in volumes:
        names = (stem_of(volume), f"{Path(os.path.abspath(volume)).parent.name}_{stem_of(volume)}")
        free = next((name for name in names if name.casefold() not in taken), None)
        if free is None:
            raise InputError(f"Two volumes are called {volume.name}; write their superpixels to two folders.")
        taken.add(free.casefold())
        outputs.append(Outputs.of(folder, free))
    inputs = {volume.resolve() for volume in volumes}
    for path in (path for files in outputs for path in files.all):
        if path.resolve() in inputs:
            raise OutputError(f"{path} is one of the volumes, which are never overwritten; write to another folder.")
    return outputs


def describe(
    volume: Volume, checksum: str, modality: str, found: SuperpixelMap, labels: Path | None = None
) -> dict[str, Any]:
    """The description that is written beside the labels.

    Args:
        volume: what was cut up; of its path only the name is kept.
        checksum: of its voxels, see `cache.image_checksum`.
        modality: "ct" or "mr".
        found: its superpixels.
        labels: the file that they were written to.
    """
    sizes = np.concatenate([np.zeros(0, np.int64), *found.sizes()])
    solid = found.settings.dimensions == 3
    voxels = {key: float(np.percentile(sizes, q)) if sizes.size else 0.0 for key, q in _PERCENTILES.items()}
    area = {key: round(value * found.voxel_mm, 3) for key, value in voxels.items()}
    return {
        "format": FORMAT,
        "engine_version": __version__,
        "source": {"file": volume.path.name, "checksum": checksum},
        "modality": modality,
        "axis": found.axis,
        "settings": found.settings.as_dict(),
        "digest": found.settings.digest(),
        "smallest": found.settings.smallest(found.spacing, found.axis),
        "spacing_mm": list(found.spacing),
        "superpixels": list(found.counts),
        "size_voxels" if solid else "size_px": voxels,
        "size_mm3" if solid else "size_mm2": area,
        "labels_sha256": _file_checksum(labels) if labels else None,
    }


def look_for(outputs: Outputs, checksum: str, modality: str, settings: SuperpixelSettings) -> dict[str, Any] | None:
    """The description of superpixels that are there already and are the ones asked for; None if there are none.

    Raises:
        OutputError: something else is there.
    """
    there = [path for path in outputs.all if os.path.lexists(path)]
    if not there:
        return None
    mend = "write to another folder, or replace it with --force."
    if len(there) < len(outputs.all):
        raise OutputError(f"{there[0]} exists already, but not all that belongs to it; {mend}")
    try:
        said = json.loads(outputs.description.read_text(encoding="utf-8"))
        of_other = _difference(said, checksum, modality, settings)
        changed = said["labels_sha256"] != _file_checksum(outputs.labels)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise OutputError(f"{outputs.description} is no description of superpixels; {mend}") from None
    if of_other:
        raise OutputError(f"{outputs.labels} exists already and was made {of_other}; {mend}")
    if changed:
        raise OutputError(f"{outputs.labels} has been changed since it was made; {mend}")
    return dict(said)


def _difference(said: dict[str, Any], checksum: str, modality: str, settings: SuperpixelSettings) -> str:
    """How a description differs from what is wanted, in words; nothing if it does not."""
    if said["format"] != FORMAT:
        return "by another version"
    if said["digest"] != settings.digest():
        wanted = settings.as_dict()
        other = [
            f"{k.replace('_', ' ')} {_word(said['settings'].get(k))} instead of {_word(wanted[k])}"
            for k in wanted
            if said["settings"].get(k) != wanted[k]
        ]
        return f"with other settings ({', '.join(other)})"
    if said["modality"] != modality:
        return f"as {said['modality'].upper()}"
    return "from another image, or across another axis" if said["source"]["checksum"] != checksum else ""


def _word(value: object) -> str:
    return "not given" if value is None else str(value)


def write(
    outputs: Outputs, volume: Volume, found: SuperpixelMap, picture: bytes, about: dict[str, Any]
) -> dict[str, Any]:
    """Write the three files, replacing what is there; returns the description as written.

    Args:
        outputs: where to.
        volume: its geometry becomes the labels'.
        found: what was found.
        picture: a PNG.
        about: see `describe`.

    Raises:
        OutputError: the disk is full, or nothing can be written there; what was there stays.
    """
    folder = outputs.labels.parent
    parts: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = Path(tempfile.mkdtemp(prefix=".fewshotsegment-", dir=folder))
        labels, drawing, description = (parts / path.name for path in outputs.all)
        image = sitk.GetImageFromArray(found.labels)
        volume.geometry.apply_to(image)
        sitk.WriteImage(image, str(labels), useCompression=True)
        if not is_whole(labels):
            raise OSError(errno.ENOSPC, "the disk is full")  # ITK writes what fits of a NIfTI, and says nothing
        drawing.write_bytes(picture)
        about = {**about, "labels_sha256": _file_checksum(labels)}
        description.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        for part in (labels, drawing, description):
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        outputs.description.unlink(missing_ok=True)  # stopped between two of them, nothing claims to be whole
        for part, path in zip((labels, drawing, description), outputs.all, strict=True):
            part.replace(path)
    except OSError as error:
        raise OutputError(f"The superpixels cannot be written to {folder}: {error.strerror or error}.") from error
    except RuntimeError as error:  # SimpleITK's writers
        raise OutputError(f"The superpixels cannot be written to {folder}; is the disk full?") from error
    finally:
        if parts is not None:
            shutil.rmtree(parts, ignore_errors=True)
    return about


def _file_checksum(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
