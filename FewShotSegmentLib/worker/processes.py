"""Other processes by their id, without packages that Python does not bring."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

_QUERY, _STILL_ACTIVE = 0x1000, 259
"""Windows' PROCESS_QUERY_LIMITED_INFORMATION and STILL_ACTIVE."""


def kill_process(pid: int) -> None:
    """End a process by force, on Windows with its children; nothing happens if there is none."""
    if sys.platform == "win32":
        # not waited for: it takes a tenth of a second and more
        subprocess.Popen(
            ["taskkill", "/T", "/F", "/PID", str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
    else:
        with suppress(ProcessLookupError, PermissionError):  # it has ended
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether there is a process of this id; True where the system does not tell."""
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def _is_running_on_windows(pid: int) -> bool:
    import ctypes  # noqa: PLC0415 - `os.kill` would end the process there

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - only Windows has it
    handle = kernel.OpenProcess(_QUERY, False, pid)
    if not handle:
        return bool(kernel.GetLastError() == 5)  # it is there, but not ours to look at
    try:
        code = ctypes.c_uint32()
        return not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value == _STILL_ACTIVE
    finally:
        kernel.CloseHandle(handle)
