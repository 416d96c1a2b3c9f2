"""Weights: where they are, what they are, and proof that they are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .manifest import WeightsInfo, find_weights, read_manifest, weights_folder
from .places import find_weights_folder

if TYPE_CHECKING:
    from .load import load_refiner, load_state

__all__ = [
    "WeightsInfo",
    "find_weights",
    "find_weights_folder",
    "load_refiner",
    "load_state",
    "read_manifest",
    "weights_folder",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is used: a wrong file name must not wait seconds for it."""
    if name in {"load_refiner", "load_state"}:
        from . import load  # noqa: PLC0415

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
