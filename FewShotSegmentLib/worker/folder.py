"""The client's private folder: voxels on their way to the worker and back."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import time
import weakref
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from .processes import is_running

ANSWERS = "answers"
"""Folder in the private folder, with a folder for each answer that has files, called as its request's id."""

PART = ".part"
"""Ending of the folder of an answer that is not complete."""


class PrivateFolder:
    """A temporary folder that only its user can read; made at first use, gone at the end of the program at the latest.

    Attributes:
        path: of it.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._at_end: weakref.finalize[..., PrivateFolder] | None = None

    @property
    def path(self) -> Path:
        """Of it; made if it is not there yet, or not any more: systems tidy temporary folders up after some days."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix=_owner(os.getpid())))  # mode 0700
            self._at_end = weakref.finalize(self, _remove, self._path)
            _remove_orphans(self._path.parent)
        elif not self._path.is_dir():
            self._path.mkdir(mode=0o700)  # under its old name: the worker was told that
        return self._path

    def discard(self, answer: dict[str, Any]) -> None:
        """Remove an answer's files; nothing else, whatever the answer says."""
        if self._path is None:
            return
        answers = self._path / ANSWERS
        for text in _texts(answer):
            try:
                folder = Path(text).parent
            except ValueError:
                continue
            if folder.parent == answers:
                shutil.rmtree(folder, ignore_errors=True)

    def drop_unfinished(self, ids: Collection[str]) -> None:
        """Remove what a worker that has ended left of these requests, and of any answer that is not complete."""
        if self._path is None or not (self._path / ANSWERS).is_dir():
            return
        for folder in (self._path / ANSWERS).iterdir():
            if folder.name in ids or folder.name.endswith(PART):
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        if self._at_end is not None:
            self._at_end()
        self._path = self._at_end = None


def _remove(path: Path) -> None:
    for _ in range(10):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.02)  # Windows keeps files of a process that was killed for a moment


def _owner(pid: int | str) -> str:
    """Beginning of the names of a process's private folders; other computers may use the same temporary folder."""
    return f"fewshotsegment-{pid}-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"


def _remove_orphans(folder: Path) -> None:
    """Remove private folders of programs that ended by force: patients' voxels are in them."""
    for path in folder.glob(f"{_owner('*')}*"):
        pid = path.name.split("-")[1]
        if pid.isdecimal() and not is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
