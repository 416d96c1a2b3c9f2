"""Pictures without pyplot, whose global state is not made for threads and needs a choice of back end."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from ...errors import InputError, OutputError
from .files import replace_file


def new_figure(width: float, height: float, dpi: int = 110, **options: Any) -> Any:
    """An empty matplotlib figure, inches.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        figure = import_module("matplotlib.figure").Figure(figsize=(width, height), dpi=dpi, **options)
        import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    except ImportError:
        raise InputError(
            "The pictures of a training need matplotlib; install it with “pip install 'fewshotsegment[training]'”."
        ) from None
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """As PNG, written whole or not at all; the same figure gives the same bytes.

    Raises:
        OutputError: the file cannot be written.
    """
    picture = BytesIO()
    figure.savefig(picture, format="png", facecolor=figure.get_facecolor(), metadata={"Software": None})
    try:
        replace_file(path, picture.getvalue())
    except OSError as error:
        raise OutputError(f"The picture {path} cannot be written: {error.strerror or error}.") from error
