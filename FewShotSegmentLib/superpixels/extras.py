"""Packages that come with the extra “training” and are imported only when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import InputError


def need(module: str) -> Any:
    """A module of scikit-image, scipy or matplotlib.

    Raises:
        InputError: its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = {"skimage": "scikit-image"}.get(module.split(".", maxsplit=1)[0], module.split(".", maxsplit=1)[0])
        raise InputError(
            f"Superpixels need {package}; install it with “pip install 'fewshotsegment[training]'”."
        ) from error
