"""Slicer's classes without windows, and the module's folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(name: str, path: Path):
    """A module of a test folder: pytest's importlib mode puts none of them on sys.path."""
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    return sys.modules[name]


if importlib.util.find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]  # no wheels of slicer-core for Linux on Arm and for Intel macOS
else:
    headless = load("headless_slicer", ROOT / "Testing" / "MRML" / "headless_slicer.py")
    headless.start()
    if str(ROOT / "FewShotSegment") not in sys.path:
        sys.path.insert(0, str(ROOT / "FewShotSegment"))
    load("scene_cases", Path(__file__).with_name("scene_cases.py"))


@pytest.fixture
def scene():
    """Slicer's scene, empty before and after."""
    from FewShotSegmentModule.scene.segments import reader

    headless.slicer.mrmlScene.Clear(False)
    yield headless.slicer.mrmlScene
    reader.forget()
    headless.slicer.mrmlScene.Clear(False)
