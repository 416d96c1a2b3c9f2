"""Volumes with supervoxels, made here."""

import pytest
from training_cases import make_volume


@pytest.fixture(scope="session")
def volumes():
    return [make_volume(f"case {n}", n) for n in range(3)]
