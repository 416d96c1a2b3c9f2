"""What all tests of the evaluation share."""

import pytest

from FewShotSegmentLib.evaluation.methods import catalogue


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    """Methods that other tests have added (the bench's do) are not there, and what a test adds goes with it."""
    monkeypatch.setattr(catalogue, "_extras", {})
    monkeypatch.setattr(catalogue, "_known_makers", {})
