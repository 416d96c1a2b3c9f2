"""`fewshotsegment library`: keep annotated slices for the next patient, look at them, hand them on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..images import check_output, read_annotation, read_volume
from ..support import Entry, SupportLibrary, collect_supports
from .terminal import say, tell


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "library",
        help="keep annotated slices for other patients' volumes",
        description="Keep annotated slices of structures in a library, to find these in other patients' volumes.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_add(actions)
    listing = _add_action(actions, "list", "list what the library holds", _list)
    _add_json(listing)
    show = _add_action(actions, "show", "show one entry", _show)
    show.add_argument("entry", metavar="ENTRY", help="id or name")
    show.add_argument("--picture", metavar="FILE.png", type=Path, help="also draw its slices (needs matplotlib)")
    _add_json(show)
    remove = _add_action(actions, "remove", "remove entries", _remove)
    remove.add_argument("entries", metavar="ENTRY", nargs="+", help="id, or name (all entries of it)")
    export = _add_action(actions, "export", "write entries to a library file of their own", _export)
    export.add_argument("file", metavar="FILE", type=Path, help=".fsslib file to write")
    export.add_argument("entries", metavar="ENTRY", nargs="*", help="id, or name (all entries of it); all by default")
    export.add_argument("--force", action="store_true", help="replace the file if it is there")
    bring = _add_action(actions, "import", "add what another library file holds", _import)
    bring.add_argument("file", metavar="FILE", type=Path, help=".fsslib file to read")
    _add_json(bring)


def _add_add(actions: Any) -> None:
    parser = _add_action(actions, "add", "add the annotated slices of a volume", _add)
    parser.add_argument("volume", metavar="VOLUME", type=Path, help="NIfTI, NRRD, MHA/MHD, or a folder of DICOM files")
    parser.add_argument("annotation", metavar="ANNOTATION", type=Path, help=".seg.nrrd, or a labelmap image")
    parser.add_argument(
        "--segment", metavar="NAME", action="append", default=[], help="add only this one (may be given several times)"
    )
    parser.add_argument(
        "--axis", choices=("auto", "0", "1", "2"), default="auto", help="array axis [z, y, x] the slices lie across"
    )
    parser.add_argument(
        "--modality", choices=("auto", "ct", "mr"), default="auto", help="ct: values in Hounsfield units"
    )
    parser.add_argument("--series", metavar="UID", help="DICOM series, where the folder holds several")
    parser.add_argument(
        "--keep-source", action="store_true", help="keep the name of the volume's file, which may be the patient's"
    )
    _add_json(parser)


def _add_action(actions: Any, name: str, words: str, run: Any) -> Any:
    parser = actions.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False)
    parser.add_argument("--library", metavar="FILE", type=Path, help="library to use; the user's own by default")
    parser.set_defaults(run=run)
    return parser


def _add_json(parser: Any) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add(options: argparse.Namespace) -> None:
    library = SupportLibrary(options.library)
    library.entries()  # a library that cannot be used is noticed before a volume is read
    volume = read_volume(options.volume, options.series)
    annotation = read_annotation(options.annotation, volume.geometry)
    supports, notes = collect_supports(
        volume,
        annotation,
        segments=options.segment,
        axis=None if options.axis == "auto" else int(options.axis),
        modality=options.modality,
        keep_source=options.keep_source,
    )
    ids = library.add(supports)
    _report(library, ids, [*notes, *library.notes], "added", options.json)


def _list(options: argparse.Namespace) -> None:
    library = SupportLibrary(options.library)
    entries = library.entries()
    if options.json:
        tell(json.dumps({"library": str(library.path), "entries": [_summary(entry) for entry in entries]}))
    elif not entries:
        tell(f"The library {library.path} is empty; add to it with “fewshotsegment library add”.")
    else:
        tell(_table(entries))


def _show(options: argparse.Namespace) -> None:
    library = SupportLibrary(options.library)
    found = library.select([options.entry])
    if len(found) > 1:
        ids = ", ".join(entry.id for entry in found)
        raise InputError(f"There are {len(found)} entries called “{options.entry}”; give one's id: {ids}.")
    (entry,) = found
    if options.picture is not None:
        target = check_output(options.picture, False, [library.path], (".png",))

        from ..support.picture import write_picture  # noqa: PLC0415 - only pictures need it

        write_picture(target, library.load([entry.id])[0])
    if options.json:
        tell(json.dumps(_details(entry)))
    else:
        tell(_describe(entry))


def _remove(options: argparse.Namespace) -> None:
    library = SupportLibrary(options.library)
    for entry in library.remove(options.entries):
        tell(f"{entry.name} ({entry.id}) removed.")


def _export(options: argparse.Namespace) -> None:
    written = SupportLibrary(options.library).export(options.file, options.entries, options.force)
    tell(f"{_count(len(written))} written to {options.file}.")


def _import(options: argparse.Namespace) -> None:
    library = SupportLibrary(options.library)
    ids = library.import_from(options.file)
    _report(library, ids, library.notes, "imported", options.json)


def _report(library: SupportLibrary, ids: Sequence[str], notes: Sequence[str], done: str, as_json: bool) -> None:
    """What has come in."""
    for note in notes:
        say(f"Note: {note}")
    new = [entry for entry in library.entries() if entry.id in ids]
    if as_json:
        report = {"library": str(library.path), done: [_summary(entry) for entry in new], "notes": list(notes)}
        tell(json.dumps(report))
        return
    lines = [f"{entry.name} {done} as {entry.id} ({_slices(entry)}, {entry.modality.upper()})." for entry in new]
    tell("\n".join(lines) or f"Nothing was {done}.")


def _summary(entry: Entry) -> dict[str, Any]:
    """What `list --json` says of an entry."""
    return {
        "id": entry.id,
        "name": entry.name,
        "color": list(entry.color),
        "modality": entry.modality,
        "slices": entry.slices,
        "spacing": list(entry.spacing),
        "added": entry.added,
        "volume_id": entry.volume_id,
        "source": entry.source,
    }


def _details(entry: Entry) -> dict[str, Any]:
    """What `show --json` says of an entry."""
    low, high, mean, deviation = entry.intensity
    return {
        **_summary(entry),
        "fields": entry.fields,
        "intensity": {"low": low, "high": high, "mean": mean, "deviation": deviation},
        "indices": [place.index for place in entry.places],
        "count": entry.places[0].count,
        "shape": list(entry.places[0].geometry.shape[1:]),
    }


def _table(entries: Sequence[Entry]) -> str:
    """A line per entry."""
    width = max(len("name"), *(len(entry.name) for entry in entries))
    lines = [f"{'id':12}  {'name':{width}}  modality  slices  {'pixel (mm)':>13}  {'added':10}  source"]
    for entry in entries:
        _, height, breadth = entry.spacing
        pixel = f"{height:.3g} × {breadth:.3g}"
        lines.append(
            f"{entry.id}  {entry.name:{width}}  {entry.modality.upper():8}  {entry.slices:>6}  {pixel:>13}  "
            f"{entry.added}  {entry.source or '–'}"
        )
    return "\n".join(lines)


def _describe(entry: Entry) -> str:
    """All there is to say of an entry, a line each."""
    across, height, width = entry.spacing
    _, rows, columns = entry.places[0].geometry.shape
    low, high, _, _ = entry.intensity
    facts = {
        "id": entry.id,
        "name": entry.name,
        "modality": entry.modality.upper(),
        "slices": f"{', '.join(str(place.index) for place in entry.places)} of {entry.places[0].count}",
        "pixels": f"{rows} × {columns} of {height:.4g} × {width:.4g} mm, slices {across:.4g} mm apart",
        "values": f"{low:g} to {high:g} are told apart",
        "volume": entry.volume_id,
        "source": entry.source or "not kept",
        "added": entry.added,
    }
    return "\n".join(f"{key:9} {value}" for key, value in facts.items())


def _slices(entry: Entry) -> str:
    return f"{entry.slices} slice{'s' if entry.slices > 1 else ''}"


def _count(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"
