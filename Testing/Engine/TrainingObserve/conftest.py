"""A small folder of labelled volumes, and weights that find what is in them."""

import pytest
import torch
from observe_cases import SMALL, write_labelled

from FewShotSegmentLib.training.networks import make_task


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """Two hearts of different patients and one liver."""
    names = {"heart_01": "heart", "heart_02": "heart", "liver_01": "liver"}
    return write_labelled(tmp_path_factory.mktemp("labelled"), names)


@pytest.fixture(scope="session")
def weights():
    """Of the bundled propagator: they find the organ."""
    return make_task(SMALL, "bundled").network.state_dict()


@pytest.fixture
def rng_kept():
    """Fails if the test uses up random numbers of torch."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(before, torch.get_rng_state())
