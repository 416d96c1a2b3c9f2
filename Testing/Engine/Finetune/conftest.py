"""What the tests of fine-tuning share: a small organ with annotated slices, and engines that know and do not know."""

import pytest
import torch
from finetune_cases import SMALL, organ_with_slices

from FewShotSegmentLib import Engine


@pytest.fixture(scope="session")
def small_engine():
    """The bundled weights at 48 pixels."""
    return Engine.load("cpu", settings=SMALL)


@pytest.fixture
def spoilt_engine():
    """The bundled weights with a refiner that draws far too little: quickly learnt, and nothing else is wrong."""
    engine = Engine.load("cpu", settings=SMALL)
    with torch.no_grad():
        engine.refiner.to_logits.bias.sub_(6.0)
    return engine


@pytest.fixture(scope="session")
def annotated():
    """One organ, annotated on four slices."""
    return organ_with_slices(3, 6, 8, 10)
