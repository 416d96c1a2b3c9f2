"""The engine as a method of the bench: the same call as a user's, with the case's modality given."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from cases import Structure

# This checkout is measured, whatever version is installed, if any.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def missing() -> str | None:
    """Why the engine cannot be measured here, if it cannot."""
    return None if importlib.util.find_spec("torch") else "torch is not installed"


def load():
    """The engine on the CPU, with the weights of this checkout."""
    from FewShotSegmentLib import Engine

    return Engine.load(device="cpu")


def load_without_stops():
    """The same, but no run stops where it is unsure: where time and memory are measured every slice shall cost."""
    from dataclasses import replace

    engine = load()
    engine.settings = replace(engine.settings, stop_presence=0.0, stop_confidence=0.0)
    return engine


class LoadedEngine:
    """The engine, loaded once: a user carries many structures with one loading of the weights."""

    def __init__(self):
        self.engine = load()

    def propagate(self, structure: Structure, anchors: dict[int, np.ndarray]) -> np.ndarray:
        return self._mask(structure, anchors, None)

    def propagate_within(self, structure: Structure, anchors: dict[int, np.ndarray]) -> np.ndarray:
        """The outermost anchors are said to be the ends of the structure, as 'Fill between slices' takes them."""
        return self._mask(structure, anchors, (min(anchors), max(anchors)))

    def _mask(
        self, structure: Structure, anchors: dict[int, np.ndarray], slice_range: tuple[int, int] | None
    ) -> np.ndarray:
        return self.engine.propagate(
            structure.image,
            anchors,
            axis=0,
            spacing=structure.spacing,
            modality=structure.modality.lower(),
            slice_range=slice_range,
        ).mask
