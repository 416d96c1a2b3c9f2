"""Messages as lines: strict both ways, so that a mistake shows where it is made."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from .messages import Event, ProtocolError, Request

MOST_BYTES = 64 * 2**20
"""Longest line: voxels lie in files, so that anything longer is a mistake."""


def to_line(message: Request | Event) -> bytes:
    """One line of UTF-8 with its end.

    Raises:
        ProtocolError: the message holds something that its type does not allow.
    """
    kind = type(message).kind
    if _types().get(kind) is not type(message):
        raise ProtocolError(f"{type(message).__name__} is no message that can be sent.")
    plain = {field.name: _plain(getattr(message, field.name)) for field in fields(message)}
    _build(type(message), plain, kind)
    try:
        text = json.dumps({"kind": kind, **plain}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"The message “{kind}” holds what JSON cannot say ({error}).") from error
    line = text.encode("ascii") + b"\n"
    if len(line) > MOST_BYTES:
        raise ProtocolError(_too_long())
    return line


def from_line(line: bytes) -> Request | Event:
    """The message of a line.

    Raises:
        ProtocolError: it is none; the text says why.
    """
    if len(line) > MOST_BYTES:
        raise ProtocolError(_too_long())
    content = _parse(line)
    if not isinstance(content, dict):
        raise ProtocolError("The line is no message: it is not a JSON object.")
    kind = content.pop("kind", None)
    if not isinstance(kind, str) or kind not in _types():
        raise ProtocolError(f"There is no message of the kind {kind!r}.")
    message = _build(_types()[kind], content, kind)
    assert isinstance(message, Request | Event)
    return message


def id_of(line: bytes) -> str:
    """The id that a line which is no message has nevertheless, so that its sender can be told; else ""."""
    try:
        content = _parse(line[:MOST_BYTES])
    except ProtocolError:
        return ""
    given = content.get("id") if isinstance(content, dict) else None
    return given if isinstance(given, str) else ""


class LineSplitter:
    """Bytes as they arrive in, whole lines out."""

    def __init__(self, most: int = MOST_BYTES):
        self._most = most
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Lines that are complete now, without their ends.

        Of one that is too long more than `most` bytes come, which are no message.
        """
        *complete, rest = data.split(b"\n")
        for piece in complete:
            self._keep(piece)
            line = b"".join(self._parts)
            self._parts, self._length = [], 0
            yield line
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        room = self._most + 1 - self._length  # the one byte more tells that it is too long
        if piece and room > 0:
            self._parts.append(piece[:room])
            self._length += min(len(piece), room)


def _too_long() -> str:
    return f"The line is longer than {MOST_BYTES // 2**20} MiB, which no message is."


def _parse(line: bytes) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    try:
        return json.loads(line.decode("utf-8"), parse_constant=refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("The line is no message: it is not JSON.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name comes twice")
    return content


def _plain(value: Any) -> Any:
    """A value of a message without dataclasses in it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(inner) for key, inner in asdict(value).items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


@cache
def _types() -> dict[str, type]:
    """{kind: type} of everything that is sent."""
    found: dict[str, type] = {}
    waiting: list[type[Request] | type[Event]] = [Request, Event]
    while waiting:
        here = waiting.pop()
        waiting += here.__subclasses__()
        if here.kind:
            assert here.kind not in found, here.kind
            found[here.kind] = here
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _build(kind: type, content: dict[str, Any], where: str) -> Any:
    """A dataclass from a JSON object that has all of its fields and no others."""
    hints = _hints(kind)
    for name in hints:
        if name not in content:
            raise ProtocolError(f"In the message “{where}”, “{name}” is missing.")
    for name in content:
        if name not in hints:
            raise ProtocolError(f"In the message “{where}”, “{name}” is not known.")
    return kind(**{name: _decode(hint, content[name], f"{where}.{name}") for name, hint in hints.items()})


def _decode(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, Union):
        return _decode_union(get_args(hint), value, where)
    if origin is list and isinstance(value, list):
        (inner,) = get_args(hint)
        return [_decode(inner, item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        _, inner = get_args(hint)
        for key in value:
            if not isinstance(key, str):
                raise ProtocolError(f"In a message, “{where}” has a name that is no text: {key!r}.")
        return {key: _decode(inner, item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _build(hint, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    elif isinstance(hint, type) and type(value) is hint:  # a bool is no int here
        return value
    raise ProtocolError(f"In a message, “{where}” is {_shown(value)}, which is not what belongs there.")


def _decode_union(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in hints:
        return None
    (wanted,) = (hint for hint in hints if hint is not type(None))
    return _decode(wanted, value, where)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
