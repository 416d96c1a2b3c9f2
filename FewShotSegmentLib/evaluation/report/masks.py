"""Masks of answers as files: one bit per voxel, compressed."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..case import Mask
from .files import write_bytes


def save_mask(path: Path, mask: Mask) -> None:
    """Write a mask; the same mask gives the same bytes.

    Args:
        path: file to write, ending in .npz; its folder is made. A file that is there is replaced at once or not at all.
        mask: bool, of any shape.
    """
    buffer = io.BytesIO()
    flat = np.asarray(mask, dtype=np.bool_)
    np.savez_compressed(buffer, bits=np.packbits(flat), shape=np.array(flat.shape, np.int64))
    write_bytes(path, buffer.getvalue())


def load_mask(path: Path) -> Mask:
    """Read what `save_mask` wrote.

    Returns:
        Bool, of the shape that was written.

    Raises:
        InputError: the file is missing, or is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            bits, shape = file["bits"], tuple(int(n) for n in file["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        if bits.dtype != np.uint8 or bits.size != -(-count // 8):
            raise ValueError("as many bits as voxels are wanted")
        return np.unpackbits(bits, count=count).astype(np.bool_).reshape(shape)
    except FileNotFoundError:
        raise InputError(f"The mask {path} is missing; run the evaluation again to make it.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
        raise InputError(f"{path} is not a mask of an evaluation; delete it and run the evaluation again.") from None
