"""Questions of the bench put to `FewShotSegmentLib.evaluation`: its rows, and its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import engine  # noqa: F401 - puts this checkout on the path, before anything of FewShotSegmentLib is imported
from progress import works

from FewShotSegmentLib.evaluation import protocols, report
from FewShotSegmentLib.evaluation.case import Case
from FewShotSegmentLib.evaluation.method import Recipe
from FewShotSegmentLib.evaluation.row import Row
from FewShotSegmentLib.evaluation.runner import Outcome, Plan, evaluate


def ask(protocol: str, options: Mapping[str, str], recipe: Recipe, cases: Sequence[Case], folder: Path) -> Outcome:
    """Put a protocol's questions to one method; what lies in the folder from an earlier run is not asked again.

    Raises:
        InputError: there are no cases, or the folder cannot be used.
    """
    with works(f"{protocol}: {recipe.title}") as progress:
        return evaluate(Plan(protocol, options, [recipe]), cases, folder, progress=progress)


def write_report(
    folder: Path,
    protocol: str,
    options: Mapping[str, str],
    rows: Sequence[Row],
    recipes: Sequence[Recipe],
    cases: Iterable[Case],
    left_out: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
) -> Path:
    """The evaluation's report on these rows; returns its page.

    Raises:
        InputError: a package that the report needs is missing.
        OutputError: the folder cannot be written to.
    """
    made = protocols.make(protocol, options)
    files = report.write(
        folder,
        rows,
        title=f"{made.title}: data/dev",
        protocol_title=made.title,
        explanation=made.explanation,
        cases={case.name: case for case in cases},
        left_out=left_out,
        missing=missing,
        methods=recipes,
        quoted=False,
    )
    return files.html
