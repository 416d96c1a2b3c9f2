"""The library's file, `.fsslib`: a zip with `library.json` and the packed voxels of each entry.

The voxels are safetensors, gzipped one by one and stored in the zip as they are: to add the hundredth entry,
ninety-nine are copied instead of being packed anew. Nothing is unpickled and nothing is unpacked to the disk.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import LibraryError, OutputError
from .record import Entry, most_bytes, parse_entry, unpack
from .slices import Support

LIBRARY = ".fsslib"
FORMAT = "fewshotsegment-library"
VERSION = 1

_INDEX = "library.json"
_MOST_INDEX = 64 * 2**20
"""Bytes of `library.json`: an entry takes about one kilobyte and 300 bytes a slice."""

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can hold: the same content is to give the same bytes."""


class Archive:
    """An opened library file.

    Attributes:
        path: of the file.
        entries: in the order in which they were added.
        others: what else `library.json` says, to be kept.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile):
        self.path = path
        self._file = file
        self.entries, self.others = _read_index(path, file)

    def packed(self, entry: Entry) -> bytes:
        """An entry's packed voxels; raises LibraryError if they are damaged."""
        with _reading(self.path, f" (entry {entry.id})"):
            info = self._file.getinfo(_member(entry))
            if info.file_size > most_bytes(entry):
                raise ValueError
            return self._file.read(info)

    def support(self, entry: Entry) -> Support:
        """An entry with its voxels; raises LibraryError if they are damaged."""
        packed = self.packed(entry)
        with _reading(self.path, f" (entry {entry.id})"):
            return unpack(entry, packed)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a library file for reading.

    Raises:
        LibraryError: it is not there, not a library, damaged, or written by a newer version.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise LibraryError(f"There is no library {path}.") from error
    except OSError as error:
        if path.is_dir():
            raise LibraryError(f"{path} is a folder; give the library's file.") from error
        raise LibraryError(f"The library {path} cannot be opened: {error.strerror}.") from error
    with file:
        start = file.read(4)
        if start not in (b"", b"PK\3\4"):
            raise LibraryError(_not_a_library(path))
        with _reading(path):
            content = zipfile.ZipFile(file)
        with content:
            yield Archive(path, content)


def write_archive(file: IO[bytes], parts: Sequence[tuple[Entry, Callable[[], bytes]]], others: dict[str, Any]) -> None:
    """Write a library; the same content gives the same bytes.

    Args:
        file: opened for writing (see `written_whole`).
        parts: entries, each with what gives its packed voxels; taken one at a time.
        others: what else `library.json` is to say.

    Raises:
        LibraryError: an entry that is copied is damaged.
    """
    index = {**others, "format": FORMAT, "version": VERSION, "entries": [entry.record for entry, _ in parts]}
    text = json.dumps(index, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    with zipfile.ZipFile(file, "w") as content:
        content.writestr(_info(_INDEX), text.encode("utf-8"), zipfile.ZIP_DEFLATED)
        for entry, packed in parts:
            content.writestr(_info(_member(entry)), packed(), zipfile.ZIP_STORED)


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file beside the final one, whose name it takes only when all has been written.

    Until then what was there stays as it was; it must be closed by then (Windows replaces no opened file).

    Raises:
        OutputError: the disk is full, or nothing can be written there.
    """
    path = path.resolve()  # a link keeps pointing where it did
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".fewshotsegment-", suffix=path.suffix, dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        # mkstemp makes files that only their owner can read
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        part.replace(path)  # one step: at any moment the old file or the new one is there
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written to {path.parent}: {error.strerror or error}.") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.create_system = 3  # the same bytes on Windows
    info.external_attr = 0o644 << 16
    return info


def _member(entry: Entry) -> str:
    return f"entries/{entry.id}.safetensors.gz"


def _read_index(path: Path, file: zipfile.ZipFile) -> tuple[list[Entry], dict[str, Any]]:
    """Entries, and what else `library.json` says."""
    if _INDEX not in file.namelist():
        raise LibraryError(_not_a_library(path))
    with _reading(path):
        info = file.getinfo(_INDEX)
        if info.file_size > _MOST_INDEX or len(set(file.namelist())) < len(file.namelist()):
            raise ValueError
        content = json.loads(file.read(info).decode("utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise LibraryError(_not_a_library(path))
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise LibraryError(
            f"The library {path.name} was written by a newer version of FewShotSegment; update FewShotSegment."
        )
    with _reading(path):
        if type(version) is not int or version < 1:
            raise ValueError
        entries = [parse_entry(record) for record in content["entries"]]
        if len({entry.id for entry in entries}) < len(entries):
            raise ValueError
    return entries, {key: value for key, value in content.items() if key not in ("format", "version", "entries")}


@contextmanager
def _reading(path: Path, where: str = "") -> Iterator[None]:
    """Whatever can come of reading a damaged or forged file is one sentence."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,  # a member with a password; NotImplementedError, a packing that Python does not know; nesting
        ValueError,
        OverflowError,
        LookupError,  # a member or a key is missing
        TypeError,
        AttributeError,
    ) as error:
        raise LibraryError(
            f"The library {path.name} is damaged or not complete{where}; put back a copy of it."
        ) from error


def _not_a_library(path: Path) -> str:
    return f"{path.name} is not a library of FewShotSegment; give a {LIBRARY} file."
