"""A support as it is kept: a JSON object that says what it is, and its packed voxels. Nothing that is read is trusted.

What is wrong with a record is raised as ValueError, KeyError or TypeError; `archive`, which knows the file, makes a
sentence of it.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as to_safetensors

from ..errors import InputError
from ..images.geometry import Geometry
from .slices import Support, SupportSlice

_MOST_PIXELS = 2**28
"""In all slices of one entry: 64 slices of 2048 × 2048. More is no honest file, and would fill the memory."""

_ID = re.compile(r"[0-9a-f]{12}")
_VOLUME_ID = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Place:
    """Where one slice lies.

    Attributes:
        index: of the slice along its axis of the volume.
        count: slices of the volume along that axis.
        geometry: as in `SupportSlice`.
    """

    index: int
    count: int
    geometry: Geometry


@dataclass(frozen=True)
class Entry:
    """What a library knows of a support without its voxels.

    Attributes:
        id: 12 hexadecimal digits, made from the content.
        name: of the structure.
        color: red, green, blue, 0 to 1.
        fields: as in `Support`.
        modality: "ct" or "mr".
        intensity: low, high, mean and deviation of `IntensityScale`.
        places: of the slices, by rising index.
        volume_id: as in `Support`.
        source: as in `Support`.
        added: day, as YYYY-MM-DD.
        record: the whole JSON object; what a later version adds to it is kept.
    """

    id: str
    name: str
    color: tuple[float, float, float]
    fields: dict[str, str]
    modality: str
    intensity: tuple[float, float, float, float]
    places: tuple[Place, ...]
    volume_id: str
    source: str | None
    added: str
    record: dict[str, Any] = field(repr=False)

    @property
    def slices(self) -> int:
        """How many are annotated."""
        return len(self.places)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of two slices, size of a row and of a column in mm."""
        return self.places[0].geometry.spacing


def support_id(support: Support) -> str:
    """12 hexadecimal digits; the same for the same structure drawn in the same way on the same volume."""
    digest = hashlib.sha256(json.dumps([support.volume_id, support.name]).encode())
    for piece in support.slices:
        digest.update(json.dumps([piece.index, piece.count, *piece.mask.shape]).encode())
        digest.update(np.packbits(piece.mask).tobytes())
    return digest.hexdigest()[:12]


def pack(support: Support) -> tuple[Entry, bytes]:
    """What is kept of a support: (entry, packed voxels). The same support gives the same bytes.

    Raises:
        InputError: it could not be read again.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for number, piece in enumerate(support.slices):
        arrays[f"image{number}"] = np.ascontiguousarray(piece.image, np.float32)
        arrays[f"mask{number}"] = np.ascontiguousarray(piece.mask, bool)
    data = to_safetensors(arrays)
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip stream, without the time in it
    packed = packer.compress(data) + packer.flush()
    try:
        entry = parse_entry(_record(support, hashlib.sha256(data).hexdigest()))
        unpack(entry, packed)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The support “{support.name}” cannot be kept: something is missing, a mask is empty, or sizes and values "
            "do not agree."
        ) from error
    return entry, packed


def _record(support: Support, sha256: str) -> dict[str, Any]:
    """The JSON object of a support."""
    scale = support.intensity
    return {
        "id": support_id(support),
        "name": support.name,
        "color": [float(c) for c in support.color],
        "fields": dict(support.fields),
        "modality": support.modality,
        "intensity": {key: float(getattr(scale, key)) for key in ("low", "high", "mean", "deviation")},
        "slices": [
            {
                "index": int(piece.index),
                "count": int(piece.count),
                "shape": [int(n) for n in piece.image.shape],
                "ijk_to_lps": [[float(v) for v in row] for row in piece.geometry.ijk_to_lps],
            }
            for piece in support.slices
        ],
        "volume_id": support.volume_id,
        "source": support.source,
        "added": support.added,
        "sha256": sha256,
    }


def parse_entry(record: dict[str, Any]) -> Entry:
    """Entry of a record; raises ValueError, KeyError or TypeError if anything is missing or odd."""
    scale = tuple(_number(record["intensity"][key]) for key in ("low", "high", "mean", "deviation"))
    color = tuple(_number(c) for c in record["color"])
    places = tuple(_parse_place(piece) for piece in record["slices"])
    indices = [place.index for place in places]
    fields = {_text(key): _text(value) for key, value in record["fields"].items()}
    source = record.get("source")
    _demand(len(color) == 3 and all(0 <= c <= 1 for c in color))
    _demand(record["modality"] in ("ct", "mr"))
    _demand(scale[0] < scale[1] and scale[3] > 0)
    _demand(bool(places) and indices == sorted(set(indices)))
    _demand(sum(place.geometry.shape[1] * place.geometry.shape[2] for place in places) <= _MOST_PIXELS)
    _demand(_SHA256.fullmatch(record["sha256"]) is not None and _ID.fullmatch(record["id"]) is not None)
    _demand(_VOLUME_ID.fullmatch(record["volume_id"]) is not None)
    date.fromisoformat(record["added"])
    return Entry(
        id=record["id"],
        name=_text(record["name"]),
        color=(color[0], color[1], color[2]),
        fields=fields,
        modality=record["modality"],
        intensity=(scale[0], scale[1], scale[2], scale[3]),
        places=places,
        volume_id=record["volume_id"],
        source=None if source is None else _text(source),
        added=record["added"],
        record=record,
    )


def most_bytes(entry: Entry) -> int:
    """The most that an entry's voxels can take, packed or not: known before anything is unpacked."""
    pixels = sum(place.geometry.shape[1] * place.geometry.shape[2] for place in entry.places)
    return 5 * pixels + pixels // 1000 + 1024 * (1 + entry.slices)  # float32 and bool, and what says which is where


