"""`fewshotsegment transfer`: arguments in, a report out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..transfer_job import KINDS, TransferJob
from .terminal import progress_bar, say, tell

_METHODS = ("dspnet", "dspnet-published", "alpnet", "prototype", "conditional")
"""`transfer.METHODS`, which cannot be imported without torch; a test holds them together."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "transfer",
        help="find annotated structures in other patients' volumes",
        description="Find structures that are annotated in some volumes in other volumes, and segment these.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "queries", metavar="QUERY", type=Path, nargs="+", help="NIfTI, NRRD, MHA/MHD, or a folder of DICOM files"
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--support",
        metavar=("VOLUME", "ANNOTATION"),
        type=Path,
        nargs=2,
        action="append",
        default=[],
        help="annotated volume, and its .seg.nrrd or labelmap (may be given several times)",
    )
    parser.add_argument(
        "--library", metavar="FILE", type=Path, help="support library; the user's own where no support is given"
    )
    parser.add_argument(
        "--segment", metavar="NAME", action="append", default=[], help="only this one (may be given several times)"
    )
    parser.add_argument("--method", choices=_METHODS, default=_METHODS[0], help="few-shot network (default: dspnet)")
    parser.add_argument(
        "--checkpoint", metavar="FILE", type=Path, help="published checkpoint for dspnet-published or alpnet"
    )
    parser.add_argument("--no-propagation", action="store_true", help="each slice as the network alone segments it")
    parser.add_argument(
        "--modality", choices=("auto", "ct", "mr"), default="auto", help="of QUERY; ct: values in Hounsfield units"
    )
    parser.add_argument("--support-modality", choices=("auto", "ct", "mr"), default="auto", help="of --support VOLUME")
    parser.add_argument(
        "--axis", choices=("auto", "0", "1", "2"), default="auto", help="array axis the annotated slices lie across"
    )
    parser.add_argument("--series", metavar="UID", help="DICOM series of QUERY, where its folder holds several")
    parser.add_argument("--support-series", metavar="UID", help="the same of --support VOLUME")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    parser.add_argument(
        "--weights", metavar="FOLDER|NAME", help="weights that finetune has adapted; the bundled ones by default"
    )
    parser.add_argument("--format", choices=[kind[1:] for kind in KINDS], default=KINDS[0][1:], help="of the results")
    parser.add_argument("--confidence", action="store_true", help="also write probabilities beside each result")
    parser.add_argument("--force", action="store_true", help="replace output files that are there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command; volumes that could not be used are named at the end, in one error."""
    job = TransferJob(
        queries=options.queries,
        folder=options.output,
        supports=[(volume, annotation) for volume, annotation in options.support],
        library=options.library,
        segments=options.segment,
        method=options.method,
        checkpoint=options.checkpoint,
        propagate=not options.no_propagation,
        modality=options.modality,
        support_modality=options.support_modality,
        axis=None if options.axis == "auto" else int(options.axis),
        device=options.device,
        weights=options.weights,
        kind=f".{options.format}",
        confidence=options.confidence,
        force=options.force,
        series=options.series,
        support_series=options.support_series,
    )
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    with progress_bar("Finding", "step", shown=on_terminal and not options.quiet) as progress:
        report = job.run(progress)
    if not options.quiet:
        for note in report["notes"]:
            say(f"Note: {note}")
        for query in report["queries"]:
            for note in query.get("notes", ()):
                say(f"Note: {Path(query['volume']).name}: {note}")
    if options.json:
        tell(json.dumps(report))
    elif not options.quiet:
        tell(_table(report))
    failed = [query for query in report["queries"] if "error" in query]
    if failed:
        reasons = " ".join(f"{Path(query['volume']).name}: {query['error']}" for query in failed)
        raise InputError(f"{len(failed)} of {len(report['queries'])} volumes could not be used. {reasons}")


def _table(report: dict[str, Any]) -> str:
    """What was found, a line for each volume and segment."""
    rows = [(Path(q["volume"]).name, s) for q in report["queries"] for s in q.get("segments", ())]
    wide = max((len("volume"), *(len(name) for name, _ in rows)))
    width = max((len("segment"), *(len(s["name"]) for _, s in rows)))
    lines = [f"{'volume':{wide}}  {'segment':{width}}  {'found on slices':>15}  {'ml':>8}  confidence"]
    for name, s in rows:
        span = f"{s['first_slice']}–{s['last_slice']} ({s['slices_found']})" if s["slices_found"] else "not found"
        lines.append(f"{name:{wide}}  {s['name']:{width}}  {span:>15}  {s['ml']:>8.1f}  {s['confidence']:>10.2f}")
    done = [query for query in report["queries"] if "error" not in query]
    if done:
        lines.append(
            f"{len(done)} written to {Path(done[0]['output']).parent} in {report['seconds']:.1f} s on "
            f"{report['device']} with {report['method']} and {report['weights']['name']}"
        )
    return "\n".join(lines)
