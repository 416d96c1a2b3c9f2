"""Dice along an organ, by setting, by round, against time, and beside confidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..row import Row
from ..statistics import auc
from .comparisons import shown_settings
from .costs import GOOD, confidence_pairs
from .drawing import DASHES, RASTER_FROM, color, dash, drawing, legend, marker, panels, plain, svg
from .material import Material, grouped
from .means import describe_metric, mean
from .numbers import number
from .rounds import TARGETS, Reading, last_round, readings
from .tables import Picture

BINS = 10
"""Parts of an organ's extent, from its first slice to its last."""
BANDS_UP_TO = 4
"""Methods up to which bands are drawn: more would lie on each other."""


def along_extent(material: Material) -> list[Picture]:
    """Dice along the organ's extent, a picture for each setting that is looked at closely."""
    pictures = []
    for setting in shown_settings(material):
        found = grouped(
            (row for row in material.answers if row.setting == setting and row.profile),
            lambda row: (row.organ, row.method),
        )
        organs = [organ for organ in material.organs if any((organ, m) in found for m in material.methods)]
        if not organs:
            continue
        with drawing():
            figure, axes = panels(len(organs), 3, 4.0, 2.7)
            for own, organ in zip(axes, organs, strict=True):
                for place, method in enumerate(material.methods):
                    _profile(own, found.get((organ, method), []), place, len(material.methods) <= BANDS_UP_TO)
                own.set(title=plain(organ), xlim=(0, 1), ylim=(-0.02, 1.02))
                own.set_xlabel("first slice … last slice")
                own.set_ylabel("Dice of the slice")
            legend(figure, _lines(material))
            source = svg(figure)
        title = "Dice along the organ’s extent" + (f", {setting}" if setting else "")
        caption = (
            f"Mean Dice of single slices by place, in {BINS} parts from the organ’s first slice to its last in the "
            "reference; annotated slices are left out."
        )
        if len(material.methods) <= BANDS_UP_TO:
            caption += " Bands: from the first quartile to the third."
        pictures.append(Picture(title, source, caption, f"Dice by place in the organ, {len(organs)} organs."))
    return pictures


def binned(rows: Iterable[Row]) -> list[tuple[float, float, float, float]]:
    """(place, mean, first quartile, third quartile) of the profiles' slices, for each bin that has any."""
    points = [point for row in rows for point in row.profile]
    found = []
    for place in range(BINS):
        dice = [value for where, value in points if min(int(where * BINS), BINS - 1) == place]
        if dice:
            low, high = np.percentile(dice, (25, 75))
            found.append(((place + 0.5) / BINS, math.fsum(dice) / len(dice), float(low), float(high)))
    return found


def _profile(axes: Any, rows: Sequence[Row], place: int, band: bool) -> None:
    points = binned(rows)
    if not points:
        return
    x, y, low, high = np.array(points).T
    if band:
        axes.fill_between(x, low, high, color=color(place), alpha=0.12, linewidth=0)
    axes.plot(x, y, color=color(place), linestyle=dash(place), marker=marker(place), markersize=3, linewidth=1.5)


