"""Data sets by adapter: cases from folders as users download them, and the published preprocessing (`presets`)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ...errors import InputError
from ..case import Case
from . import abdomenct1k, chaos, generic, mscmr, msd, presets, sabs, subtasks, sunnybrook
from .adapter import Adapter

__all__ = ["explain", "find", "names", "presets", "subtasks"]

_ADAPTERS: dict[str, Adapter] = {
    room.ADAPTER.name: room.ADAPTER for room in (chaos, sabs, mscmr, abdomenct1k, msd, sunnybrook, generic)
}


def names() -> tuple[str, ...]:
    """Names of the data sets that can be evaluated."""
    return tuple(_ADAPTERS)


def find(spec: str, notes: list[str]) -> list[Case]:
    r"""The cases of a data set, without reading their images.

    Args:
        spec: "DATASET:FOLDER", such as "chaos:/data/CHAOS" or "generic:C:\scans".
        notes: what was left out or chosen is added, a sentence each.

    Returns:
        At least one case, in the data set's order, which is the same on every machine; all of different names.

    Raises:
        InputError: unknown data set, no such folder, or missing files; the text says which, and the layout wanted.
    """
    name, colon, place = spec.partition(":")
    adapter = _ADAPTERS.get(name.strip().lower())
    if not colon or not place.strip() or adapter is None:
        raise InputError(
            f"“{spec}” names no data to evaluate; write DATASET:FOLDER, with one of {', '.join(_ADAPTERS)}."
        )
    try:
        folder = Path(place.strip()).expanduser()
        there = folder.is_dir()
    except (OSError, RuntimeError) as error:
        raise InputError(f"The folder {place} cannot be opened ({error}).") from error
    if not there:
        raise adapter.refuse(f"There is no folder {folder}")
    try:
        cases = adapter.cases(folder, notes)
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be opened: {error.strerror}.") from error
    if not cases:
        raise adapter.refuse(f"There is no case in {folder}")
    name, count = Counter(case.name for case in cases).most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} cases in {folder} are called {name}; every case needs a name of its own.")
    return cases


def explain(name: str) -> str:
    """How the folder of a data set must look, a few sentences.

    Raises:
        InputError: there is no such data set.
    """
    if name not in _ADAPTERS:
        raise InputError(f"There is no data set {name}; there are {', '.join(_ADAPTERS)}.")
    adapter = _ADAPTERS[name]
    return f"{adapter.name}: {adapter.title} wants {adapter.layout}. {adapter.more}"
