"""What the module's tests without windows share: slicer-core started, the module on the path, a scene."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

AVAILABLE = importlib.util.find_spec("slicer") is not None
"""slicer-core has no wheels for Linux on Arm and for Intel macOS; where it is missing nothing is collected."""


def start(*folders: Path) -> None:
    """Start slicer-core once, and make the module and these folders importable; pytest's importlib mode does not."""
    for folder in (ROOT / "Testing" / "MRML", ROOT / "FewShotSegment", *folders):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    import headless_slicer

    headless_slicer.start()


@pytest.fixture
def scene():
    """Slicer's scene, empty before and after."""
    import slicer
    from FewShotSegmentModule.scene.segments import reader

    slicer.mrmlScene.Clear(False)
    yield slicer.mrmlScene
    reader.forget()
    slicer.mrmlScene.Clear(False)
