"""The transfer's part of a run: what is measured of it, printed, checked and written."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import engine
import transfer_accuracy
import transfer_checks
import transfer_cost
import transfer_methods
import transfer_table
from accuracy import overall_mean
from cases import read_cases
from checks import Check
from pairs import make_pairs
from progress import counted, timed
from rich.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--no-transfer", action="store_true", help="leave out the transfer from patient to patient")
    group.add_argument("--transfer-only", action="store_true", help="nothing but that")
    parser.add_argument(
        "--all-pipelines", action="store_true", help="the transfer's full pipeline with every few-shot network"
    )


def run(options: argparse.Namespace, console: Console) -> tuple[list[Check], dict[str, Any]]:
    """Measure and print what the options ask for; (checks, figures for the JSON)."""
    found: list[Check] = []
    written: dict[str, Any] = {}
    if not options.no_accuracy:
        found += _accuracy(options, console, written)
    if not options.no_cost:
        reason = engine.missing()
        cost = None
        if reason:
            console.print(f"The transfer's cost: NOT MEASURED: {reason}")
        else:
            with timed("cost of transfer") as progress:
                cost = transfer_cost.measure(options.quick, progress)
            transfer_table.print_cost(console, cost)
            written["cost"] = cost.as_dict()
        found += transfer_checks.cost_checks(cost)
    return found, written


def _accuracy(options: argparse.Namespace, console: Console, written: dict[str, Any]) -> list[Check]:
    left_out: list[str] = []
    pairs = make_pairs(read_cases(options.shared), options.limit, left_out)
    rows = transfer_methods.rows(ablation=not options.quick, all_pipelines=options.all_pipelines)
    missing = {row.key: reason for row in rows if (reason := transfer_methods.missing(row))}
    measured = [row for row in rows if row.key not in missing]
    protocols = ("one",) if options.quick else ("one", "three")
    records = []
    if pairs and measured:
        from transfer_runner import Runner

        total = len(pairs) * sum(len(transfer_accuracy.runs_of(row, protocols)) for row in measured)
        with counted(total) as progress:
            runner = Runner(engine.load(), measured)
            records = transfer_accuracy.measure(pairs, measured, runner, protocols, left_out, progress)
    if records:
        for protocol in protocols:
            transfer_table.print_rows(console, records, measured, protocol)
        transfer_table.print_changes(console, records, measured)
        transfer_table.print_structures(console, records, measured)
    transfer_table.print_notes(console, rows, missing, left_out, records)
    absences = []
    if records and any(row.kind == "pipeline" for row in measured):
        import transfer_presence

        from FewShotSegmentLib.transfer import Transfer

        with timed("transfer, organ taken out") as tell:
            absences = transfer_presence.measure(pairs, Transfer(engine.load()), tell)
        for line in transfer_presence.lines(records, absences):
            console.print(line, markup=False, soft_wrap=True)
    written |= {
        "absent": [asdict(absence) for absence in absences],
        "pairs": [[pair.support.name, pair.query.name] for pair in pairs],
        "left_out": left_out,
        "missing": missing,
        "structures": [asdict(record) for record in records],
        "means": {
            protocol: {
                row.key: overall_mean(records, protocol, row.key)._asdict()
                for row in measured
                if records and protocol in transfer_accuracy.runs_of(row, protocols)
            }
            for protocol in protocols
        },
    }
    return transfer_checks.accuracy_checks(records)
