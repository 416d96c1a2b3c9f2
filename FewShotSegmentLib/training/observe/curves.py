"""The curves of a training as a picture: loss, Dice, what is drawn where nothing is, and the time spent waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...errors import FewShotError
from .figures import new_figure, save_figure
from .files import Notes
from .log import CsvLog, read_log
from .table import STEP, read_table

Columns = Mapping[str, NDArray[np.float64]]
"""Columns of a table by name."""

_PAUSE = 20
"""Times as long as a picture takes without one; a GPU reaches checkpoints every few seconds."""

_POINTS = 2000
"""Points of the faint raw curve; more are not seen at this size and take longer to draw."""

_LINE, _MORE, _VALIDATION = "#1f5fa8", ("#d1742b", "#4b8f3a", "#8a56a6"), "#c2283d"


@dataclass(frozen=True)
class _Panel:
    """One diagram: its columns in the log, and those of the validation that belong to it."""

    title: str
    columns: tuple[str, ...]
    validation: tuple[str, ...] = ()
    logarithmic: bool = False
    share: bool = False


_PANELS = (
    _Panel("loss", ("loss", "mask_loss", "few_shot_loss", "query_loss", "alignment_loss"), logarithmic=True),
    _Panel("Dice", ("dice",), ("whole", "own"), share=True),
    _Panel("drawn where nothing is (share of the slice)", ("absent",)),
    _Panel("waiting for data (share of the time)", ("waiting_share",), share=True),
)
_NAMES = {"whole": "validation, whole volumes", "own": "validation, the structures' own slices"}


def draw_curves(log: Columns, validation: Columns, path: str | Path, title: str = "") -> None:
    """Draw the curves of one training.

    Raw values are faint; above them lies the running mean over a fiftieth of all steps.

    Args:
        log: as from `read_log`; columns that are not there, or have no value, are not drawn.
        validation: as from `read_table` of `validation.csv`; may be empty.
        path: a .png file, replaced in one step if it is there.
        title: above all.

    Raises:
        InputError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    log = dict(log)
    if {"waiting", "seconds"} <= log.keys():
        log["waiting_share"] = _rolling_share(log["waiting"], log["seconds"])
    panels = [p for p in _PANELS if any(_has(log, name) for name in p.columns) or _has_any(validation, p.validation)]
    columns = min(2, max(1, len(panels)))
    rows = max(1, -(-len(panels) // columns))
    width, height = 6.2 * columns, 3.1 * rows + 0.6
    figure = new_figure(width, height, facecolor="white")
    # set by hand: constrained layout draws everything twice to find the same places
    figure.subplots_adjust(0.6 / width, 0.5 / height, 1 - 0.2 / width, 1 - 0.85 / height, 0.15, 0.35)
    for number, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(rows, columns, number + 1), panel, log, validation)
    if not panels:
        figure.text(0.5, 0.5, "no step has been done yet", ha="center")
    figure.suptitle("\n".join(line for line in (title, summary(log, validation)) if line), fontsize=10)
    save_figure(figure, Path(path))


def summary(log: Columns, validation: Columns) -> str:
    """Where the training stands, in a line: steps, speed, waiting share and the last validation."""
    if not len(log.get(STEP, ())):
        return ""
    seconds = float(np.nansum(log["seconds"][1:])) if "seconds" in log else 0.0
    words = [f"step {int(log[STEP][-1])}"]
    if seconds > 0:
        words.append(f"{(len(log[STEP]) - 1) / seconds:.3g} steps/s")
        if "waiting" in log:
            words.append(f"{float(np.nansum(log['waiting'][1:])) / seconds:.1%} of the time waiting for data")
    if _has(validation, "whole"):
        words.append(f"validation {validation['whole'][-1]:.3f} / {validation['own'][-1]:.3f}")
    return ", ".join(words)


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Mean over the last `window` values (fewer at the start), nan left out; nan where all of them are.

    Args:
        values: [N].
        window: at least 1.
    """
    known = ~np.isnan(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    number = counts[ends] - counts[starts]
    return np.where(number > 0, (sums[ends] - sums[starts]) / np.maximum(number, 1), np.nan)


class CurvesPicture:
    """Draws the curves anew at checkpoints and at the end; an `Observer`, to be told after the log and the validation.

    Attributes:
        notes: why there is no picture, if so.
    """

    def __init__(self, path: Path, log: CsvLog, validation: Path | None = None, title: str = ""):
        """Nothing is drawn yet.

        Args:
            path: usually `curves.png` in the training's folder.
            log: what is drawn.
            validation: `validation.csv`, where there is one.
            title: above all.
        """
        self.notes = Notes()
        self._path = path
        self._log = log
        self._validation = validation
        self._title = title
        self._not_before = 0.0

    def resumed(self, step: int) -> None:
        """Nothing to do: the log has been taken back."""

    def told(self, row: dict[str, float]) -> None:
        """Nothing to do before the next checkpoint."""

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """Draw, unless that would take more than a twentieth of the time since the last picture."""
        if time.monotonic() >= self._not_before:
            start = time.monotonic()
            self.draw()
            self._not_before = time.monotonic() + _PAUSE * (time.monotonic() - start)

    def close(self) -> None:
        """Draw, with the last steps."""
        self.draw()

    def draw(self) -> None:
        """Draw the curves of now; what prevents it becomes a note."""
        self._log.flush()
        try:
            validation = read_table(self._validation) if self._validation else {}
            draw_curves(read_log(self._log.path), validation, self._path, self._title)
        except (FewShotError, OSError) as error:
            self.notes.once("draw", str(error) if isinstance(error, FewShotError) else f"{self._path}: {error}.")


def _draw_panel(axes: Any, panel: _Panel, log: Columns, validation: Columns) -> None:
    drawn = [name for name in panel.columns if _has(log, name)]
    # the only part of a loss is the loss itself
    drawn = drawn[:1] + [name for name in drawn[1:] if not np.array_equal(log[name], log[drawn[0]], equal_nan=True)]
    for number, name in enumerate(drawn):
        color = _LINE if number == 0 else _MORE[(number - 1) % len(_MORE)]
        known = ~np.isnan(log[name])
        steps, values = log[STEP][known], log[name][known]
        window = max(1, len(values) // 50)
        thin = max(1, len(values) // _POINTS)
        if name != "waiting_share":
            axes.plot(steps[::thin], values[::thin], color=color, alpha=0.22 if number == 0 else 0.1, linewidth=0.7)
            values = running_mean(values, window)
        axes.plot(steps[::thin], values[::thin], color=color, linewidth=1.6, label=name.replace("_", " "))
    for name, marker in zip(panel.validation, ("o", "^"), strict=False):
        if _has(validation, name):
            axes.plot(
                validation[STEP], validation[name], color=_VALIDATION, marker=marker, markersize=4, linewidth=1.0,
                linestyle="-" if marker == "o" else ":", label=_NAMES.get(name, name),
            )  # fmt: skip
    values = log.get(panel.columns[0], np.zeros(0))
    if panel.logarithmic and np.nanmin(values, initial=np.inf) > 0:
        axes.set_yscale("log")
    elif panel.share:
        axes.set_ylim(-0.02, 1.02)
    else:
        axes.set_ylim(bottom=0)
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(fontsize=8, frameon=False)


def _rolling_share(waiting: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the time of the last steps; that of single steps is all or nothing."""
    window = max(1, len(seconds) // 50)
    return running_mean(waiting, window) / np.maximum(running_mean(seconds, window), 1e-9)


def _has(columns: Columns, name: str) -> bool:
    return name in columns and bool(np.any(~np.isnan(columns[name])))


def _has_any(columns: Columns, names: tuple[str, ...]) -> bool:
    return any(_has(columns, name) for name in names)
