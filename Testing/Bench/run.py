"""Accuracy and cost of the engine beside what there is without it, measured in one run.

    .venv/bin/python Testing/Bench/run.py --shared FOLDER

FOLDER holds data/dev (labelled volumes) and, for the comparison with it, prototype. First slices of the same volume are
annotated, then a reader corrects slice after slice (both by the protocols of `fewshotsegment evaluate`), then slices of
another patient's volume are annotated (the transfer). The exit code is 1 if a check fails, 2 if something handed in
cannot be used; an aim may be missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import accuracy
import checks
import confidence
import cost
import engine
import evaluated
import methods
import organ_cost
import reader
import table
import table_reader
import transfer
from cases import SMALL_SUPPORT_PIXELS, dev_folder, evaluated_cases, small_supports
from progress import timed
from rich.console import Console

from FewShotSegmentLib.errors import FewShotError
from FewShotSegmentLib.evaluation.row import Row

QUICK_METHODS = ("copy", "prototype", "engine1", "engine3")
# Narrower, and rich breaks or cuts the names of the structures beside six columns of figures.
WIDTH = 150


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared")
    keys = ",".join(methods.BY_KEY)
    parser.add_argument("--shared", type=Path, default=Path(shared), help="folder with data/dev (%(default)s)")
    parser.add_argument("--cases-per-source", default="3", help="a number, or all (%(default)s)")
    parser.add_argument("--methods", help=f"some of {keys}; all by default")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"one case a source, {', '.join(QUICK_METHODS)}, no memory; one pair a source, one slice, no ablation",
    )
    parser.add_argument("--no-cost", action="store_true", help="leave the cost out")
    parser.add_argument("--no-reader", action="store_true", help="leave out the reader and the slices' confidence")
    parser.add_argument("--no-accuracy", action="store_true", help="cost only; needs no data")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="keep the evaluation's rows and write its reports there; the same call goes on with a run that was "
        "stopped, so take another folder for other code or weights",
    )
    transfer.add_arguments(parser)
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    found = parser.parse_args(argv)
    chosen = found.methods.split(",") if found.methods else QUICK_METHODS if found.quick else list(methods.BY_KEY)
    unknown = [key for key in chosen if key not in methods.BY_KEY]
    if unknown:
        parser.error(f"no method is called {', '.join(unknown)}; there are {keys}")
    found.methods = [method for method in methods.METHODS if method.key in chosen]
    if found.cases_per_source != "all" and not (found.cases_per_source.isdigit() and int(found.cases_per_source)):
        parser.error("--cases-per-source takes a number from 1, or all")
    found.limit = 1 if found.quick else None if found.cases_per_source == "all" else int(found.cases_per_source)
    if not found.no_accuracy and not (dev_folder(found.shared) / "cases.json").is_file():
        parser.error(f"{found.shared} has no data/dev/cases.json; give --shared, or --no-accuracy for the cost alone")
    return found


def measure_accuracy(
    options: argparse.Namespace, console: Console, folder: Path
) -> tuple[list[accuracy.Record], list[Row]]:
    """Run the methods and print their tables."""
    cases = evaluated_cases(options.shared, options.limit)
    recipes, missing = methods.recipes(options.methods, options.shared)
    measured = [method for method in options.methods if method.key not in missing]
    skipped: list[str] = []
    rows = accuracy.measure(cases, measured, recipes, folder, skipped)
    records = accuracy.make_records(rows, measured, small_supports(cases))
    for protocol in ("one", "three"):
        if table.columns(measured, protocol):
            table.print_sources(console, records, measured, protocol)
    for protocol in ("one", "three"):
        if table.columns(measured, protocol):
            table.print_means(console, records, measured, protocol)
    small = SMALL_SUPPORT_PIXELS if any(record.small_support for record in records) else 0
    table.print_notes(console, options.methods, missing, skipped, small)
    if options.report and rows:
        reasons = {methods.BY_KEY[key].title: reason for key, reason in missing.items()}
        page = evaluated.write_report(
            folder, accuracy.PROTOCOL, {}, rows, list(recipes.values()), cases, skipped, reasons
        )
        console.print(f"report: {page}", markup=False, soft_wrap=True)
    return records, rows


def measure_reader(
    options: argparse.Namespace, console: Console, folder: Path, rows: Sequence[Row], written: dict
) -> list[checks.Check]:
    """Let the reader read, see what the engine's confidence in its slices is worth, and print both.

    Confidence is that of the one-slice protocol's rows: one annotated slice and no more, where the reader begins.
    """
    reason = "engine1 was left out" if "engine1" not in [m.key for m in options.methods] else reader.missing()
    if reason:
        console.print(f"The reader and the slices' confidence: NOT MEASURED: {reason}")
        return checks.reading_aims([], None)
    cases = evaluated_cases(options.shared, options.limit)
    recipes, _ = methods.recipes([methods.BY_KEY["engine1"]], options.shared)
    left_out: list[str] = []
    readings, read_rows = reader.measure(cases, recipes["engine"], folder, left_out)
    table_reader.print_readings(console, readings)
    table_reader.print_summaries(console, readings)
    if options.report and read_rows:
        page = evaluated.write_report(
            folder, reader.PROTOCOL, reader.OPTIONS, read_rows, list(recipes.values()), cases, left_out
        )
        console.print(f"report: {page}", markup=False, soft_wrap=True)
    scores = confidence.slice_scores(rows)
    reason = confidence.missing() or ("no slice was counted" if not any(score.dice for score in scores) else None)
    found = None if reason else confidence.measure(scores)
    if found is None:
        console.print(f"The slices' confidence: NOT MEASURED: {reason}")
    else:
        table_reader.print_confidence(console, found)
    written["reader"] = table_reader.as_dict(readings)
    written["confidence"] = found.as_dict() if found else None
    return checks.reading_aims(readings, found)


def measure_evaluation(options: argparse.Namespace, console: Console, written: dict) -> list[checks.Check]:
    """What the evaluation's protocols measure: accuracy and the reader."""
    keeping = nullcontext(str(options.report)) if options.report else TemporaryDirectory()
    with keeping as folder:
        records, rows = measure_accuracy(options, console, Path(folder) / accuracy.PROTOCOL)
        found = [*checks.accuracy_checks(records), *checks.accuracy_aims(records)]
        written["structures"] = [asdict(record) for record in records]
        written["means"] = {
            protocol: {
                method.key: accuracy.overall_mean(records, protocol, method.key)._asdict()
                for method in table.columns(options.methods, protocol)
                if records and method.key in getattr(records[0], protocol)
            }
            for protocol in ("one", "three")
        }
        if not options.no_reader:
            found += measure_reader(options, console, Path(folder) / reader.PROTOCOL, rows, written)
    return found


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    console = Console(width=max(WIDTH, Console().width), highlight=False)
    start = time.perf_counter()
    found: list[checks.Check] = []
    written: dict = {"cases_per_source": options.limit, "methods": [method.key for method in options.methods]}
    if not options.no_accuracy and not options.transfer_only:
        try:
            found += measure_evaluation(options, console, written)
        except FewShotError as error:
            console.print(str(error), markup=False, soft_wrap=True)
            return 2
    if not options.no_cost and not options.transfer_only:
        with timed("cost") as progress:
            costs = cost.measure(options.quick, progress)
            waited = organ_cost.measure(engine.load(), progress)
        table.print_cost(console, costs)
        table_reader.print_organ_cost(console, waited)
        found += [*checks.cost_checks(costs), *checks.organ_aims(waited)]
        written |= {"cost": costs.as_dict(), "organ_cost": waited.as_dict()}
    if not options.no_transfer:
        more, written["transfer"] = transfer.run(options, console)
        found += more
    table.print_checks(console, found)
    seconds = time.perf_counter() - start
    console.print(f"\nmeasured in {seconds / 60:.1f} min", style="dim")
    if options.json:
        written["checks"] = [{"verdict": check.verdict, "text": check.text, "aim": check.aim} for check in found]
        written["seconds"] = seconds
        options.json.write_text(json.dumps(written, indent=1), encoding="utf-8")
    return 1 if any(check.fails for check in found) else 0


if __name__ == "__main__":
    sys.exit(main())
