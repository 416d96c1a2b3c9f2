"""Slicer's classes without windows, and the module's folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

if importlib.util.find_spec("slicer") is None:
    collect_ignore_glob = ["test_*.py"]  # no wheels of slicer-core for Linux on Arm and for Intel macOS


def load(name: str, path: Path):
    """A module of a test folder: pytest's importlib mode puts none of them on sys.path."""
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        specification.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def module():
    """FewShotSegmentModule can be imported, and there is a scene."""
    headless = load("headless_slicer", ROOT / "Testing/MRML/headless_slicer.py")
    headless.start()
    folder = str(ROOT / "FewShotSegment")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return headless
