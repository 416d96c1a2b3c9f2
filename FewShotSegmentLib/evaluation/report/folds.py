"""Cross-validation: each fold on its own, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping

from ..statistics import Parts
from ..statistics import folds as describe_folds
from .material import Material, grouped
from .means import by_line, summary_cell
from .tables import Section, Table, label


def by_fold(material: Material) -> Mapping[tuple[str, str], Parts]:
    """Dice of each fold by (setting, method); empty without folds."""
    rows = [row for row in material.answers if row.fold]
    found = {}
    for line, own in by_line(material, rows).items():
        parts = grouped(own, lambda row: row.fold)
        found[line] = describe_folds({fold: [row.metrics.get("dice") for row in parts[fold]] for fold in parts})
    return found


def section(material: Material) -> Section:
    """Table of the folds."""
    found = Section("folds", "Folds")
    lines = by_fold(material)
    if not lines:
        return found
    names = list(dict.fromkeys(name for parts in lines.values() for name in parts.parts))
    names.sort(key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))
    rows = []
    for (setting, method), parts in lines.items():
        line = [label(material.title(method)), label(setting or "–")]
        line += [summary_cell(parts.parts[name]) if name in parts.parts else label("–") for name in names]
        rows.append([*line, summary_cell(parts.means), summary_cell(parts.pooled)])
    head = ["Method", "Setting", *(f"Fold {name}" for name in names), "Mean of the folds’ means", "All cases pooled"]
    note = "The spread of the folds’ means is that from fold to fold; the pooled one is that from case to case."
    found.tables.append(Table("Dice of each fold", head, rows, note))
    return found
