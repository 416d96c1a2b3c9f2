"""What all pictures share: colours, the drawing context, and how a figure becomes text for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...errors import InputError

# Okabe and Ito's colours for all kinds of colour vision, without the yellow, which is lost on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f7f7f")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
MARKERS = "osD^vPX*"
RASTER_FROM = 400
"""Points from which on a cloud is drawn as an image: as paths they would fill megabytes."""


@contextmanager
def drawing() -> Iterator[Any]:
    """`matplotlib` with the same looks, and the same bytes, whatever the user's own settings are.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional
        from matplotlib import style  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "The report's pictures need the package matplotlib: pip install 'fewshotsegment[evaluate]'."
        ) from None
    looks: dict[Any, Any] = {
        "svg.hashsalt": "fewshotsegment",
        "svg.fonttype": "path",
        "font.size": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.titlesize": 10.5,
        "grid.color": "#e3e6ea",
        "legend.frameon": False,
    }
    with style.context("default"), mpl.rc_context(looks):
        yield mpl


def svg(figure: Any) -> str:
    """A figure as a "data:" address."""
    buffer = io.BytesIO()
    # The date would make every report another one.
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=150, bbox_inches="tight")
    return _address("image/svg+xml", buffer.getvalue())


def jpeg(figure: Any, dpi: float = 100) -> str:
    """A figure that is mostly photographs as a "data:" address."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="jpeg",
        dpi=dpi,
        facecolor=figure.get_facecolor(),
        # Thin coloured contours would be smeared by the usual halving of colour.
        pil_kwargs={"quality": 88, "subsampling": 0, "optimize": True},
    )
    return _address("image/jpeg", buffer.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def color(place: int) -> str:
    """Colour of the n-th method; they repeat after eight, with another marker and dash."""
    return COLORS[place % len(COLORS)]


def marker(place: int) -> str:
    """Marker of the n-th method."""
    return MARKERS[(place + place // len(COLORS)) % len(MARKERS)]


def dash(place: int) -> Any:
    """Dash of the n-th method's lines."""
    return DASHES[(place // len(COLORS)) % len(DASHES)]


def plain(text: str) -> str:
    """A name as it is: matplotlib reads what stands between dollar signs as a formula."""
    return text.replace("$", r"\$")


def panels(count: int, columns: int, width: float, height: float, **share: Any) -> tuple[Any, list[Any]]:
    """A figure with so many axes.

    Args:
        count: of axes, at least 1.
        columns: at most so many in a row.
        width: of each in inches.
        height: of each in inches.
        share: for `subplots`.

    Returns:
        The figure and its axes, row by row.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **share).ravel())
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes[:count]


def legend(figure: Any, handles: Sequence[Any], columns: int = 4) -> None:
    """One legend above all axes."""
    figure.legend(handles=list(handles), loc="outside upper left", ncols=min(columns, max(len(handles), 1)))
