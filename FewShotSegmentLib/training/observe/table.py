"""A table of numbers in a CSV file that grows by rows, survives any end of the program, and can be taken back."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files import Notes, replace_file

STEP = "step"
"""The first column of every table; rows have rising steps."""


class CsvTable:
    """Rows of numbers by step, appended to a file.

    The header is written once. A number that a row does not have, or nan, is an empty cell. A last line that was cut
    (the program was killed in the middle of it) is removed before anything is added. A row of a step that the file has
    already takes the place of that row and of all after it: training that begins again before its first checkpoint
    tells its steps twice. Rows that cannot be written are kept and tried again with the next ones.

    Attributes:
        path: of the file.
        notes: what could not be written, a sentence.
    """

    def __init__(self, path: Path, columns: Sequence[str] = (), flush_every: int = 1):
        """Nothing is read or written yet.

        Args:
            path: of the file; its folder is made when needed.
            columns: names in their order, `step` first; others are added at the end when a row brings them.
            flush_every: rows that are written together.
        """
        self.path = path
        self.notes = Notes()
        self._columns = list(dict.fromkeys([STEP, *columns]))
        self._flush_every = flush_every
        self._waiting: list[dict[str, float]] = []
        self._size: int | None = None
        self._last = -math.inf

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row; it reaches the file at the latest with `flush`."""
        self._waiting.append(dict(row))
        if len(self._waiting) >= self._flush_every:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A disk that is full gives a note, and the rows wait on."""
        if not self._waiting:
            return
        try:
            self._write()
        except OSError as error:
            self._size = None  # what reached the file is not known; look before the next row
            self.notes.once("write", _sentence(self.path, error))
        else:
            self._waiting.clear()

    def drop_after(self, step: float) -> None:
        """Remove the rows of later steps."""
        self._waiting = [row for row in self._waiting if row[STEP] <= step]
        try:
            if self.path.exists():
                self._rewrite(step)
        except OSError as error:
            self._size = None
            self.notes.once("write", _sentence(self.path, error))

    def _write(self) -> None:
        if self._size is None:
            self._open()
        first = self._waiting[0][STEP]
        if first <= self._last:
            self._rewrite(math.nextafter(first, -math.inf))
        new = [name for row in self._waiting for name in row if name not in self._columns]
        if new:
            self._columns += list(dict.fromkeys(new))
            self._rewrite(math.inf)
        lines = _lines([[_cell(row.get(name, math.nan)) for name in self._columns] for row in self._waiting])
        with self.path.open("r+b") as file:
            file.seek(self._size or 0)
            file.write(lines)
            file.flush()
            file.truncate()
        self._size = (self._size or 0) + len(lines)
        self._last = self._waiting[-1][STEP]

    def _open(self) -> None:
        """Take up a file that is there, or begin one."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        header, rows = _parse(content)
        if not header:
            # an empty or foreign file; a foreign one was moved by nobody and must not be lost
            if content.strip():
                self.path.replace(self.path.with_name(f"{self.path.name}.old"))
            replace_file(self.path, _lines([self._columns]))
            self._size = len(_lines([self._columns]))
            self._last = -math.inf
            return
        self._columns = header + [name for name in self._columns if name not in header]
        if self._columns != header or not content.endswith(b"\n"):
            self._rewrite(math.inf)
            return
        self._size = len(content)
        self._last = float(rows[-1][0]) if rows else -math.inf

    def _rewrite(self, step: float) -> None:
        """The file anew, whole rows up to a step, with the columns of now."""
        header, rows = _parse(self.path.read_bytes())
        if self._size is None:
            self._columns = header + [name for name in self._columns if name not in header]
        kept = [row + [""] * (len(self._columns) - len(row)) for row in rows if float(row[0]) <= step]
        content = _lines([self._columns, *kept])
        replace_file(self.path, content)
        self._size = len(content)
        self._last = float(kept[-1][0]) if kept else -math.inf


def read_table(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a table by name, float64 [rows], nan where a cell is empty; nothing if there is no such file.

    Lines that are damaged or cut are left out.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    whole = _parse_whole(content)
    if whole is not None:
        return whole
    header, rows = _parse(content)
    cells = np.array([[cell or "nan" for cell in row] for row in rows], dtype=np.float64).reshape(-1, len(header) or 1)
    return {name: cells[:, place] for place, name in enumerate(header)}


def _parse_whole(content: bytes) -> dict[str, NDArray[np.float64]] | None:
    """Columns of a table without damage, or None; five times as fast, 0.2 s for 100 000 rows."""
    header, _, body = content.partition(b"\n")
    names = header.decode("utf-8", errors="replace").split(",")
    if names[0] != STEP or not body.endswith(b"\n") or b'"' in header:
        return None
    # twice, since neighbouring empty cells share a comma
    body = body.replace(b",,", b",nan,").replace(b",,", b",nan,").replace(b",\n", b",nan\n")
    try:
        cells = np.loadtxt(io.BytesIO(body), delimiter=",", ndmin=2, comments=None)
    except ValueError:
        return None
    if cells.shape[1] != len(names) or np.isnan(cells[:, 0]).any():
        return None
    return {name: cells[:, place] for place, name in enumerate(names)}


def _parse(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Header and whole rows; a header that does not begin with the step is none."""
    # what follows the last line end was cut
    text = content[: content.rfind(b"\n") + 1].decode("utf-8", errors="replace")
    lines = csv.reader(io.StringIO(text))
    header = next(lines, [])
    if not header or header[0] != STEP:
        return [], []
    return header, [row for row in lines if len(row) == len(header) and row[0] and all(map(_is_number, row))]


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _cell(value: float) -> str:
    if math.isnan(value):
        return ""
    if float(value).is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(float(value))  # the shortest text that gives the same bits


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _sentence(path: Path, error: OSError) -> str:
    return (
        f"{path.name} could not be written ({error.strerror or error}); training goes on, and what is missing is "
        f"added as soon as {os.fspath(path.parent)} has room again."
    )
