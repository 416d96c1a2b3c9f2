"""A picture of a support: its slices in grey with the outline of what was drawn."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from ..errors import InputError
from .archive import written_whole
from .slices import Support

_MOST_SHOWN = 16
_COLUMNS = 4


def write_picture(path: Path, support: Support) -> None:
    """Write a PNG of a support's slices (up to 16 of them), each with the aspect of its pixels in mm.

    Args:
        path: a file that may be replaced.
        support: to show.

    Raises:
        InputError: matplotlib is not there.
        OutputError: it cannot be written there.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - only pictures need it
    except ImportError as error:
        raise InputError("A picture needs matplotlib; install it with “pip install matplotlib”.") from error
    step = -(-len(support.slices) // _MOST_SHOWN)
    shown = support.slices[::step]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3 * columns, 3.2 * rows), layout="constrained")
    for number, piece in enumerate(shown):
        axes = figure.add_subplot(rows, columns, number + 1)
        _, height, width = piece.geometry.spacing
        scale = support.intensity
        axes.imshow(piece.image, cmap="gray", vmin=scale.low, vmax=scale.high, aspect=height / width)
        if min(piece.mask.shape) > 1:  # a single row has no outline
            axes.contour(piece.mask, levels=[0.5], colors=[support.color], linewidths=1.2)
        axes.set_title(f"slice {piece.index} of {piece.count}", fontsize=9)
        axes.axis("off")
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    with written_whole(path) as file:
        file.write(picture.getvalue())
