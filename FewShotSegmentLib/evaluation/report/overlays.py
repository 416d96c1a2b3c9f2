"""Pictures of cases: the answers' outlines beside the reference's on the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...demo.view import Plane, crop, grey_window, plane
from ...errors import FewShotError, InputError
from ..case import Case, Mask, Scan
from ..row import Row
from .choosing import Choice, choose
from .drawing import drawing, jpeg, plain
from .masks import load_mask
from .material import Material
from .numbers import number
from .tables import Picture, Section

REFERENCE, ANSWER = "#56b4e9", "#ff9e1b"  # blue and orange: told apart with any kind of colour vision
REFERENCE_DASH = (0, (3.0, 1.6))
PAPER, INK, PALE = "#141414", "#f2f2f2", "#b9b9b9"
CELL, HEAD, LINE = 1.9, 0.6, 0.3  # inches


@dataclass(frozen=True)
class Panel:
    """One slice of one answer.

    Attributes:
        index: of the slice.
        grey: image, [row, column] of the screen.
        reference: bool, the same shape.
        answer: bool, the same shape.
        given: whether the slice was annotated.
    """

    index: int
    grey: NDArray[np.float32]
    reference: Mask
    answer: Mask
    given: bool


@dataclass(frozen=True)
class Strip:
    """What is shown of a choice.

    Attributes:
        choice: which case.
        panels: of each answer.
        layout: how slices are laid on the screen.
        frame: left, right, bottom, top in mm.
        window: darkest and brightest grey value.
    """

    choice: Choice
    panels: tuple[tuple[Panel, ...], ...]
    layout: Plane
    frame: tuple[float, float, float, float]
    window: tuple[float, float]


def section(material: Material, cases: Mapping[str, Case] | None, folder: Path) -> Section:
    """A picture for each organ: best, median and worst case, the leading method and the runner-up.

    Args:
        material: the rows.
        cases: by name, or by "DATASET/NAME" where two data sets have the same names; None for no pictures.
        folder: that `Row.mask` starts from.
    """
    found = Section("cases", "Best, median and worst cases")
    choices = choose(material) if cases is not None else []
    if cases is None or not choices:
        return found
    strips, troubles = read(choices, cases, folder)
    if strips:
        setting = strips[0].choice.rows[0].setting
        lead = material.title(strips[0].choice.rows[0].method)
        found.text.append(
            f"Chosen by the Dice of {lead}, {material.scope}"
            + (f" in the setting “{setting}”" if setting else "")
            + "; the other method is the runner-up on the same case. Shown are the organ’s first slice, its largest "
            "one that is not annotated, and its last one, all after the reference."
        )
    found.text += troubles
    for organ in material.organs:
        own = [strip for strip in strips if strip.choice.organ == organ]
        if own:
            found.pictures.append(draw(material, organ, own))
    return found


def read(choices: Sequence[Choice], cases: Mapping[str, Case], folder: Path) -> tuple[list[Strip], list[str]]:
    """Cut what is shown out of the cases, each of which is read once.

    Returns:
        Strips in the order of the choices, and a sentence for each case that cannot be shown.
    """
    by_case: dict[tuple[str, str], list[Choice]] = {}
    for choice in choices:
        by_case.setdefault((choice.rows[0].dataset, choice.rows[0].case), []).append(choice)
    strips: dict[int, Strip] = {}
    troubles: list[str] = []
    for (dataset, name), own in sorted(by_case.items()):
        case = cases.get(f"{dataset}/{name}", cases.get(name))
        try:
            if case is None:
                raise InputError("it is not among the cases any more.")
            scan = case.read()
            for choice in own:
                strips[id(choice)] = cut(choice, case, scan, folder)
        except FewShotError as error:
            troubles.append(f"{name} cannot be shown: {error}")
    return [strips[id(choice)] for choice in choices if id(choice) in strips], troubles


def cut(choice: Choice, case: Case, scan: Scan, folder: Path) -> Strip:
    """Cut what is shown of a choice out of its case.

    Raises:
        InputError: a mask is missing or does not fit, or the organ is not in the case.
    """
    if choice.organ not in case.organs:
        raise InputError(f"it has no {choice.organ} any more.")
    reference = case.mask(scan, choice.organ)
    if not reference.any():
        raise InputError(f"it has no {choice.organ} any more.")
    axes_lps = (scan.geometry.ijk_to_lps[:3, :3] / np.linalg.norm(scan.geometry.ijk_to_lps[:3, :3], axis=0)).T[::-1]
    layout = plane(0, axes_lps, scan.spacing)
    answers = [_answer(folder / row.mask, reference) for row in choice.rows]
    indices = slices_shown(reference, _given(choice.rows[0]))
    shadow = np.zeros_like(reference[:1])
    for index in indices:
        shadow[0] |= reference[index]
        for answer in answers:
            shadow[0] |= answer[index]
    panels = tuple(
        tuple(
            Panel(
                index,
                layout.slice(scan.image, index).astype(np.float32),
                layout.slice(reference, index).copy(),
                layout.slice(answer, index).copy(),
                index in _given(row),
            )
            for index in indices
        )
        for row, answer in zip(choice.rows, answers, strict=True)
    )
    frame = crop(layout.slice(shadow, 0), layout.pixel)
    return Strip(choice, panels, layout, frame, grey_window(scan.image, scan.modality))


def slices_shown(reference: Mask, given: Sequence[int]) -> list[int]:
    """The organ's first slice, its largest one (not annotated if there is another one), and its last one, rising."""
    areas = np.count_nonzero(reference, axis=(1, 2))
    held = np.flatnonzero(areas)
    free = [int(index) for index in held if index not in given] or [int(index) for index in held]
    largest = max(free, key=lambda index: (areas[index], -index))
    return sorted({int(held[0]), largest, int(held[-1])})


