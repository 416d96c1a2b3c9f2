"""The engine of this checkout, loaded as a user would."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

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