def unpack(entry: Entry, packed: bytes) -> Support:
    """The support; raises ValueError, KeyError or TypeError if the voxels are not what the entry says."""
    most = most_bytes(entry)
    opener = zlib.decompressobj(31)
    try:
        data = opener.decompress(packed, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    _demand(opener.eof and hashlib.sha256(data).hexdigest() == entry.record["sha256"])
    try:
        arrays = parse_safetensors(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    _demand(len(arrays) == 2 * entry.slices)

    from ..preprocessing.intensity import IntensityScale  # noqa: PLC0415 - imports torch, which a list does not need

    return Support(
        name=entry.name,
        color=entry.color,
        fields=dict(entry.fields),
        modality=entry.modality,
        intensity=IntensityScale(*entry.intensity),
        slices=tuple(
            _parse_slice(place, arrays[f"image{number}"], arrays[f"mask{number}"])
            for number, place in enumerate(entry.places)
        ),
        volume_id=entry.volume_id,
        source=entry.source,
        added=entry.added,
    )


def _parse_slice(place: Place, image: NDArray[Any], mask: NDArray[Any]) -> SupportSlice:
    _demand(image.dtype == np.float32 and mask.dtype == np.bool_)
    _demand((1, *image.shape) == place.geometry.shape == (1, *mask.shape))
    drawn = mask.view(np.uint8) != 0  # a byte of a file may be more than 1
    _demand(bool(np.isfinite(image).all()) and bool(drawn.any()))
    return SupportSlice(image.copy(), drawn, place.geometry, place.index, place.count)  # what was parsed is read-only


def _parse_place(piece: dict[str, Any]) -> Place:
    rows, columns = (_whole(n) for n in piece["shape"])
    index, count = _whole(piece["index"]), _whole(piece["count"])
    matrix = np.array([[_number(v) for v in row] for row in piece["ijk_to_lps"]])
    _demand(rows > 0 and columns > 0 and 0 <= index < count)
    _demand(matrix.shape == (4, 4) and matrix[3].tolist() == [0, 0, 0, 1])
    _demand(abs(float(np.linalg.det(matrix[:3, :3]))) > 1e-12)
    return Place(index, count, Geometry((1, rows, columns), matrix))


def _demand(condition: bool) -> None:
    if not condition:
        raise ValueError


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e300:  # not NaN either
        raise ValueError
    return float(value)
