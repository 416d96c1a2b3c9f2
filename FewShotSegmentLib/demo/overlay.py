"""The picture of a case: a row for each organ, a few slices across its whole extent, all contours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from .score import Mask, Score, slices_of
from .view import Plane, columns, crop, grey_window, plane

_ANNOTATION, _RESULT, _REFERENCE = "#ffd93b", "#ff4f9a", "#41c9ff"
_DASHES = (0, (3.0, 1.8))
_INK, _PALE, _PAPER = "#f2f2f2", "#b9b9b9", "#141414"
_HALO = [Stroke(linewidth=2.5, foreground="black"), Normal()]  # keeps words legible on bone
_COLUMNS = 5
_CELL, _GAP, _TITLE, _HEAD, _EDGE = 2.3, 0.06, 0.36, 0.8, 0.15  # inches


@dataclass(frozen=True)
class Row:
    """One organ of the picture.

    Attributes:
        name: Of the organ.
        axis: Array axis across which the annotated slices lie.
        annotated: Indices of the annotated slices.
        annotation: bool [z, y, x], the mask that was given.
        result: bool [z, y, x], the mask that came back.
        reference: bool [z, y, x], or ``None`` where there is none.
        score: Of the result, or ``None`` where there is no reference.
    """

    name: str
    axis: int
    annotated: tuple[int, ...]
    annotation: Mask
    result: Mask
    reference: Mask | None
    score: Score | None


@dataclass(frozen=True)
class Picture:
    """What all rows share.

    Attributes:
        volume: [z, y, x].
        spacing: Voxel size (z, y, x) in mm.
        axes_lps: Rows are the directions of the array axes z, y, x in LPS.
        modality: ``ct`` or ``mr``.
        title: Name of the case.
        source: Where the image comes from.
        has_reference: Whether any row has one.
    """

    volume: NDArray[Any]
    spacing: tuple[float, float, float]
    axes_lps: NDArray[np.float64]
    modality: str
    title: str
    source: str
    has_reference: bool


def draw_overlay(path: Path, picture: Picture, rows: Iterable[Row], count: int) -> None:
    """Write the picture as PNG.

    Args:
        path: File to write; its folder exists.
        picture: The volume and what is said about it.
        rows: One per organ, in order; drawn one at a time, so that their masks need not all be in memory.
        count: Number of rows, at least one.
    """
    width = 2 * _EDGE + _COLUMNS * _CELL + (_COLUMNS - 1) * _GAP
    height = _HEAD + count * (_TITLE + _CELL) + _EDGE
    figure = Figure(figsize=(width, height), facecolor=_PAPER)
    _head(figure, picture)
    window = grey_window(picture.volume, picture.modality)
    for number, row in enumerate(rows):
        top = height - _HEAD - number * (_TITLE + _CELL)
        line: dict[str, Any] = {"y": (top - 0.14) / height, "va": "center"}
        figure.text(_EDGE / width, s=row.name, color=_INK, size=12, weight="bold", **line)
        figure.text(1 - _EDGE / width, s=_summary(row), color=_PALE, size=9.5, ha="right", **line)
        view = _view(picture, row, window)
        for column, index in enumerate(_cells(row)):
            left, bottom = _EDGE + column * (_CELL + _GAP), top - _TITLE + 0.08 - _CELL
            axes = figure.add_axes((left / width, bottom / height, _CELL / width, _CELL / height))
            _cell(axes, picture, row, view, index)
            if column == 0:
                side: dict[str, Any] = {"transform": axes.transAxes, "color": _PALE, "size": 9, "path_effects": _HALO}
                axes.text(0.03, 0.5, view.layout.left, va="center", **side)
                axes.text(0.5, 0.97, view.layout.top, ha="center", va="top", **side)
    figure.savefig(path, dpi=110, facecolor=_PAPER)


def _head(figure: Any, picture: Picture) -> None:
    width, height = figure.get_size_inches()
    figure.text(_EDGE / width, 1 - 0.25 / height, picture.title, color=_INK, size=15, weight="bold", va="center")
    figure.text(_EDGE / width, 1 - 0.55 / height, picture.source, color=_PALE, size=9.5, va="center")
    keys = [
        Line2D([], [], color=_ANNOTATION, lw=2.2, label="annotated slice (given)"),
        Line2D([], [], color=_RESULT, lw=1.6, label="result"),
    ]
    if picture.has_reference:
        keys.append(Line2D([], [], color=_REFERENCE, lw=1.4, ls=_DASHES, label="reference"))
    figure.legend(
        handles=keys,
        loc="upper right",
        bbox_to_anchor=(1 - 0.5 * _EDGE / width, 1 - 0.04 / height),
        frameon=False,
        labelcolor=_INK,
        fontsize=9.5,
        ncols=len(keys),
        handlelength=2.6,
        borderpad=0.2,
    )
    figure.text(
        1 - _EDGE / width, 1 - 0.55 / height, "slices are counted from 0",
        color=_PALE, size=8.5, va="center", ha="right",
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _extent(mask: Mask, axis: int) -> str:
    slices = slices_of(mask, axis)
    return f"{slices[0]}–{slices[-1]}" if slices else "none"


def _summary(row: Row) -> str:
    found = f"slices {_extent(row.result, row.axis)}"
    if row.reference is None or row.score is None:
        return f"no reference  ·  {found}"
    return (
        f"Dice {_number(row.score.whole)} whole volume, {_number(row.score.own)} own slices  ·  "
        f"{found}, reference {_extent(row.reference, row.axis)}"
    )


def _cells(row: Row) -> list[int]:
    """The slices to show: the ends of what reference and result hold, and the annotated slice in the middle."""
    annotation, result = slices_of(row.annotation, row.axis), slices_of(row.result, row.axis)
    truth = result if row.reference is None else slices_of(row.reference, row.axis)
    everything = sorted({*annotation, *result, *truth})
    first, last = everything[0], everything[-1]
    middle = row.annotated[len(row.annotated) // 2]
    own = sorted({middle, *truth})
    inwards = round(0.08 * (own[-1] - own[0]))
    # Where reference and result begin together a slice further in shows more; where they differ, the end itself shows
    # how far the result runs on or falls short.
    if first in result and first in truth:
        first = min(first + inwards, middle)
    if last in result and last in truth:
        last = max(last - inwards, middle)
    return columns((first, last), (own[0], own[-1]), middle)


@dataclass(frozen=True)
class _View:
    """How the slices of one row are shown: turn, frame in mm (left, right, bottom, top) and grey window."""

    layout: Plane
    frame: tuple[float, float, float, float]
    window: tuple[float, float]


def _view(picture: Picture, row: Row, window: tuple[float, float]) -> _View:
    layout = plane(row.axis, picture.axes_lps, picture.spacing)
    everything = row.result | row.annotation
    if row.reference is not None:
        everything = everything | row.reference
    shadow = np.expand_dims(everything.any(axis=row.axis), row.axis)
    return _View(layout, crop(layout.slice(shadow, 0), layout.pixel), window)


def _cell(axes: Any, picture: Picture, row: Row, view: _View, index: int) -> None:
    layout = view.layout
    grey = layout.slice(picture.volume, index).astype(np.float32)
    tall, wide = grey.shape[0] * layout.pixel[0], grey.shape[1] * layout.pixel[1]
    low, high = view.window
    axes.set_facecolor("black")
    axes.imshow(grey, cmap="gray", vmin=low, vmax=high, extent=(0, wide, tall, 0), interpolation="bilinear")

    given = index in row.annotated
    result, reference = layout.slice(row.result, index), None
    _contour(axes, result, layout, color=_RESULT, width=1.6)
    if row.reference is not None:
        # After the result and dashed, so that both are seen where they agree.
        reference = layout.slice(row.reference, index)
        _contour(axes, reference, layout, color=_REFERENCE, width=1.4, style=_DASHES)
    if given:
        _contour(axes, layout.slice(row.annotation, index), layout, color=_ANNOTATION, width=2.2)

    axes.set_xlim(*view.frame[:2])
    axes.set_ylim(*view.frame[2:])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_ANNOTATION if given else "#3a3a3a")
        spine.set_linewidth(1.8 if given else 0.6)
    text, colour = _verdict(given, bool(result.any()), None if reference is None else bool(reference.any()))
    corner: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "path_effects": _HALO}
    axes.text(0.03, 0.97, f"{index}", color=_INK, size=10, weight="bold", **corner)
    axes.text(0.97, 0.035, text, color=colour, size=9.5, ha="right", **(corner | {"va": "bottom"}))


def _verdict(given: bool, result: bool, reference: bool | None) -> tuple[str, str]:
    """What a cell says of itself, and in which colour: whether the result runs past the organ or misses it here."""
    if given:
        return "annotated", _ANNOTATION
    if reference is None:
        return ("" if result else "nothing found"), _PALE
    if result and not reference:
        return "past the organ's end", _RESULT
    if reference and not result:
        return "missed", _REFERENCE
    return ("" if result else "nothing here"), _PALE


def _contour(axes: Any, flat: NDArray[Any], layout: Plane, *, color: str, width: float, style: Any = "solid") -> None:
    if not flat.any():
        return
    # A rim of zeros closes contours at the edge of the image.
    padded = np.pad(flat.astype(np.float32), 1)
    x = (np.arange(padded.shape[1]) - 0.5) * layout.pixel[1]
    y = (np.arange(padded.shape[0]) - 0.5) * layout.pixel[0]
    axes.contour(x, y, padded, levels=[0.5], colors=[color], linewidths=[width], linestyles=[style])
