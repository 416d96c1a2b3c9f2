"""What answers cost, how far their confidence can be trusted, and what methods said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..row import Row
from ..statistics import auc
from .material import UNDISTURBED, Material, grouped, natural, question
from .means import by_line, describe_values, mean, summary_cell
from .numbers import interval, mean_and_sd, number
from .tables import Cell, Section, Table, label

GOOD = 0.7
"""Dice from which on a slice is good, for the AUC of the confidence."""


def section(material: Material) -> Section:
    """Cost, in time, memory and parameters."""
    found = Section("cost", "Cost")
    if not material.rows:
        return found
    lines = by_line(material, material.rows)
    rows = []
    for (setting, method), own in lines.items():
        line = [label(material.title(method)), label(setting or "–"), Cell(str(len(own)), value=float(len(own)))]
        line.append(summary_cell(describe_values(row.seconds for row in own)))
        line.append(summary_cell(describe_values(row.seconds / row.slices for row in own if row.slices)))
        line += [_megabytes(max(row.peak_mb for row in own)), _parameters(max(row.parameters for row in own))]
        rows.append(line)
    per = "Seconds per round" if material.has_rounds else "Seconds per answer"
    head = ["Method", "Setting", "n", per, "Seconds per slice of the organ", "Peak memory MB", "Learned parameters"]
    note = (
        "Seconds of the method alone, reading and scoring left out; times of a busy machine are longer. Memory is what "
        "the process used at most while it answered, beyond what it held before; of several answers the largest."
    )
    found.tables.append(Table("Time, memory, parameters", head, rows, note))
    return found


def _megabytes(value: float) -> Cell:
    return Cell(number(value, 1), value=value)


def _parameters(value: int) -> Cell:
    return Cell(f"{value:,}".replace(",", " "), value=float(value))


def confidence_pairs(material: Material) -> dict[str, list[tuple[float, float]]]:
    """{method: (confidence, Dice) of each slice}, methods with a confidence only."""
    found = grouped(material.rows, lambda row: row.method)
    pairs = {name: [pair for row in found[name] for pair in row.confidence] for name in material.methods}
    return {name: own for name, own in pairs.items() if own}


def confidence_section(material: Material) -> Section:
    """How well confidence tells good slices from bad ones."""
    found = Section("confidence", "Confidence")
    pairs = confidence_pairs(material)
    if not pairs:
        return found
    found.text.append(
        f"Slices that are not annotated and where answer or reference has something. A slice is good from a Dice of "
        f"{GOOD:.2f} on; the AUC is the chance that a good slice has more confidence than one that is not."
    )
    rows = []
    for name, own in pairs.items():
        good = sum(dice >= GOOD for _, dice in own)
        area = auc(own, GOOD)
        line = [label(material.title(name)), Cell(str(len(own)), value=float(len(own)))]
        line += [Cell(str(good), value=float(good)), Cell(number(area), value=area)]
        rows.append(line)
    found.tables.append(Table("Confidence beside Dice", ["Method", "Slices", "Good ones", "AUC"], rows))
    return found


def extra_names(rows: Sequence[Row]) -> list[str]:
    """Names of further figures that protocols measured, sorted."""
    names = {name for row in rows for name, value in row.extra.items() if is_figure(value)}
    return sorted(names, key=natural)


def is_figure(value: object) -> bool:
    """Whether a value of `Row.extra` is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def extras_table(material: Material) -> Table | None:
    """Means of further figures; None without any."""
    names = extra_names(material.answers)
    if not names:
        return None
    rows = []
    for (setting, method), own in by_line(material, material.answers).items():
        values = {
            name: [row.extra[name] for row in own if is_figure(row.extra.get(name)) or row.extra.get(name, 0) is None]
            for name in names
        }
        line = [label(material.title(method)), label(setting or "–")]
        rows.append([*line, *(summary_cell(describe_values(values[name])) for name in names)])
    return Table("Further figures of this protocol", ["Method", "Setting", *names], rows)


def losses_table(material: Material) -> Table | None:
    """What each disturbance costs in Dice, on the same cases; None where nothing was disturbed."""
    if UNDISTURBED not in material.settings or len(material.settings) < 2:
        return None
    dice = {(row.setting, row.method, question(row)[:-1]): row.metrics.get("dice") for row in material.answers}
    rows = []
    for setting in material.settings:
        if setting == UNDISTURBED:
            continue
        line = [label(setting)]
        for method in material.methods:
            differences: list[float | None] = []
            for (own, name, key), value in dice.items():
                clean = dice.get((UNDISTURBED, name, key))
                if own == setting and name == method and value is not None and clean is not None:
                    differences.append(value - clean)
            summary = describe_values(differences)
            line.append(Cell(mean_and_sd(summary), interval(summary.low, summary.high), value=mean(differences)))
        rows.append(line)
    head = ["Disturbance", *(material.title(method) for method in material.methods)]
    note = "Dice with the disturbance − Dice without, mean ± sd over the same organs of the same cases."
    return Table("What disturbances cost", head, rows, note)


def remarks(material: Material) -> Section:
    """Answers that failed, and what methods said."""
    found = Section("remarks", "What methods said of their answers")
    told = Counter((row.method, row.failed, row.note) for row in material.rows if row.note or row.failed)
    if not told:
        return found
    failed = sum(row.failed for row in material.rows)
    if failed:
        found.text.append(f"{failed} of {len(material.rows)} answers failed; they are scored as empty masks.")
    places = {name: place for place, name in enumerate(material.methods)}
    rows = [
        [
            label(material.title(method)),
            Cell(str(times), value=float(times)),
            Cell("failed" if bad else ""),
            label(note or "no reason was given"),
        ]
        for (method, bad, note), times in sorted(told.items(), key=lambda item: (places[item[0][0]], item[0][1:]))
    ]
    found.tables.append(Table("Remarks", ["Method", "Answers", "", "Remark"], rows, folded=True))
    return found
