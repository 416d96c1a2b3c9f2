"""The report of an evaluation: a page to look at, a table and a summary to count with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..case import Case
from ..row import Row
from .masks import load_mask, save_mask
from .material import Material, Named

__all__ = ["Named", "ReportFiles", "load_mask", "save_mask", "write"]


@dataclass(frozen=True)
class ReportFiles:
    """What was written.

    Attributes:
        html: the page; all its pictures are in it, and it asks nothing of the network.
        csv: a line for each row.
        json: means, comparisons, folds, rounds and cost.
    """

    html: Path
    csv: Path
    json: Path


def write(
    folder: Path,
    rows: Sequence[Row],
    *,
    title: str,
    protocol_title: str,
    explanation: str,
    cases: Mapping[str, Case] | None = None,
    left_out: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    methods: Sequence[Named] = (),
    quoted: bool = True,
    date: str = "",
) -> ReportFiles:
    """Write `report.html`, `cases.csv` and `summary.json`; the same rows give the same bytes, in whatever order.

    Args:
        folder: where to; it is made. Masks lie below it, see `Row.mask`.
        rows: what was measured.
        title: of the page.
        protocol_title: below it.
        explanation: what was given and what is scored; paragraphs are separated by empty lines.
        cases: for pictures of cases, by name or by "DATASET/NAME"; None for none.
        left_out: what was not evaluated and why, sentences.
        missing: {method: why it could not be run}.
        notes: further sentences.
        methods: names and titles in the order of tables.
        quoted: whether published figures are shown, for protocols that put the papers' question.
        date: to be told; by default none is, so that a repeated run gives the same file.

    Raises:
        InputError: a package that the report needs is missing.
        OutputError: the folder cannot be written to.
    """
    from . import comparisons, page, summary  # noqa: PLC0415 - they need SciPy
    from .files import write_text  # noqa: PLC0415
    from .listing import to_csv  # noqa: PLC0415

    folder, missing = Path(folder), missing or {}
    material = Material.of(rows, methods)
    compared = comparisons.compare(material)
    parts = page.sections(material, compared, cases, folder, left_out, missing, notes, quoted)
    header = {
        "title": title,
        "protocol": next((row.protocol for row in material.rows), ""),
        "protocol_title": protocol_title,
        "explanation": explanation,
        "date": date,
        "left_out": list(left_out),
        "missing": dict(sorted(missing.items())),
        "notes": list(notes),
    }
    files = ReportFiles(folder / "report.html", folder / "cases.csv", folder / "summary.json")
    contents = {
        files.csv: to_csv(material.rows),
        files.json: summary.to_json(material, compared, header),
        files.html: page.render(material, parts, title, protocol_title, explanation, date),
    }
    # All three are made before the first is written: a mistake leaves the earlier report whole.
    for path, content in contents.items():
        write_text(path, content)
    return files
