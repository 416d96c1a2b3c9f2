"""Slicer's `.seg.nrrd`: the header that names, colours and classifies segments, read and written letter for letter.

pynrrd reads the voxels. Its header reading and writing keep only ASCII, and it stamps the time into what it writes; a
segment called “Leber links ö” must survive, and the same input must give the same file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import nrrd
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .geometry import Geometry

_TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}

_SEGMENT_KEY = re.compile(r"^Segment(\d+)_(.+)$")


@dataclass
class SegNrrd:
    """Contents of a `.seg.nrrd`.

    Attributes:
        layers: label arrays [z, y, x]; segments that overlap are on different ones.
        geometry: of the layers.
        segments: the `SegmentN_*` fields of each segment, in order, without the prefix.
        fields: all other key/value fields, such as `Segmentation_ConversionParameters`.
    """

    layers: list[NDArray[np.generic]]
    geometry: Geometry
    segments: list[dict[str, str]]
    fields: dict[str, str] = field(default_factory=dict)


def is_seg_nrrd(path: Path) -> bool:
    """Whether a file's header has Slicer segments in it, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"NRRD" and any(_SEGMENT_KEY.match(k) for k in _custom_fields(_header_lines(file)))
    except OSError:
        return False


def read_seg_nrrd(path: Path) -> SegNrrd:
    """Read a `.seg.nrrd`.

    Raises:
        InputError: damaged, or of a kind that holds no binary labelmap.
    """
    try:
        with path.open("rb") as file:
            lines = _header_lines(file)
            header = nrrd.read_header(lines)
            data = nrrd.read_data(header, file, str(path), index_order="C")
    except (OSError, ValueError, EOFError, zlib.error, nrrd.NRRDError, KeyError) as error:
        raise InputError(f"The segmentation {path.name} cannot be read; the file may be damaged.") from error
    custom = _custom_fields(lines)
    representation = custom.get(
        "Segmentation_MasterRepresentation", custom.get("Segmentation_SourceRepresentation", "")
    )
    if representation and representation.lower() != "binary labelmap":
        raise InputError(
            f"The segmentation {path.name} holds a {representation.lower()}; convert it to a binary labelmap in Slicer."
        )
    segments: dict[int, dict[str, str]] = {}
    fields = {}
    for key, value in custom.items():
        match = _SEGMENT_KEY.match(key)
        if match:
            segments.setdefault(int(match[1]), {})[match[2]] = value
        else:
            fields[key] = value
    layers = [data] if data.ndim == 3 else [np.ascontiguousarray(data[..., i]) for i in range(data.shape[-1])]
    return SegNrrd(layers, _geometry(header, layers[0].shape, path), [segments[n] for n in sorted(segments)], fields)


def write_seg_nrrd(file: IO[bytes], segmentation: SegNrrd) -> None:
    """Write a `.seg.nrrd`; the same segmentation gives the same bytes.

    Args:
        file: opened for writing.
        segmentation: layers of type uint8 or uint16.
    """
    layers, geometry = segmentation.layers, segmentation.geometry
    several = len(layers) > 1
    columns = [_vector(geometry.ijk_to_lps[:3, axis]) for axis in range(3)]
    sizes = [str(n) for n in reversed(geometry.shape)]
    header = {
        "type": {"uint8": "unsigned char", "uint16": "unsigned short"}[layers[0].dtype.name],
        "dimension": "4" if several else "3",
        "space": "left-posterior-superior",
        "sizes": " ".join([str(len(layers)), *sizes] if several else sizes),
        "space directions": " ".join(["none", *columns] if several else columns),
        "kinds": " ".join((["list"] if several else []) + ["domain"] * 3),
        "endian": "little",
        "encoding": "gzip",
        "space origin": _vector(geometry.ijk_to_lps[:3, 3]),
    }
    lines = ["NRRD0004", *(f"{key}: {value}" for key, value in header.items())]
    custom = {
        f"Segment{n}_{key}": value for n, segment in enumerate(segmentation.segments) for key, value in segment.items()
    }
    lines += [f"{key}:={value}" for key, value in (custom | segmentation.fields).items()]
    file.write(("\n".join(lines) + "\n\n").encode("utf-8"))
    # wbits 31 makes a gzip stream, and one without the time in it, as the gzip module would put there
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for z in range(geometry.shape[0]):
        slab = np.stack([layer[z] for layer in layers], -1) if several else layers[0][z]
        file.write(packer.compress(np.ascontiguousarray(slab, slab.dtype.newbyteorder("<")).tobytes()))
    file.write(packer.flush())


def _vector(values: Iterable[float]) -> str:
    return "(" + ",".join(f"{float(v):.17g}" for v in values) + ")"


def _header_lines(file: IO[bytes]) -> list[str]:
    """Header lines of an opened NRRD file, which is left at the first byte of its data."""
    file.seek(0)
    lines = []
    while (line := file.readline()).strip():
        lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
    return lines


def _custom_fields(lines: list[str]) -> dict[str, str]:
    """The `key:=value` lines, letter for letter."""
    return dict(line.split(":=", 1) for line in lines if ":=" in line and not line.startswith("#"))


def _geometry(header: Mapping[str, Any], shape: tuple[int, ...], path: Path) -> Geometry:
    signs = _TO_LPS.get(str(header.get("space", "left-posterior-superior")).lower())
    directions, origin = header.get("space directions"), header.get("space origin")
    if signs is None or directions is None or origin is None or len(shape) != 3:
        raise InputError(f"The segmentation {path.name} does not say where it lies; save it again in Slicer.")
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([np.asarray(d, float) for d in directions][-3:]).T
    matrix[:3, 3] = np.asarray(origin, float)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise InputError(f"The segmentation {path.name} does not say where it lies; save it again in Slicer.")
    return Geometry((shape[0], shape[1], shape[2]), np.diag([*signs, 1]) @ matrix)
