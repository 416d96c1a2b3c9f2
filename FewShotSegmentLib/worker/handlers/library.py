"""The support library: list, add, remove, import, export."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, LibraryError, OutputError
from ...support import Entry, Support, SupportLibrary
from ..answers import AnswerFiles, answer_files
from ..inputs import terminology_of
from ..job import Job
from ..messages import Library
from ..thumbnails import draw_thumbnail


def work_on_library(request: Library, job: Job) -> dict[str, Any]:
    """Do one of the actions and list what is in the library then."""
    if request.action not in _ACTIONS:
        raise InputError(f"A library cannot “{request.action}”; it can {', '.join(_ACTIONS)}.")
    library = SupportLibrary(request.library or None)
    job.progress(0, 1, "reading")
    done, notes = _ACTIONS[request.action](library, request, job)
    entries = library.entries()
    listed = []
    with answer_files(job.folder, job.id) as files:
        for number, entry in enumerate(entries):
            if request.action == "list":
                job.check_cancelled()  # whatever else was done is done: its answer must come
            picture = ""
            if request.thumbnails:
                try:
                    picture = _thumbnail(library, entry, job, files)
                except LibraryError as error:  # one damaged entry does not hide the others
                    notes.append(f"{entry.name}: {error}")
            listed.append(_describe(entry, picture))
            job.progress(number + 1, len(entries), "reading")
    return {"entries": listed, "notes": notes, "path": str(library.path), **done}


_Done = tuple[dict[str, Any], list[str]]


def _list(library: SupportLibrary, request: Library, job: Job) -> _Done:
    return {}, []


def _add(library: SupportLibrary, request: Library, job: Job) -> _Done:
    if request.case is None or not request.case.segments:
        raise InputError("There is nothing to add; annotate a segment on at least one slice.")
    library.entries()  # a library that cannot be used is noticed before a volume is read
    job.loading()

    from .transfer import supports_of  # noqa: PLC0415 - only this action needs it

    supports: list[Support] = []
    notes: list[str] = []
    for axis in sorted({segment.axis for segment in request.case.segments}):
        segments = [segment for segment in request.case.segments if segment.axis == axis]
        supports += supports_of(request.case, segments, axis, notes)
        job.check_cancelled()
    added = library.add(supports)
    return {"added": added}, [*notes, *library.notes]


def _remove(library: SupportLibrary, request: Library, job: Job) -> _Done:
    if not request.entries:
        raise InputError("There is nothing to remove; choose an entry.")
    return {"removed": [entry.id for entry in library.remove(request.entries)]}, list(library.notes)


def _import(library: SupportLibrary, request: Library, job: Job) -> _Done:
    if not request.path:
        raise InputError("There is no library to import; choose a file.")
    return {"added": library.import_from(request.path)}, list(library.notes)


def _export(library: SupportLibrary, request: Library, job: Job) -> _Done:
    if not request.path:
        raise InputError("There is no file to export to; name one.")
    if os.path.lexists(request.path):
        raise OutputError(f"{request.path} exists already; choose another name.")
    return {"exported": [entry.id for entry in library.export(request.path, request.entries)]}, list(library.notes)


_ACTIONS: dict[str, Callable[[SupportLibrary, Library, Job], _Done]] = {
    "list": _list,
    "add": _add,
    "remove": _remove,
    "import": _import,
    "export": _export,
}


def _describe(entry: Entry, picture: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "color": list(entry.color),
        "modality": entry.modality,
        "slices": entry.slices,
        "added": entry.added,
        "terminology": terminology_of(entry.fields),
        "thumbnail": picture,
    }


def _thumbnail(library: SupportLibrary, entry: Entry, job: Job, files: AnswerFiles) -> str:
    """File with an entry's picture; drawn once, since its voxels must be unpacked for it."""
    key = (str(library.path), entry.id)
    picture: NDArray[np.uint8] | None = job.kept.thumbnails.get(key)
    if picture is None:
        (support,) = library.load([entry.id])
        picture = job.kept.thumbnails[key] = draw_thumbnail(support)
    return files.add(picture)
