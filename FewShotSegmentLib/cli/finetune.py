"""`fewshotsegment finetune`: adapt the weights to one's own annotated volumes, keep them if they are better."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..finetune import AnnotatedFiles, FinetuneRequest, FinetuneSettings, WeightsStore
from ..weights import find_weights_folder
from .terminal import progress_bar, say, tell

if TYPE_CHECKING:
    from ..finetune import FinetuneResult
    from ..weights import WeightsInfo


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "finetune",
        help="adapt the weights to your own annotated volumes",
        description=(
            "Adapt the weights to annotated volumes. Some annotated slices are left out to judge by; the adapted "
            "weights are only kept if these are found better, and the weights that were there are never overwritten."
        ),
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        metavar="VOLUME ANNOTATION",
        type=Path,
        nargs="*",
        help="annotated volumes: image file or DICOM folder, and its .seg.nrrd or labelmap",
    )
    parser.add_argument("--name", metavar="NAME", help="what the adapted weights are to be called")
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, help="keep them in FOLDER/NAME; by default in the data folder"
    )
    parser.add_argument("--list", action="store_true", help="list the adapted weights there are")
    parser.add_argument("--remove", metavar="NAME", help="remove adapted weights (roll back)")
    parser.add_argument(
        "--segment", metavar="NAME", action="append", default=[], help="only this one (may be given several times)"
    )
    parser.add_argument(
        "--complete",
        action="store_true",
        help="each structure is drawn on all slices that it is on, so it is absent elsewhere",
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="time it may take (default: 5)")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of each training, instead of --minutes")
    parser.add_argument("--learning-rate", type=float, metavar="RATE", help="default: 3e-4")
    parser.add_argument("--seed", type=int, metavar="N", help="of all random numbers")
    parser.add_argument(
        "--weights", metavar="FOLDER|NAME", help="adapted weights to start from; the bundled ones by default"
    )
    parser.add_argument(
        "--axis", choices=("auto", "0", "1", "2"), default="auto", help="array axis the annotated slices lie across"
    )
    parser.add_argument(
        "--modality", choices=("auto", "ct", "mr"), default="auto", help="ct: values in Hounsfield units"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    parser.add_argument("--force", action="store_true", help="replace adapted weights of that name")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    store = WeightsStore(options.output)
    if options.list or options.remove is not None:
        if options.files or (options.list and options.remove is not None):
            raise InputError("--list and --remove stand alone, without volumes; leave out one of them.")
        _list(store, options.json) if options.list else _remove(store, options.remove, options.json)
        return
    request = _request(options)
    start_from = find_weights_folder(options.weights)
    store.check(options.name, options.force, start_from / "weights.json" if start_from else None)
    with _bar(sys.stderr is not None and sys.stderr.isatty() and not options.quiet) as progress:
        result = request.run(progress)
        folder = None
        if result.better:
            folder = store.save(options.name, result, force=options.force, command=_command(options))
    if not options.quiet:
        for note in result.notes:
            say(f"Note: {note}")
    if options.json:
        kept = {"name": options.name, "output": str(folder)} if folder else {"name": None, "output": None}
        tell(json.dumps({**result.to_json(), "kept": folder is not None, **kept}))
    elif not options.quiet:
        tell(_table(result, folder))


def _request(options: argparse.Namespace) -> FinetuneRequest:
    files = options.files
    if not files:
        raise InputError("There is no annotated volume to learn from; give VOLUME ANNOTATION.")
    if len(files) % 2:
        raise InputError(f"Volumes and annotations must be given in pairs, and {files[-1]} has no partner.")
    if not options.name:
        raise InputError("The adapted weights need a name; give one with --name.")
    given = {
        name: getattr(options, name)
        for name in ("minutes", "steps", "learning_rate", "seed")
        if getattr(options, name) is not None
    }
    if "minutes" in given and "steps" in given:
        raise InputError("--minutes and --steps exclude each other; leave out one of them.")
    cases = [
        AnnotatedFiles(
            volume,
            annotation,
            options.segment,
            None if options.axis == "auto" else int(options.axis),
            options.modality,
            options.complete,
        )
        for volume, annotation in zip(files[::2], files[1::2], strict=True)
    ]
    return FinetuneRequest(cases, FinetuneSettings(**given), options.device, options.weights)


@contextmanager
def _bar(shown: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    with progress_bar("Adapting", "unit", shown=shown) as bar:
        yield None if bar is None else lambda done, total, _phase: bar(done, total)


def _command(options: argparse.Namespace) -> str:
    """The command without files' names, which may be patients'."""
    parts = ["fewshotsegment finetune", *["VOLUME ANNOTATION"] * (len(options.files) // 2), f"--name {options.name}"]
    for name in ("minutes", "steps", "learning_rate", "seed"):
        if getattr(options, name) is not None:
            parts.append(f"--{name.replace('_', '-')} {getattr(options, name):g}")
    parts += ["--complete"] if options.complete else []
    return " ".join(parts)


def _table(result: FinetuneResult, folder: Path | None) -> str:
    """Each held-out slice, a line each, and what was decided."""
    several = len({s.volume for s in result.scores}) > 1
    names = [f"{s.volume}: {s.segment}" if several else s.segment for s in result.scores]
    width = max(len("held-out slice of"), *(len(name) for name in names))
    lines = [f"{'held-out slice of':{width}}  slice  before   after"]
    for name, s in zip(names, result.scores, strict=True):
        lines.append(f"{name:{width}}  {s.index:>5}  {s.before:>6.3f}  {s.after:>6.3f}")
    lines.append(f"{'mean':{width}}  {'':>5}  {result.before:>6.3f}  {result.after:>6.3f}")
    lines.append(result.verdict)
    took = f"{result.steps} steps each, {result.seconds:.0f} s on {result.device}"
    if folder is not None:
        lines.append(f"{folder} written ({took}); use it with --weights {folder}")
    else:
        lines.append(f"Nothing was written ({took}).")
    return "\n".join(lines)


def _list(store: WeightsStore, as_json: bool) -> None:
    infos = store.list()
    if as_json:
        entries = [_summary(info) for info in infos]
        tell(json.dumps({"folder": str(store.folder), "weights": entries}))
    elif not infos:
        tell(f"There are no adapted weights in {store.folder}.")
    else:
        tell(_listing(infos))


def _summary(info: WeightsInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "path": str(info.path.parent),
        "date": info.date,
        "sha256": info.sha256,
        "base": info.metrics["base"],
        "before": info.metrics["before"],
        "after": info.metrics["after"],
    }


def _listing(infos: Sequence[WeightsInfo]) -> str:
    width = max(len("name"), *(len(info.name) for info in infos))
    lines = [f"{'name':{width}}  {'made on':10}  before   after  folder"]
    for info in infos:
        before, after = info.metrics["before"], info.metrics["after"]
        lines.append(f"{info.name:{width}}  {info.date:10}  {before:>6.3f}  {after:>6.3f}  {info.path.parent}")
    return "\n".join(lines)


def _remove(store: WeightsStore, name: str, as_json: bool) -> None:
    folder = store.remove(name)
    if as_json:
        tell(json.dumps({"removed": name, "folder": str(folder)}))
    else:
        tell(f"{folder} removed; the bundled weights are in use where no others are asked for.")
