"""Files that grow or change while training goes on: replaced in one step, and no failure of the training."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and give it its name: a reader sees the old one or the new one, never half.

    Raises:
        OSError: no space, no permission; then the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".fewshotsegment-", suffix=path.suffix, dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class Notes(list[str]):
    """Sentences for the user, each kind once: a disk that is full is full at every step."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: set[str] = set()

    def once(self, kind: str, sentence: str) -> None:
        """Add a sentence unless one of this kind is there."""
        if kind not in self._kinds:
            self._kinds.add(kind)
            self.append(sentence)
