"""Box and violin of Dice, for each organ and method."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..row import Row
from .comparisons import shown_settings
from .drawing import RASTER_FROM, color, drawing, legend, panels, plain, svg
from .material import Material, grouped
from .numbers import count
from .tables import Picture, Section

WIDEST = 22
"""Violins side by side in one row of axes, at most; what is more goes to further rows."""
FEWEST = 3
"""Values from which a violin says more than its points."""


def section(material: Material) -> Section:
    """A picture for each setting that is looked at closely."""
    found = Section("distributions", "Spread of Dice")
    shown = shown_settings(material)
    if len(shown) < len(material.settings):
        found.text.append(f"Drawn for “{shown[0]}” only, the first of {len(material.settings)} settings.")
    for setting in shown:
        rows = [row for row in material.answers if row.setting == setting]
        values = {key: _dice(own) for key, own in grouped(rows, lambda row: (row.organ, row.method)).items()}
        if any(values.values()):
            found.pictures.append(_picture(material, setting, values))
    return found


def _dice(rows: list[Row]) -> list[float]:
    values = (row.metrics.get("dice") for row in rows)
    return [value for value in values if value is not None and math.isfinite(value)]


def _picture(material: Material, setting: str, values: dict[tuple[str, str], list[float]]) -> Picture:
    organs = [organ for organ in material.organs if any(values.get((organ, m)) for m in material.methods)]
    methods = [name for name in material.methods if any(values.get((organ, name)) for organ in organs)]
    lines = -(-len(organs) // max(1, WIDEST // len(methods)))
    per_row = -(-len(organs) // lines)
    chunks = [organs[i : i + per_row] for i in range(0, len(organs), per_row)]
    with drawing():
        from matplotlib.patches import Patch  # noqa: PLC0415 - optional

        widest = max(len(chunk) for chunk in chunks)
        width = min(15.0, max(4.5, 1.2 + 0.52 * widest * (len(methods) + 1)))
        figure, axes = panels(len(chunks), 1, width, 3.1)
        least = min(value for dice in values.values() for value in dice)
        bottom = math.floor(10 * least - 0.5) / 10 if least > 0.15 else -0.02
        for own, chunk in zip(axes, chunks, strict=True):
            _axes(own, material, chunk, methods, values)
            own.set_ylim(bottom, 1.02)
            own.set_xlim(-0.7, widest * (len(methods) + 1) - 1.3)
        places = {name: place for place, name in enumerate(material.methods)}
        keys = [Patch(color=color(places[name]), label=plain(material.title(name))) for name in methods]
        legend(figure, keys, columns=max(1, int(width // 2.2)))
        source = svg(figure)
    title = "Dice of each organ and method" + (f", {setting}" if setting else "")
    caption = (
        f"Violin: density of the values, drawn from {FEWEST} on. Box: quartiles and median, whiskers to the last value "
        f"within 1.5 times the box. Points: cases, {material.scope}. The axis need not begin at 0."
    )
    told = f"Box and violin plots of Dice for {count(len(organs), 'organ')} and {count(len(methods), 'method')}."
    return Picture(title, source, caption, told)


def _axes(
    axes: Any, material: Material, organs: list[str], methods: list[str], values: dict[tuple[str, str], list[float]]
) -> None:
    step = len(methods) + 1
    for number, organ in enumerate(organs):
        for place, method in enumerate(methods):
            dice = values.get((organ, method), [])
            if dice:
                _one(axes, number * step + place, dice, color(material.methods.index(method)))
    axes.set_xticks([n * step + (len(methods) - 1) / 2 for n in range(len(organs))], [plain(o) for o in organs])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("Dice")


def _one(axes: Any, x: float, dice: list[float], shade: str) -> None:
    """Violin, box and points at x."""
    spread = np.ptp(dice) > 1e-9
    if len(dice) >= FEWEST and spread:
        for body in axes.violinplot([dice], positions=[x], widths=0.88, showextrema=False)["bodies"]:
            # A density runs on past its values; Dice does not leave 0 … 1.
            vertices = body.get_paths()[0].vertices
            vertices[:, 1] = np.clip(vertices[:, 1], 0.0, 1.0)
            body.set(facecolor=shade, edgecolor=shade, alpha=0.25, linewidth=0.8)
    line = {"color": shade, "linewidth": 1.2}
    axes.boxplot(
        [dice],
        positions=[x],
        widths=0.3,
        manage_ticks=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "white", "edgecolor": shade, "linewidth": 1.2, "alpha": 0.9},
        whiskerprops=line,
        capprops=line,
        medianprops={"color": shade, "linewidth": 2.2},
    )
    # Points beside each other by rank: the same at every run, and none hides another.
    offsets = np.resize([0.0, 0.1, -0.1, 0.05, -0.05], len(dice))
    many = len(dice) > RASTER_FROM // 10
    axes.plot(x + offsets, sorted(dice), ".", color=shade, markersize=3.2, alpha=0.7, rasterized=many, zorder=3)
