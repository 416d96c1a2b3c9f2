"""Superpixels that were made before, found again by what they were made from."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..progress import Progress
from ..support.archive import written_whole
from .make import SuperpixelMap, check_spacing, make_superpixels
from .settings import SuperpixelSettings


def image_checksum(image: NDArray[np.generic], spacing: Sequence[float], modality: str, axis: int) -> str:
    """SHA-256 of all that superpixels are made from beside the settings: voxels, spacing, modality and axis."""
    head = json.dumps([list(image.shape), image.dtype.str, [float(s) for s in spacing], modality, axis])
    digest = sha256(head.encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


class SuperpixelCache:
    """A folder of superpixel maps.

    An entry is found by the checksum of voxels, spacing, modality and axis and the settings' digest, so one of other
    settings is never used; what it says of itself is compared too. Several processes may use one folder.

    Attributes:
        folder: made when the first entry is written.
        notes: what had to be made anew and why, a sentence each.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.notes: list[str] = []

    def get(
        self,
        image: NDArray[np.generic],
        spacing: Sequence[float],
        modality: str,
        settings: SuperpixelSettings | None = None,
        axis: int = 0,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> SuperpixelMap:
        """Superpixels as `make_superpixels` makes them, taken from the folder if they are there.

        Raises:
            InputError: as `make_superpixels`.
            OutputError: the entry cannot be written.
            Cancelled: `cancelled` said yes; nothing was written.
        """
        settings = settings or SuperpixelSettings()
        z, y, x = check_spacing(spacing)
        identity = {
            "image": image_checksum(image, (z, y, x), modality, axis),
            "settings": settings.digest(),
            "shape": list(image.shape),
        }
        path = self.folder / f"{identity['image'][:32]}-{identity['settings']}.npz"
        labels = self._read(path, identity)
        if labels is not None:
            return SuperpixelMap(labels, labels > 0, (z, y, x), axis, settings)
        made = make_superpixels(image, (z, y, x), modality, settings, axis, progress, cancelled)
        self._write(path, identity, made)
        return made

    def _read(self, path: Path, identity: dict[str, Any]) -> NDArray[np.int32] | None:
        """The entry's labels; None, with a note, if it cannot be used."""
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as entry:
                said, labels = json.loads(bytes(entry["identity"])), entry["labels"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
            self.notes.append(f"The stored superpixels {path.name} are damaged and were made anew.")
            return None
        if said != identity or labels.dtype != np.int32 or list(labels.shape) != identity["shape"]:
            self.notes.append(f"The stored superpixels {path.name} are of another image or settings; made anew.")
            return None
        return np.asarray(labels)

    def _write(self, path: Path, identity: dict[str, Any], made: SuperpixelMap) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder {self.folder} cannot be made: {error.strerror}; name another.") from error
        said = np.frombuffer(json.dumps(identity).encode(), np.uint8)
        with written_whole(path) as file:
            np.savez_compressed(file, identity=said, labels=made.labels)
