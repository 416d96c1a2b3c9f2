"""The worker's two streams, taken away from everything else in its process."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple


class Streams(NamedTuple):
    """File descriptors that only the protocol uses."""

    requests: int
    answers: int


def take_streams() -> Streams:
    """Keep stdin and stdout for the protocol: from here on others read nothing and print to stderr.

    What a library prints would end up between the messages. On Windows a thread that waits for a pipe also stops
    everybody who only looks at it, as C libraries do with stdin when they are loaded.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no stderr
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return Streams(requests, answers)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything; raises OSError when nobody listens any more."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
