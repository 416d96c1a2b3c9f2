"""Whether a NIfTI file is whole: ITK reads a truncated one without a word and makes up what is missing."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

_CHUNK = 1 << 20


def is_whole(path: Path) -> bool:
    """Whether a .nii or .nii.gz holds all the voxels that its header promises (and, compressed, its checksum fits).

    Files of other kinds pass: their readers notice.

    Raises:
        OSError: the file cannot be opened.
    """
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        return True
    try:
        # the ending does not decide: ITK also reads a compressed file called .nii
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with cast("IO[bytes]", gzip.open(path, "rb") if compressed else path.open("rb")) as file:
            header = file.read(540)
            there = len(header)
            while chunk := file.read(_CHUNK):
                there += len(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
    return there >= _promised_bytes(header)


def _promised_bytes(header: bytes) -> int:
    """Bytes up to the last voxel, by a NIfTI-1 or NIfTI-2 header; 0 if it is neither (the reader will refuse it)."""
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(f"{order}i", header)[0] == 348:
            dimensions = struct.unpack_from(f"{order}8h", header, 40)
            bits, offset = (
                struct.unpack_from(f"{order}h", header, 72)[0],
                struct.unpack_from(f"{order}f", header, 108)[0],
            )
        elif len(header) >= 540 and struct.unpack_from(f"{order}i", header)[0] == 540:
            dimensions = struct.unpack_from(f"{order}8q", header, 16)
            bits, offset = (
                struct.unpack_from(f"{order}h", header, 14)[0],
                struct.unpack_from(f"{order}q", header, 168)[0],
            )
        else:
            continue
        voxels: int = math.prod(dimensions[1 : dimensions[0] + 1])
        return int(offset) + voxels * int(bits) // 8
    return 0
