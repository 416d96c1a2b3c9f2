"""The manifest `weights.json`: one entry per weights file, with checksum, licence, training data and metrics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WeightsError

MANIFEST = "weights.json"


@dataclass(frozen=True)
class WeightsInfo:
    """One entry of the manifest.

    Attributes:
        name: what it is called.
        path: the file.
        network: name of the network that it fits, "propagator" or "refiner"; the first entry is the propagator's.
        sha256: checksum of the file, hexadecimal.
        size: bytes, for whoever fetches or shows it; `sha256` is what is checked.
        licence: SPDX identifier or words.
        training_data: what it was trained on.
        date: day it was made, ISO 8601.
        metrics: measured figures with the command that prints them.
    """

    name: str
    path: Path
    network: str
    sha256: str
    size: int
    licence: str
    training_data: str
    date: str
    metrics: dict[str, Any]


def weights_folder() -> Path:
    """Folder with the bundled weights.

    In a checkout and in an installed Slicer extension it lies beside the package, in a wheel inside it.

    Raises:
        WeightsError: there is no such folder.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "Resources" / "weights", package / "Resources" / "weights"):
        if (folder / MANIFEST).is_file():
            return folder
    raise WeightsError("The bundled weights are missing; install FewShotSegment again.")


def read_manifest(folder: Path | None = None) -> dict[str, WeightsInfo]:
    """All entries by name, in the manifest's order; the first one is the default.

    Args:
        folder: folder with `weights.json`; the bundled one by default.

    Raises:
        WeightsError: the manifest is missing or cannot be read.
    """
    folder = folder or weights_folder()
    try:
        entries = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["weights"]
        infos = [WeightsInfo(path=folder / entry.pop("file"), **entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"The list of weights {folder / MANIFEST} cannot be read; install FewShotSegment again."
        ) from error
    if not infos:
        raise WeightsError(f"The list of weights {folder / MANIFEST} is empty; install FewShotSegment again.")
    return {info.name: info for info in infos}


def find_weights(name: str | None = None, folder: Path | None = None) -> WeightsInfo:
    """The manifest's entry called `name`, or its first one.

    Raises:
        WeightsError: there is none of that name (the text lists those there are).
    """
    infos = read_manifest(folder)
    if name is None:
        return next(iter(infos.values()))
    if name not in infos:
        raise WeightsError(f"There are no weights called “{name}”; there are: {', '.join(infos)}.")
    return infos[name]


def find_refiner(folder: Path | None = None) -> WeightsInfo | None:
    """The entry of the refiner that goes with a folder's propagator: its own, else the bundled one, else None.

    Raises:
        WeightsError: a manifest is missing or cannot be read.
    """
    for place in dict.fromkeys((folder, None)):
        for info in read_manifest(place).values():
            if info.network == "refiner":
                return info
    return None
