"""Weights adapted to a user's own annotated volumes, in minutes, and only kept where that helps.

Rooms, in the order in which data flows: `cases` (annotated volumes), `held_out` (slices that only judge), `windows`
(sequences along annotated slices), `source` (what is trained on), `score` (leave-one-slice-out), `adaptation` (before,
train, after, decide), `result`, `store` (where adapted weights are kept, and how they are rolled back), `request` (all
of it in one call) and `logic` (in the background).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .request import AnnotatedArrays, AnnotatedFiles, FinetuneRequest
from .settings import FinetuneSettings
from .store import WeightsStore

if TYPE_CHECKING:
    from .adaptation import adapt
    from .cases import AnnotatedVolume, annotate
    from .logic import TrainingLogic, TrainingProgress
    from .result import FinetuneResult, SliceScore

__all__ = [
    "AnnotatedArrays",
    "AnnotatedFiles",
    "AnnotatedVolume",
    "FinetuneRequest",
    "FinetuneResult",
    "FinetuneSettings",
    "SliceScore",
    "TrainingLogic",
    "TrainingProgress",
    "WeightsStore",
    "adapt",
    "annotate",
]

_HEAVY = {
    "AnnotatedVolume": "cases",
    "FinetuneResult": "result",
    "SliceScore": "result",
    "TrainingLogic": "logic",
    "TrainingProgress": "logic",
    "adapt": "adaptation",
    "annotate": "cases",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is used: a wrong file name must not wait seconds for it."""
    if name in _HEAVY:
        return getattr(import_module(f".{_HEAVY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
