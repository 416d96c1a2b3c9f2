"""The last lines of what a worker writes to stderr."""

from __future__ import annotations

from collections import deque

_MOST_LINES = 200
_MOST_REST = 10_000


class LogLines:
    """Bytes in as they arrive, the last lines out."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._lines.extend(_text(line) for line in lines)
        self._rest = rest[-_MOST_REST:]

    @property
    def text(self) -> str:
        """The last lines, also one that is not complete."""
        return "\n".join([*self._lines, *([_text(self._rest)] if self._rest else [])])


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
