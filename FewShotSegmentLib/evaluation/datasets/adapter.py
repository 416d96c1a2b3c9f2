"""What an adapter of a data set is, and how it looks for files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ..case import Case


@dataclass(frozen=True)
class Adapter:
    """One data set, as users download it.

    Attributes:
        name: on the command line.
        title: the data set's own name.
        layout: files wanted below FOLDER, a clause that fits behind “it wants ”.
        more: what else to know before an evaluation, sentences.
        cases: all its cases below a folder, in order; what is left out goes to the list, a sentence each.
    """

    name: str
    title: str
    layout: str
    more: str
    cases: Callable[[Path, list[str]], list[Case]]

    def refuse(self, what: str) -> InputError:
        """The error that says what is missing, of which data set, and how its folder should look."""
        return InputError(f"{what}; {self.title} wants {self.layout}.")


def natural(text: str) -> list[str | int]:
    """Sort key by which “image_9” comes before “image_10”, as in the published folds; the same on every machine."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def files_below(folder: Path, *endings: str) -> list[Path]:
    """Files in a folder and its subfolders with one of these endings (lower case), in natural order of their paths.

    Hidden files and folders are left out: archives packed on a Mac hold a “._NAME” beside every file, and “__MACOSX”.

    Raises:
        InputError: a folder cannot be opened.
    """

    def stop(error: OSError) -> None:
        raise InputError(f"The folder {error.filename} cannot be opened: {error.strerror}.") from error

    found = []
    for where, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        found += [Path(where, n) for n in names if n.lower().endswith(endings) and not n.startswith(".")]
    return sorted(found, key=lambda path: natural(path.relative_to(folder).as_posix()))


def one_each(found: Iterable[tuple[str, Path]], title: str) -> dict[str, Path]:
    """{name: file} of (name, file).

    Raises:
        InputError: two files go by the same name.
    """
    files: dict[str, Path] = {}
    for name, path in found:
        if name in files:
            raise InputError(
                f"There are two files for {name} of {title}, {files[name]} and {path}; name the folder of only one."
            )
        files[name] = path
    return files


def number_of(count: int, what: str) -> str:
    """“1 image”, “2 images”."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
