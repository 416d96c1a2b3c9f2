"""Writing the report's files: all of a file or nothing of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ...errors import OutputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Args:
        path: the file; its folder is made.
        content: all of it.

    Raises:
        OutputError: it cannot be written there.
    """
    part = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp keeps files to their owner; a report is for others to read too.
        os.chmod(part, 0o644)
        os.replace(part, path)
    except OSError as error:
        if part:
            Path(part).unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written ({error.strerror or error}); choose another folder.") from error


def write_text(path: Path, content: str) -> None:
    """Write a text file, UTF-8 with Unix line ends on every machine; see `write_bytes`."""
    write_bytes(path, content.encode("utf-8"))
