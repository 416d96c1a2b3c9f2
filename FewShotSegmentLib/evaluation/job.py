"""`fewshotsegment evaluate` as a call: data sets and a protocol in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..progress import Progress
from . import datasets, methods, protocols, report
from .case import Case
from .datasets import presets
from .datasets.subtasks import Subtask, baseline_scores, split
from .method import Recipe
from .row import Row
from .runner import Outcome, Plan, evaluate
from .store import RowStore


@dataclass(frozen=True)
class EvaluateJob:
    """One evaluation.

    Attributes:
        protocol: its name.
        data: data sets, "DATASET:FOLDER" each.
        folder: for the report, and for what is done so far.
        methods: names; the usual ones of the protocol's task by default.
        options: of the protocol; see `protocols`.
        method_options: of the methods: device, weights, weights:NAME.
        preset: published preprocessing, "" for none.
        cases_per_group: how many cases of each group of a data set, the first ones; None for all.
        subtask: of AbdomenCT-1K, 1 or 2; None for none.
        baseline: report folder, or METHOD=folder, whose figures say which cases are hardest (sub-tasks).
        jobs: processes at once.
        restart: throw away what an earlier run did.
    """

    protocol: str
    data: Sequence[str]
    folder: Path
    methods: Sequence[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    method_options: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""
    cases_per_group: int | None = None
    subtask: int | None = None
    baseline: str | None = None
    jobs: int = 1
    restart: bool = False

    def run(
        self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> tuple[dict[str, Any], list[Row]]:
        """Measure what is not measured yet, and write the report.

        Returns:
            What is to be told (files, notes, what was left out, seconds; plain values), and the rows.

        Raises:
            InputError: something handed in cannot be used.
            OutputError: the report cannot be written.
            Cancelled: `cancelled` said yes; what is done stays.
        """
        notes: list[str] = []
        cases = self.cases(notes)
        protocol = protocols.make(self.protocol, self.options)
        recipes = methods.recipes(self.methods, protocol.task, self.method_options)
        usable = [recipe for recipe in recipes if not recipe.missing]
        missing = {recipe.title: recipe.missing for recipe in recipes if recipe.missing}
        if not usable:
            raise InputError(" ".join(["No method can be run here.", *missing.values()]))
        if self.methods is None and protocol.task == "across":
            missing |= {
                recipe.title: "It needs annotated slices of the volume itself."
                for recipe in methods.recipes(None, "within", self.method_options)
                if "across" not in recipe.tasks
            }
        plan = Plan(self.protocol, self.options, usable, self.preset)
        outcome = evaluate(
            plan, cases, self.folder, jobs=self.jobs, restart=self.restart, progress=progress, cancelled=cancelled
        )
        if self.jobs > 1:
            notes.append(f"{self.jobs} processes worked at once: times are longer than one alone would take.")
        notes += dict.fromkeys(
            f"{row.method} found nothing of {row.case} {row.organ}: {row.note}"
            for row in outcome.rows
            if row.note and row.metrics["dice"] == 0
        )
        return self._report(outcome, cases, protocol, usable, missing, notes)

    def cases(self, notes: list[str]) -> list[Case]:
        """The scans that are asked for, with their preprocessing; remarks go to `notes`.

        Raises:
            InputError: a data set cannot be found, or none was named.
        """
        if not self.data:
            raise InputError("Name the data with --data DATASET:FOLDER.")
        found = [case for text in self.data for case in datasets.find(text, notes)]
        _without_twins(found)
        if self.subtask is not None:
            found = list(self.split(found).test)
        if self.cases_per_group is not None:
            counted: dict[tuple[str, str], int] = {}
            kept = []
            for case in found:
                counted[case.dataset, case.group] = counted.get((case.dataset, case.group), 0) + 1
                if counted[case.dataset, case.group] <= self.cases_per_group:
                    kept.append(case)
            found = kept
        return [presets.prepared(case, self.preset) for case in found] if self.preset else found

    def split(self, cases: Sequence[Case]) -> Subtask:
        """Which of AbdomenCT-1K's cases the sub-task trains on and which it tests.

        Raises:
            InputError: no baseline was named, or it does not have what is needed.
        """
        if self.subtask is None or self.baseline is None:
            raise InputError(
                "A sub-task tests the cases that are hardest for a baseline: name the report with its figures with "
                "--baseline REPORT_DIR (or METHOD=REPORT_DIR)."
            )
        name, _, place = str(self.baseline).rpartition("=")
        rows = RowStore(Path(place)).all_rows()
        there = sorted({row.method for row in rows})
        if not name and len(there) != 1:
            raise InputError(f"{place} has figures of {', '.join(there)}: say which with METHOD=REPORT_DIR.")
        return split(cases, baseline_scores(rows, name or there[0]), self.subtask, int(self.options.get("seed") or 0))

    def _report(
        self,
        outcome: Outcome,
        cases: Sequence[Case],
        protocol: Any,
        recipes: Sequence[Recipe],
        missing: Mapping[str, str],
        notes: Sequence[str],
    ) -> tuple[dict[str, Any], list[Row]]:
        names = list(dict.fromkeys(case.dataset for case in cases))
        files = report.write(
            self.folder,
            outcome.rows,
            title=f"{protocol.title}: {', '.join(names)}",
            protocol_title=protocol.title,
            explanation=protocol.explanation,
            cases={case.name: case for case in cases},
            left_out=outcome.left_out,
            missing=missing,
            notes=notes,
            methods=recipes,
            quoted=protocol.task == "across",
        )
        told = {
            "report": str(files.html),
            "cases": str(files.csv),
            "summary": str(files.json),
            "rows": len(outcome.rows),
            "done before": outcome.before,
            "seconds": outcome.seconds,
            "notes": list(notes),
            "left out": outcome.left_out,
            "missing": dict(missing),
        }
        return told, outcome.rows


def _without_twins(cases: Sequence[Case]) -> None:
    """Names stand for cases in file names and tables."""
    seen: set[str] = set()
    for case in cases:
        if case.name in seen:
            raise InputError(f"Two scans are called “{case.name}”; evaluate their data sets one after the other.")
        seen.add(case.name)
