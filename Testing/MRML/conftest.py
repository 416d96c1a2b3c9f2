"""A running Slicer without windows, for the tests of this folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def headless():
    """The module headless_slicer, started. Skips only where there is no slicer-core; a broken one is an error."""
    if importlib.util.find_spec("slicer") is None:
        pytest.skip("slicer-core is not installed (it has no wheels for Linux on Arm and for Intel macOS)")
    # pytest's importlib mode puts no test folder on sys.path
    path = Path(__file__).with_name("headless_slicer.py")
    specification = importlib.util.spec_from_file_location("headless_slicer", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.start()
    return module


@pytest.fixture(scope="module")
def slicer_scene(headless):
    """Slicer's scene, empty before and after."""
    scene = headless.slicer.mrmlScene
    scene.Clear(False)
    yield scene
    scene.Clear(False)
