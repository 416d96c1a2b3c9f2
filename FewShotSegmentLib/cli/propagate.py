"""`fewshotsegment propagate`: arguments in, a report out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..job import PropagateJob
from .terminal import progress_bar, say, tell


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "propagate",
        help="carry annotated slices through a volume",
        description="Carry one or more annotated slices of each structure through the whole volume.",
        allow_abbrev=False,
    )
    parser.add_argument("volume", metavar="VOLUME", type=Path, help="NIfTI, NRRD, MHA/MHD, or a folder of DICOM files")
    parser.add_argument("annotation", metavar="ANNOTATION", type=Path, help=".seg.nrrd, or a labelmap image")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".seg.nrrd, or .nii.gz, .nii, .nrrd, .mha"
    )
    parser.add_argument(
        "--segment",
        metavar="NAME",
        action="append",
        default=[],
        help="carry only this one (may be given several times)",
    )
    parser.add_argument(
        "--axis", choices=("auto", "0", "1", "2"), default="auto", help="array axis [z, y, x] the slices lie across"
    )
    parser.add_argument(
        "--slices", metavar="FIRST:LAST", help="only these slices may hold a structure (counted from 0, both included)"
    )
    parser.add_argument(
        "--modality", choices=("auto", "ct", "mr"), default="auto", help="ct: values in Hounsfield units"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    parser.add_argument(
        "--weights", metavar="FOLDER|NAME", help="weights that finetune has adapted; the bundled ones by default"
    )
    parser.add_argument(
        "--confidence", metavar="FILE", type=Path, help="also write probabilities (one segment 3D, else 4D)"
    )
    parser.add_argument("--series", metavar="UID", help="DICOM series, where the folder holds several")
    parser.add_argument("--force", action="store_true", help="replace output files that are there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    job = PropagateJob(
        volume=options.volume,
        annotation=options.annotation,
        output=options.output,
        segments=options.segment,
        axis=None if options.axis == "auto" else int(options.axis),
        slices=_parse_slices(options.slices),
        modality=options.modality,
        device=options.device,
        weights=options.weights,
        confidence=options.confidence,
        force=options.force,
        series=options.series,
    )
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    with progress_bar("Carrying", "slice", shown=on_terminal and not options.quiet) as progress:
        report = job.run(progress)
    if not options.quiet:
        for note in report["notes"]:
            say(f"Note: {note}")
    if options.json:
        tell(json.dumps(report))
    elif not options.quiet:
        tell(_table(report))


def _parse_slices(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        first, last = (int(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"--slices {text} is not of the form FIRST:LAST, such as 20:80.") from None
    return first, last


def _table(report: dict[str, Any]) -> str:
    """What was found, a line per segment."""
    width = max(len("segment"), *(len(s["name"]) for s in report["segments"]))
    lines = [f"{'segment':{width}}  annotated  found on slices       ml  confidence"]
    for s in report["segments"]:
        anchors = ", ".join(str(a) for a in s["anchors"][:3]) + (" …" if len(s["anchors"]) > 3 else "")
        span = f"{s['first_slice']}–{s['last_slice']} ({s['slices_found']})"
        mean = sum(s["slice_confidence"].values()) / len(s["slice_confidence"])
        lines.append(f"{s['name']:{width}}  {anchors:>9}  {span:>15}  {s['ml']:>7.1f}  {mean:>10.2f}")
    lines.append(
        f"{report['output']} written in {report['seconds']:.1f} s on {report['device']} "
        f"with {report['weights']['name']}"
    )
    return "\n".join(lines)
