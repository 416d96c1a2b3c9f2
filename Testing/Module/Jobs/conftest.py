"""A scene of slicer-core, the module on the path, and a logic whose worker is a fake in memory."""

from __future__ import annotations

from pathlib import Path

import module_scene
import pytest
from module_scene import scene  # noqa: F401 - a fixture

HERE = Path(__file__).resolve().parent

if module_scene.AVAILABLE:
    module_scene.start(HERE, HERE.parent / "Scene")
else:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def fake():
    import fake_worker

    return fake_worker.FakeWorker()


@pytest.fixture
def logic(scene, fake):  # noqa: F811
    """Does its own steps when `job_cases.turn` says so, as a timer does in Slicer."""
    import job_cases
    from FewShotSegmentModule.logic import FewShotSegmentLogic

    made = FewShotSegmentLogic(makeTransport=fake.make_transport, runner=job_cases.ManualRunner())
    yield made
    made.close()
    assert not made.busy
