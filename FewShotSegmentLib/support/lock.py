"""One writer at a time: a lock file beside the library, so that two programs that add at once lose nothing."""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import LibraryError, OutputError

_PATIENCE = 60.0
"""Seconds to wait for another writer, which copies the library once: seconds at most, even for gigabytes."""

_STALE = 600.0
"""Seconds after which a lock of another computer (or one that says nothing) is taken for left behind."""


@contextmanager
def locked(path: Path, patience: float | None = None) -> Iterator[None]:
    """Be the only one that writes to a file, among all who ask this way.

    Args:
        path: the file, which need not be there; its folder must.
        patience: seconds to wait for another one; a minute by default.

    Raises:
        LibraryError: another program did not finish in that time.
        OutputError: nothing can be written to the folder.
    """
    lock = path.with_name(f"{path.name}.lock")
    mine = json.dumps({"host": platform.node(), "pid": os.getpid(), "token": uuid.uuid4().hex})
    until = time.monotonic() + (_PATIENCE if patience is None else patience)
    while not _take(lock, mine):
        _clear_stale(lock)
        if time.monotonic() > until:
            raise LibraryError(
                f"Another program is writing to the library {path.name}; try again later, or delete {lock} if there "
                "is none."
            )
        time.sleep(0.02)
    try:
        yield
    finally:
        with suppress(OSError):
            if lock.read_text() == mine:
                lock.unlink()


def _take(lock: Path, mine: str) -> bool:
    """Whether the lock is now ours."""
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    except PermissionError as error:
        if os.name == "nt" and lock.exists():
            return False  # just being deleted by its owner
        raise OutputError(f"Nothing can be written to the folder {lock.parent}: {error.strerror}.") from error
    except OSError as error:
        raise OutputError(f"Nothing can be written to the folder {lock.parent}: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "w") as file:
            file.write(mine)
    except OSError as error:
        lock.unlink(missing_ok=True)
        raise OutputError(f"Nothing can be written to the folder {lock.parent}: {error.strerror}.") from error
    return True


def _clear_stale(lock: Path) -> None:
    """Remove a lock whose owner has gone."""
    with suppress(OSError):
        seen = lock.read_text()
        if not _is_stale(lock, seen):
            return
        # moved away first: of several who see it only one can, and what was moved can still be looked at
        aside = lock.with_name(f"{lock.name}.{uuid.uuid4().hex}")
        lock.rename(aside)
        if aside.read_text() != seen:  # another one was quicker, and this is its new lock
            with suppress(OSError):
                os.link(aside, lock)
        aside.unlink()


def _is_stale(lock: Path, seen: str) -> bool:
    try:
        owner = json.loads(seen)
        here, pid = owner["host"] == platform.node(), int(owner["pid"])
    except (ValueError, KeyError, TypeError):
        here, pid = False, 0
    if here and pid > 0 and os.name == "posix":  # elsewhere os.kill with signal 0 ends the process
        return not _is_alive(pid)
    return time.time() - lock.stat().st_mtime > _STALE


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