def _lines(material: Material) -> list[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - optional

    return [
        Line2D([], [], color=color(n), ls=dash(n), marker=marker(n), ms=4, label=plain(material.title(name)))
        for n, name in enumerate(material.methods)
    ]


def by_setting(material: Material) -> list[Picture]:
    """Mean Dice of each setting, where there are several and nothing was corrected."""
    if len(material.settings) < 2 or material.has_rounds:
        return []
    settings = material.settings
    with drawing():
        figure, (axes,) = panels(1, 1, min(15.0, max(5.5, 2.0 + 0.55 * len(settings))), 3.8)
        found = grouped(material.answers, lambda row: (row.method, row.setting))
        spread = 0.5 / max(len(material.methods), 1)
        for place, method in enumerate(material.methods):
            held = [n for n, setting in enumerate(settings) if (method, setting) in found]
            summaries = [describe_metric(found[method, settings[n]]) for n in held]
            kept = [(n, s) for n, s in zip(held, summaries, strict=True) if s.mean is not None]
            x = np.array([n for n, _ in kept]) + (place - (len(material.methods) - 1) / 2) * spread
            y = np.array([s.mean for _, s in kept], float)
            ends = [(s.mean if s.low is None else s.low, s.mean if s.high is None else s.high) for _, s in kept]
            bars = np.abs(np.array(ends, float).reshape(-1, 2).T - y)
            style = {"color": color(place), "marker": marker(place), "markersize": 4.5, "capsize": 2}
            axes.errorbar(x, y, bars, linestyle="none", linewidth=1.3, **style)
        steep = len(settings) > 6
        axes.set_xticks(range(len(settings)), [plain(s) or "–" for s in settings], rotation=40 if steep else 0)
        if steep:
            for text in axes.get_xticklabels():
                text.set(ha="right", rotation_mode="anchor")
        axes.set_ylabel("mean Dice")
        legend(figure, _lines(material), columns=max(1, int(figure.get_figwidth() // 2.6)))
        source = svg(figure)
    caption = "Mean Dice over organs of cases with its 95 % bootstrap interval; the axis does not begin at 0."
    return [Picture("Dice by setting", source, caption, f"Mean Dice for {len(settings)} settings.")]


def by_round(material: Material) -> list[Picture]:
    """Mean Dice after each round, over all organs and for each."""
    lines = readings(material)
    if not lines:
        return []
    strategies = [s for s in material.settings if any(setting == s for setting, _ in lines)]
    organs: list[str | None] = [None, *material.organs] if len(material.organs) > 1 else [None]
    last = last_round(lines.values())
    with drawing():
        from matplotlib.lines import Line2D  # noqa: PLC0415 - optional

        figure, axes = panels(len(organs), 3, 4.0, 2.9)
        for own, organ in zip(axes, organs, strict=True):
            for (setting, method), series in lines.items():
                style = DASHES[strategies.index(setting) % len(DASHES)]
                _rounds(own, series, organ, material.methods.index(method), style, last)
            for target in TARGETS:
                own.axhline(target, color="#888888", linewidth=0.7, linestyle=":", zorder=0)
            own.set(title=plain(organ or "all organs"), xlabel="slices read", ylabel="mean Dice")
            own.xaxis.get_major_locator().set_params(integer=True)
            own.set_xlim(0.7, last + 0.3)
        shown = _lines(material)
        shown += [
            Line2D([], [], color="#444444", ls=DASHES[n % len(DASHES)], label=plain(name) or "–")
            for n, name in enumerate(strategies)
        ]
        legend(figure, shown, columns=6)
        source = svg(figure)
    caption = (
        "Colours: methods. Dashes: how the slice to correct was chosen. Dotted: Dice 0.90 and 0.95. The axes do not "
        "begin at 0. A reading that ended early keeps its last value."
    )
    return [Picture("Dice per round", source, caption, f"Mean Dice over {last} rounds.")]


def _rounds(axes: Any, series: Sequence[Reading], organ: str | None, place: int, style: Any, last: int) -> None:
    own = [reading for reading in series if organ in (None, reading.organ)]
    points = [(n, mean(reading.at(n) for reading in own)) for n in range(1, last + 1)]
    known = [(n, value) for n, value in points if value is not None]
    if known:
        x, y = zip(*known, strict=True)
        axes.plot(x, y, color=color(place), linestyle=style, marker=marker(place), markersize=3, linewidth=1.4)


def against_time(material: Material) -> list[Picture]:
    """Dice against the seconds that an answer took."""
    found = grouped(
        (row for row in material.answers if row.seconds > 0 and row.metrics.get("dice") is not None),
        lambda row: row.method,
    )
    if not found:
        return []
    with drawing():
        figure, (axes,) = panels(1, 1, 6.5, 4.2)
        for place, method in enumerate(material.methods):
            rows = found.get(method, [])
            if not rows:
                continue
            seconds = np.array([row.seconds for row in rows])
            dice = np.array([row.metrics["dice"] for row in rows], float)
            many = len(rows) > RASTER_FROM // 10
            style = {"color": color(place), "marker": marker(place)}
            axes.plot(seconds, dice, linestyle="none", markersize=3, alpha=0.3, rasterized=many, **style)
            middle = float(np.median(seconds)), float(dice.mean())
            axes.plot(*middle, linestyle="none", markersize=10, markeredgecolor="white", zorder=4, **style)
        axes.set(xscale="log", xlabel="seconds per answer", ylabel="Dice", ylim=(-0.02, 1.02))
        axes.grid(True, axis="x")
        legend(figure, _shown(material, found), columns=2)
        source = svg(figure)
    caption = f"Small: single answers. Large: median time and mean Dice of a method, {material.scope}."
    return [Picture("Dice against time", source, caption, f"Dice and seconds of {len(found)} methods.")]


def _shown(material: Material, found: Any) -> list[Any]:
    handles = _lines(material)
    return [handle for handle, name in zip(handles, material.methods, strict=True) if name in found]


def confidence(material: Material) -> list[Picture]:
    """Confidence beside Dice, slice by slice."""
    pairs = confidence_pairs(material)
    if not pairs:
        return []
    with drawing():
        figure, axes = panels(len(pairs), 3, 3.9, 3.4)
        for own, (name, points) in zip(axes, pairs.items(), strict=True):
            sure, dice = np.array(points).T
            place = material.methods.index(name)
            many = len(points) > RASTER_FROM
            own.plot(sure, dice, ".", color=color(place), markersize=4, alpha=0.35, rasterized=many)
            own.axhline(GOOD, color="#888888", linewidth=0.7, linestyle=":")
            own.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel="Dice of the slice")
            own.set_title(f"{plain(material.title(name))}: AUC {number(auc(points, GOOD))}")
        source = svg(figure)
    caption = f"A point is a slice. Dotted: Dice {GOOD:.2f}, from which on a slice is good."
    return [Picture("Confidence beside Dice", source, caption, f"Confidence and Dice of {len(pairs)} methods.")]
