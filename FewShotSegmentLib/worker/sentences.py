"""What users are told of a worker that does not answer."""

from __future__ import annotations

from .messages import PROTOCOL, Ready

_AGAIN = "Nothing was changed; try again, and if it happens again, choose the device CPU or copy the diagnostics."


def not_started(program: str, error: OSError | None, code: int | None = None) -> str:
    """It cannot be started, or ended before it said a word."""
    if error is not None:
        return f"The engine cannot be started: {program}: {error.strerror or error}; install FewShotSegment again."
    how = "" if code is None else f" ({_ending(code)})"
    return f"The engine ended while it was starting{how}; install FewShotSegment again, or copy the diagnostics."


def no_folder(error: OSError) -> str:
    """There can be no folder for voxels."""
    return f"No temporary folder can be made: {error.strerror or error}; free some space on the disk and try again."


def other_version(ready: Ready) -> str:
    """Client and worker are of different versions."""
    return (
        f"The engine is of another version than the module (it speaks protocol {ready.protocol}, {PROTOCOL} is "
        "needed); install FewShotSegment again and restart."
    )


def crashed(code: int | None) -> str:
    """It ended in the middle of a request."""
    if code in (-9, 137):
        return (
            "The engine was ended from outside, perhaps since memory ran out. Nothing was changed; close other "
            "programs and try again."
        )
    return f"The engine stopped unexpectedly ({_ending(code)}). {_AGAIN}"


def slow_start() -> str:
    """No word at all after the start."""
    return "The engine does not start; it was ended. Nothing was changed; try again, or copy the diagnostics."


def silent() -> str:
    """No sign of life in the middle of a request."""
    return f"The engine no longer answers and was ended. {_AGAIN}"


def stalled() -> str:
    """Signs of life, but the work does not move."""
    return f"The engine does not get any further and was ended. {_AGAIN}"


def _ending(code: int | None) -> str:
    if code is None:
        return "it is not known how"
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code:#x}" if code > 255 else f"exit code {code}"  # Windows' are made to be read so