def _given(row: Row) -> tuple[int, ...]:
    """Annotated slices of the volume itself."""
    return () if row.support else row.given


def _answer(path: Path, reference: Mask) -> Mask:
    mask = load_mask(path)
    if mask.shape != reference.shape:
        raise InputError(f"the mask {path.name} has another size than its reference.")
    return mask


def draw(material: Material, organ: str, strips: Sequence[Strip]) -> Picture:
    """The picture of an organ, a line for each choice."""
    answers = max(len(strip.panels) for strip in strips)
    per = max(len(panels) for strip in strips for panels in strip.panels)
    gap = 0.15
    width = 0.2 + answers * per * CELL + (answers - 1) * gap
    height = HEAD + len(strips) * (CELL + LINE) + 0.1
    with drawing() as mpl:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
        from matplotlib.lines import Line2D  # noqa: PLC0415

        mpl.rcParams["axes.grid"] = False
        for side in ("top", "right"):
            mpl.rcParams[f"axes.spines.{side}"] = True
        figure = Figure(figsize=(width, height), facecolor=PAPER)
        keys = [
            Line2D([], [], color=REFERENCE, lw=1.6, ls=REFERENCE_DASH, label="reference"),
            Line2D([], [], color=ANSWER, lw=1.6, label="answer"),
        ]
        figure.legend(handles=keys, loc="upper left", ncols=2, labelcolor=INK, fontsize=9, bbox_to_anchor=(0, 1))
        titles = {}
        for line, strip in enumerate(strips):
            top = height - HEAD - line * (CELL + LINE)
            told = f"{strip.choice.rank}: {strip.choice.rows[0].case}"
            figure.text(0.1 / width, (top - LINE / 2) / height, plain(told), color=INK, size=9.5, va="center")
            for number_, (row, panels) in enumerate(zip(strip.choice.rows, strip.panels, strict=True)):
                left = 0.1 + number_ * (per * CELL + gap)
                titles[left] = material.title(row.method)
                right = (left + per * CELL - 0.05) / width
                dice = f"Dice {number(row.metrics.get('dice'))}"
                figure.text(right, (top - LINE / 2) / height, dice, color=PALE, size=9, va="center", ha="right")
                for column, panel in enumerate(panels):
                    place = (left + column * CELL, top - LINE - CELL)
                    box = (place[0] / width, place[1] / height, (CELL - 0.05) / width, (CELL - 0.02) / height)
                    _panel(figure.add_axes(box), panel, strip)
        for left, title in titles.items():
            y = (height - HEAD + 0.1) / height
            figure.text(left / width, y, plain(title), color=INK, size=10.5, weight="bold", va="center")
        source = jpeg(figure)
    caption = "Numbers: slices, counted from 0; the patient’s right is on the left of axial pictures."
    shown = ", ".join(f"{strip.choice.rank} {strip.choice.rows[0].case}" for strip in strips)
    return Picture(organ, source, caption, f"Outlines of answers and reference of {organ}: {shown}.")


def _panel(axes: Any, panel: Panel, strip: Strip) -> None:
    rows, columns = panel.grey.shape
    pixel = strip.layout.pixel
    low, high = strip.window
    extent = (0, columns * pixel[1], rows * pixel[0], 0)
    axes.set_facecolor("black")
    axes.imshow(panel.grey, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bilinear")
    _outline(axes, panel.answer, pixel, ANSWER, "solid")
    _outline(axes, panel.reference, pixel, REFERENCE, REFERENCE_DASH)
    axes.set_xlim(*strip.frame[:2])
    axes.set_ylim(*strip.frame[2:])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#3a3a3a", linewidth=0.6)
    told = f"{panel.index}" + (", annotated" if panel.given else "")
    if not panel.answer.any():
        told += ", missed"
    style = {"transform": axes.transAxes, "color": INK, "size": 8.5, "va": "top"}
    axes.text(0.03, 0.97, told, bbox={"facecolor": "black", "alpha": 0.5, "pad": 1.5, "linewidth": 0}, **style)


def _outline(axes: Any, flat: Mask, pixel: tuple[float, float], color: str, style: Any) -> None:
    if not flat.any():
        return
    # A rim of zeros closes outlines at the edge of the image.
    padded = np.pad(flat.astype(np.float32), 1)
    x = (np.arange(padded.shape[1]) - 0.5) * pixel[1]
    y = (np.arange(padded.shape[0]) - 0.5) * pixel[0]
    axes.contour(x, y, padded, levels=[0.5], colors=[color], linewidths=[1.4], linestyles=[style])
