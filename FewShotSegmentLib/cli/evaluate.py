"""`fewshotsegment evaluate`: arguments in, a report out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Cancelled, InputError
from .terminal import progress_bar, say, tell

PROTOCOLS = ("published", "whole-volume", "one-slice", "interactive", "robustness")
"""Names, so that --help needs nothing that is slow to import; a test compares them with `evaluation.protocols`."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how good methods are on labelled data",
        description="Measure methods on labelled data, as publications do and as users work, and write a report. "
        "Ctrl-C stops it; the same command goes on from there.",
        epilog="Data sets are folders as they are downloaded; `--data NAME:help` says how one has to look.",
        allow_abbrev=False,
    )
    parser.add_argument("protocol", metavar="PROTOCOL", choices=PROTOCOLS, help=", ".join(PROTOCOLS))
    parser.add_argument(
        "--data",
        metavar="DATASET:FOLDER",
        action="append",
        required=True,
        help="e.g. chaos:Train_Sets, generic:my_scans (may be given several times)",
    )
    parser.add_argument("-o", "--output", metavar="REPORT_DIR", type=Path, help="for the report; a new folder, or the "
                        "one of a run that was stopped")  # fmt: skip
    parser.add_argument("--methods", metavar="A,B,…", help="methods; the usual ones by default")
    parser.add_argument("--organs", metavar="A,B,…", help="organs; all by default")
    parser.add_argument("--cases", type=int, metavar="N", help="only the first N scans of each group")
    parser.add_argument("--preset", default="", metavar="NAME", help="published preprocessing: sabs, chaos, cmr")
    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--folds", metavar="N|A,B,…", help="how many folds, or the numbers of those to run")
    asked.add_argument("--setting", choices=("1", "2"), help="how the networks were trained (published)")
    asked.add_argument("--support-slices", type=int, metavar="N", help="annotated slices of the other patient")
    asked.add_argument("--anchors", metavar="1,2,3,5", help="annotated slices (one-slice)")
    asked.add_argument("--rounds", type=int, metavar="N", help="slices read at most (interactive)")
    asked.add_argument("--strategies", metavar="A,B,…", help="proposed, worst, random (interactive)")
    asked.add_argument("--disturbances", metavar="A,B,…", help="noise, blur, … (robustness)")
    asked.add_argument("--tolerance", type=float, metavar="MM", help="of the normalised surface Dice")
    asked.add_argument("--seed", type=int, metavar="N", help="of everything that is drawn")
    asked.add_argument("--subtask", type=int, choices=(1, 2), help="of AbdomenCT-1K")
    asked.add_argument(
        "--baseline", metavar="[METHOD=]REPORT_DIR", help="whose figures say which cases are hardest (--subtask)"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--weights",
        metavar="[NETWORK=]FOLDER",
        action="append",
        default=[],
        help="weights of the engine, or of a network; {fold} in it stands for the fold's number",
    )
    how.add_argument("--device", default="cpu", metavar="auto|cpu|cuda|mps", help="where to compute (%(default)s)")
    how.add_argument("--jobs", type=int, metavar="N", help="processes at once; half of the processors, at most 4")
    how.add_argument("--restart", action="store_true", help="throw away what an earlier run measured")
    how.add_argument(
        "--export-training",
        metavar="FOLDER",
        type=Path,
        help="published: write each fold's training images for `pretrain FOLDER/fold0.json`, and measure nothing; with "
        "--subtask its training images, as train.json",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors (and the JSON)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..evaluation import datasets  # noqa: PLC0415 - torch and much else, which --help does not need
    from ..evaluation.job import EvaluateJob  # noqa: PLC0415

    for text in options.data:
        name, _, folder = text.partition(":")
        if folder == "help":
            tell(datasets.explain(name))
            return
    job = EvaluateJob(
        protocol=options.protocol,
        data=options.data,
        folder=options.output or Path(),
        methods=_listed(options.methods),
        options={name: value for name, value in _asked(options).items() if value is not None},
        method_options=_made(options),
        preset=options.preset,
        cases_per_group=_positive("--cases", options.cases),
        subtask=options.subtask,
        baseline=options.baseline,
        jobs=_positive("--jobs", options.jobs) or max(1, min(4, (os.cpu_count() or 1) // 2)),
        restart=options.restart,
    )
    shown = sys.stderr is not None and sys.stderr.isatty() and not options.quiet
    if options.export_training:
        _export(job, options, shown)
        return
    if options.output is None:
        raise InputError("Say where the report is to go: -o REPORT_DIR.")
    try:
        with progress_bar("Measuring", "scan", shown) as progress:
            told, rows = job.run(progress)
    except (KeyboardInterrupt, Cancelled) as stop:
        raise Cancelled("Stopped; what was measured is kept, and the same command goes on from there.") from stop
    if not options.quiet:
        for note in (*told["notes"], *told["left out"]):
            say(f"Note: {note}")
        for title, reason in told["missing"].items():
            say(f"Note: {title} was not measured: {reason}")
    if options.json:
        tell(json.dumps(told))
    elif not options.quiet:
        tell(_table(rows))
        tell(f"\nReport: {told['report']}\nEvery case: {told['cases']}\nSummary: {told['summary']}")


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "setting": options.setting,
        "shots_slices": options.support_slices,
        "folds": options.folds,
        "rounds": options.rounds,
        "strategies": options.strategies,
        "anchors": options.anchors,
        "disturbances": options.disturbances,
        "seed": options.seed,
        "tolerance_mm": options.tolerance,
        "organs": options.organs,
    }


def _made(options: argparse.Namespace) -> dict[str, str]:
    made = {"device": options.device}
    for text in options.weights:
        name, mark, folder = text.partition("=")
        made[f"weights:{name}" if mark else "weights"] = folder if mark else text
    return made


def _export(job: Any, options: argparse.Namespace, shown: bool) -> None:
    from ..evaluation.protocols.folds import FOLDS  # noqa: PLC0415
    from ..evaluation.training_sets import export, export_list  # noqa: PLC0415

    if options.protocol != "published":
        raise InputError("Training images are those of the published protocol: fewshotsegment evaluate published.")
    notes: list[str] = []
    if options.subtask:
        everything = replace(job, subtask=None).cases(notes)
        with progress_bar("Writing", "image", shown) as progress:
            paths = [export_list(job.split(everything).training, options.export_training, progress)]
        _told(options, paths, notes)
        return
    cases = job.cases(notes)
    with progress_bar("Writing", "image", shown) as progress:
        folds = int(options.folds) if options.folds and options.folds.isdigit() else FOLDS
        organs = _listed(options.organs) or []
        paths = export(cases, options.setting or "1", options.export_training, organs, folds, progress)
    _told(options, paths, notes)


def _told(options: argparse.Namespace, paths: list[Path], notes: list[str]) -> None:
    if options.json:
        tell(json.dumps({"lists": [str(path) for path in paths], "notes": notes}))
    elif not options.quiet:
        tell("\n".join([*(f"Note: {note}" for note in notes), *(f"Training images: {path}" for path in paths)]))


def _listed(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise InputError(f"{name} takes a whole number from 1, not {value}.")
    return value


def _table(rows: Any) -> str:
    """Means over organs and cases of each method and setting, as text."""
    from ..evaluation.terminal_table import means  # noqa: PLC0415

    return means(rows)
