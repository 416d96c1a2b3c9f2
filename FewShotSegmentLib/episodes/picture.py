"""A picture of episodes, to see what a network is trained on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError, OutputError
from .episode import Episode

_SHOWN = (-2.0, 2.5)
"""Deviations from the mean shown as black and white: soft tissue in the middle."""

_CELL = 2.0
"""Inches of a slice; 256 pixels at 128 dots an inch."""


def draw_episodes(episodes: Sequence[Episode], path: str | Path) -> None:
    """Draw a row for each episode: its supports with their masks' outlines, then its queries with theirs.

    Args:
        episodes: 1 or more.
        path: a .png file, replaced in one step if it is there.

    Raises:
        InputError: no episode, or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    if not episodes:
        raise InputError("There is no episode to draw.")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - only for pictures
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise InputError("Pictures need matplotlib: pip install 'fewshotsegment[training]'.") from None

    supports = max(len(episode.support_masks) for episode in episodes)
    queries = max(len(episode.query_masks) for episode in episodes)
    columns = supports + queries
    figure = Figure(figsize=(_CELL * columns, _CELL * len(episodes) + 0.3), dpi=128, facecolor="black")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(episodes), columns, squeeze=False)
    top = 1 - 0.3 / (_CELL * len(episodes) + 0.3)
    figure.subplots_adjust(0, 0, 1, top, wspace=0.02, hspace=0.02)
    for axes in grid.ravel():
        axes.axis("off")
    for row, episode in zip(grid, episodes, strict=True):
        for place, (image, mask) in enumerate(zip(episode.support_images, episode.support_masks, strict=True)):
            _draw_slice(row[place], image[0], mask, "#ffd23f")
        for place, (image, mask) in enumerate(zip(episode.query_images, episode.query_masks, strict=True)):
            _draw_slice(row[supports + place], image[0], mask, "#35e0d0")
    for place in range(columns):
        is_support = place < supports
        color = "#ffd23f" if is_support else "#35e0d0"
        grid[0, place].set_title("support" if is_support else "query", color=color, fontsize=8, pad=3)
    _write(figure, Path(path))


def _draw_slice(axes: Any, image: Tensor, mask: Tensor, color: str) -> None:
    axes.imshow(image.cpu().float().numpy(), cmap="gray", vmin=_SHOWN[0], vmax=_SHOWN[1], interpolation="nearest")
    if bool(mask.any()):
        axes.contour(mask.cpu().float().numpy(), levels=[0.5], colors=[color], linewidths=1.2)
    else:
        axes.text(0.03, 0.03, "absent", color=color, fontsize=7, transform=axes.transAxes)


def _write(figure: Any, path: Path) -> None:
    """PNG, written whole or not at all."""
    part = None
    try:
        handle, name = tempfile.mkstemp(prefix=".fewshotsegment-", suffix=".png", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            figure.savefig(file, format="png", facecolor="black", metadata={"Software": None})
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"The picture {path} cannot be written: {error.strerror or error}.") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
