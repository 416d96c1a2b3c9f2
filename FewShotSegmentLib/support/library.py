"""The support library: annotated slices kept for the next patient, in one file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..errors import LibraryError, OutputError
from ..images import check_output
from .archive import LIBRARY, Archive, open_archive, write_archive, written_whole
from .lock import locked
from .record import Entry, pack
from .slices import Support

_LISTED = 20
"""Entries that a sentence names at most."""

_Part = tuple[Entry, Callable[[], bytes]]


def default_library_path() -> Path:
    """The user's library: what the environment variable FEWSHOTSEGMENT_LIBRARY names, else one in the data folder."""
    given = os.environ.get("FEWSHOTSEGMENT_LIBRARY")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path  # noqa: PLC0415 - needed only where no library is named

    return user_data_path("FewShotSegment", appauthor=False) / f"library{LIBRARY}"


class SupportLibrary:
    """A library file; nothing is opened or made before it is needed.

    The file and its folder are made by the first `add` or `import_from`; nothing that is in it is ever overwritten.

    Attributes:
        path: of the file.
        notes: what the user should know of the last call, a sentence each.
    """

    def __init__(self, path: str | Path | None = None):
        self.path = Path(path) if path is not None else default_library_path()
        self.notes: list[str] = []

    def entries(self) -> list[Entry]:
        """What is in it, in the order in which it was added, without voxels; nothing where there is no file yet.

        Raises:
            LibraryError: the file is not a library, damaged or of a newer version (as of all that follow).
        """
        if not os.path.lexists(self.path):
            return []
        with open_archive(self.path) as archive:
            return archive.entries

    def select(self, selection: Sequence[str]) -> list[Entry]:
        """Entries by id or by the structure's name (in capitals or not), in the library's order; all of a name.

        Raises:
            LibraryError: there is none of such an id or name; the text lists those there are.
        """
        return _select(self.entries(), selection, self.path)

    def load(self, selection: Sequence[str] = ()) -> list[Support]:
        """Supports by id or name, as `select` finds them; all by default.

        Raises:
            LibraryError: there is no such entry, or its voxels are damaged.
        """
        if not os.path.lexists(self.path):
            _select([], selection, self.path)
            return []
        with open_archive(self.path) as archive:
            chosen = _select(archive.entries, selection, self.path) if selection else archive.entries
            return [archive.support(entry) for entry in chosen]

    def add(self, supports: Sequence[Support]) -> list[str]:
        """Add supports.

        A structure that is there already, drawn in the same way on the same volume, is left out and noted.

        Returns:
            Ids of the new entries.

        Raises:
            LibraryError: the library is damaged, or another program keeps writing to it.
            OutputError: it cannot be written.
        """
        packed = [pack(support) for support in supports]  # before the lock: this is what takes long
        return self._append([(entry, partial(_same, data)) for entry, data in packed])

    def import_from(self, path: str | Path) -> list[str]:
        """Add what another library file holds; what is there already is left out and noted.

        Returns:
            Ids of the new entries.

        Raises:
            LibraryError: that file or this library is damaged; nothing is imported then.
            OutputError: this library cannot be written.
        """
        with open_archive(Path(path)) as archive:
            for entry in archive.entries:
                archive.support(entry)  # what is damaged must not come in
            return self._append(_parts_of(archive, archive.entries))

    def remove(self, selection: Sequence[str]) -> list[Entry]:
        """Remove entries by id or name, as `select` finds them; of the others nothing changes.

        Returns:
            What was removed.

        Raises:
            LibraryError: there is no such entry; nothing is removed then.
            OutputError: the library cannot be written.
        """
        self.notes = []
        if not self.select(selection):
            return []
        with locked(self.path.resolve()), written_whole(self.path) as file, open_archive(self.path) as archive:
            gone = _select(archive.entries, selection, self.path)
            ids = {entry.id for entry in gone}
            kept = [entry for entry in archive.entries if entry.id not in ids]
            write_archive(file, _parts_of(archive, kept), archive.others)
        return gone

    def export(self, path: str | Path, selection: Sequence[str] = (), force: bool = False) -> list[Entry]:
        """Write entries to a library file of their own.

        Args:
            path: file to write, `.fsslib`.
            selection: ids or names, as for `select`; all by default.
            force: whether a file that is there may be replaced.

        Returns:
            What was written.

        Raises:
            LibraryError: there is no such entry, or nothing at all.
            OutputError: it cannot be written there.
        """
        self.notes = []
        target = check_output(path, force, [self.path], (LIBRARY,))
        if not self.entries():
            raise LibraryError(_empty(self.path))
        with written_whole(target) as file, open_archive(self.path) as archive:
            chosen = _select(archive.entries, selection, self.path) if selection else archive.entries
            for entry in chosen:
                archive.support(entry)  # a damaged one is noticed here, not where it is taken to
            write_archive(file, _parts_of(archive, chosen), archive.others)
        return chosen

    def _append(self, parts: Sequence[_Part]) -> list[str]:
        """Add what is not there yet; returns the new ids."""
        self.notes = []
        if not parts:
            return []
        path = self.path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
        with locked(path):
            new = self._new_parts(parts, {entry.id for entry in self.entries()} if path.exists() else set())
            if not new:
                return []
            with written_whole(path) as file:
                if path.exists():
                    with open_archive(path) as archive:
                        write_archive(file, [*_parts_of(archive, archive.entries), *new], archive.others)
                else:
                    write_archive(file, new, {})
        return [entry.id for entry, _ in new]

    def _new_parts(self, parts: Sequence[_Part], known: set[str]) -> list[_Part]:
        new = []
        for entry, packed in parts:
            if entry.id in known:
                self.notes.append(
                    f"{entry.name} is in the library already, drawn in the same way on the same volume, and was left "
                    f"out (entry {entry.id})."
                )
                continue
            known.add(entry.id)
            new.append((entry, packed))
        return new


def _same(data: bytes) -> bytes:
    return data


def _parts_of(archive: Archive, entries: Sequence[Entry]) -> list[_Part]:
    return [(entry, partial(archive.packed, entry)) for entry in entries]


def _select(entries: Sequence[Entry], selection: Sequence[str], path: Path) -> list[Entry]:
    """Entries by id or name; raises LibraryError for one that is not there."""
    for wanted in selection:
        if not entries:
            raise LibraryError(_empty(path))
        if not any(_is_called(entry, wanted) for entry in entries):
            known = [f"{entry.name} ({entry.id})" for entry in entries]
            more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
            raise LibraryError(
                f"There is no entry “{wanted}” in the library {path.name}; there are: "
                f"{', '.join(known[:_LISTED])}{more}."
            )
    return [entry for entry in entries if any(_is_called(entry, wanted) for wanted in selection)]


def _is_called(entry: Entry, wanted: str) -> bool:
    return wanted.lower() == entry.id or plain_name(wanted) == plain_name(entry.name)


def plain_name(name: str) -> str:
    """A name without what cannot be seen or is not meant: capitals, and the ways to write one accented letter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _empty(path: Path) -> str:
    return f"The library {path} is empty; add to it with “fewshotsegment library add”."
