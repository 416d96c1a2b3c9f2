"""Slicer's classes without windows, and the module's folder on the path."""

from __future__ import annotations

from pathlib import Path

import module_scene
from module_scene import scene  # noqa: F401 - a fixture

HERE = Path(__file__).resolve().parent

if module_scene.AVAILABLE:
    module_scene.start(HERE)
else:
    collect_ignore_glob = ["test_*.py"]
