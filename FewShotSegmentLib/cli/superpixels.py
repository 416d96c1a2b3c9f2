"""`fewshotsegment superpixels`: arguments in, a report out."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..superpixels import METHODS, SuperpixelJob, SuperpixelSettings
from .terminal import progress_bar, say, tell


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "superpixels",
        help="cut volumes into superpixels, to learn from them without annotation",
        description="Cut volumes into pieces of like intensity, slice by slice or in 3D; by default as published.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "volumes",
        metavar="VOLUME",
        type=Path,
        nargs="+",
        help="NIfTI, NRRD, MHA/MHD, a folder of these (but *_labels), or a folder of DICOM files",
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder for the results")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="default: felzenszwalb")
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="3: supervoxels (default: 2)")
    parser.add_argument("--scale", type=float, metavar="K", help="felzenszwalb: more joins more (default: 1)")
    parser.add_argument("--sigma", type=float, metavar="S", help="smoothing, in the finest voxel's size (default: 1)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--min-size", type=int, metavar="N", help="smallest, in pixels or voxels (default: 400 pixels; 3D: 12500 mm³)"
    )
    size.add_argument("--min-size-mm", type=float, metavar="A", help="smallest, in mm² (3D: mm³)")
    parser.add_argument("--segments", type=int, metavar="N", help="slic: how many on a slice (3D: in the volume)")
    parser.add_argument(
        "--axis", choices=("auto", "0", "1", "2"), default="auto", help="array axis [z, y, x] the slices lie across"
    )
    parser.add_argument(
        "--modality", choices=("auto", "ct", "mr"), default="auto", help="ct: values in Hounsfield units"
    )
    parser.add_argument("--series", metavar="UID", help="DICOM series, where the folder holds several")
    parser.add_argument("--jobs", type=int, metavar="N", help="volumes at a time (default: one for each processor)")
    parser.add_argument("--force", action="store_true", help="replace output files that are there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command; volumes that could not be used are named at the end, in one error."""
    given = {name: getattr(options, name) for name in ("scale", "sigma", "min_size", "min_size_mm", "segments")}
    settings = SuperpixelSettings(
        method=options.method,
        dimensions=options.dimensions,
        **{name: value for name, value in given.items() if value is not None},
    )
    job = SuperpixelJob(
        volumes=options.volumes,
        folder=options.output,
        settings=settings,
        axis=None if options.axis == "auto" else int(options.axis),
        modality=options.modality,
        force=options.force,
        jobs=options.jobs,
        series=options.series,
    )
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    with progress_bar("Cutting", "step", shown=on_terminal and not options.quiet) as progress:
        report = job.run(progress)
    if not options.quiet:
        for note in report["notes"]:
            say(f"Note: {note}")
        for entry in report["volumes"]:
            for note in entry.get("notes", ()):
                say(f"Note: {Path(entry['volume']).name}: {note}")
    if options.json:
        tell(json.dumps(report))
    elif not options.quiet:
        tell(_table(report, options.output))
    failed = [entry for entry in report["volumes"] if "error" in entry]
    if failed:
        reasons = " ".join(f"{Path(entry['volume']).name}: {entry['error']}" for entry in failed)
        raise InputError(f"{len(failed)} of {len(report['volumes'])} volumes could not be used. {reasons}")


def _table(report: dict[str, Any], folder: Path) -> str:
    """A line for each volume."""
    solid = report["settings"]["dimensions"] == 3
    unit = ("voxels", "mm³") if solid else ("px", "mm²")
    done = [entry for entry in report["volumes"] if "error" not in entry]
    width = max(len("volume"), *(len(Path(entry["volume"]).name) for entry in done), 0)
    lines = [f"{'volume':{width}}  pieces  slices  {'median ' + unit[0]:>13}  {'median ' + unit[1]:>11}"]
    for entry in done:
        sizes, areas = (entry["size_voxels"], entry["size_mm3"]) if solid else (entry["size_px"], entry["size_mm2"])
        slices = "–" if solid else str(len(entry["superpixels"]))
        lines.append(
            f"{Path(entry['volume']).name:{width}}  {sum(entry['superpixels']):>6}  {slices:>6}  "
            f"{sizes['median']:>13.0f}  {areas['median']:>11.0f}{'' if entry['made'] else '  already made'}"
        )
    made = sum(entry["made"] for entry in done)
    kept = len(done) - made
    lines.append(
        f"{made} written to {folder} in {report['seconds']:.1f} s" + (f", {kept} already made" if kept else "")
    )
    return "\n".join(lines)
