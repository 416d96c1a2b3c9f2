"""Slicer's classes without windows, and the module's folder on the path."""

from __future__ import annotations

import module_scene
import pytest

if not module_scene.AVAILABLE:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def module():
    """FewShotSegmentModule can be imported, and there is a scene."""
    module_scene.start()
    import headless_slicer

    return headless_slicer
