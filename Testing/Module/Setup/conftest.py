"""Slicer's classes without windows, and the module's folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

if importlib.util.find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]  # no wheels of slicer-core for Linux on Arm and for Intel macOS
else:
    if "headless_slicer" not in sys.modules:
        specification = importlib.util.spec_from_file_location(
            "headless_slicer", ROOT / "Testing" / "MRML" / "headless_slicer.py"
        )
        sys.modules["headless_slicer"] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(sys.modules["headless_slicer"])
    sys.modules["headless_slicer"].start()
    if str(ROOT / "FewShotSegment") not in sys.path:
        sys.path.insert(0, str(ROOT / "FewShotSegment"))


@pytest.fixture
def scene():
    """Slicer's scene, empty before and after."""
    slicer = sys.modules["headless_slicer"].slicer
    slicer.mrmlScene.Clear(False)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(False)
