"""An answer's files: all of them or none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, OutputError
from .folder import ANSWERS, PART

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class AnswerFiles:
    """Files of one answer while they are written.

    Attributes:
        folder: where they will be.
    """

    def __init__(self, folder: Path, part: Path):
        self.folder = folder
        self._part = part
        self._number = 0

    def add(self, array: NDArray[np.generic]) -> str:
        """Write an array; returns the file's final name."""
        name = f"{self._number}.npy"
        self._number += 1
        np.save(self._part / name, array, allow_pickle=False)
        return str(self.folder / name)

    def add_box(self, mask: NDArray[np.bool_]) -> tuple[str, list[int]]:
        """Write the box of a mask [z, y, x] that is not empty; returns the file's final name and the box's origin."""
        box = _box(mask)
        return self.add(np.ascontiguousarray(mask[box]).astype(np.uint8)), [int(part.start) for part in box]


@contextmanager
def answer_files(private: Path, request_id: str) -> Iterator[AnswerFiles]:
    """A folder for an answer's files, which takes its name only when all of them are written.

    Raises:
        InputError: there can be no folder of the request's id.
        OutputError: the disk is full, or the folder cannot be written.
    """
    if not _ID.fullmatch(request_id):
        raise InputError(
            f"The request's id is “{request_id[:40]}”; letters, digits, hyphens and underscores are needed."
        )
    folder = private / ANSWERS / request_id
    part = folder.with_name(f"{request_id}{PART}")
    try:
        try:
            part.mkdir(parents=True)
            files = AnswerFiles(folder, part)
            yield files
            if any(part.iterdir()):
                os.replace(part, folder)
        except OSError as error:
            raise OutputError(
                f"The result cannot be written to {private}: {error.strerror or error}; is the disk full?"
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The smallest box with all of a mask; the first voxel of an empty one."""
    bounds = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 1))
    return bounds[0], bounds[1], bounds[2]
