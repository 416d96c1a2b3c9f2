"""What the tests of the transfer share: two patients, and what one annotated slice gives."""

from dataclasses import replace

import pytest
from small_cases import make_organ, to_image
from transfer_cases import support_of

from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.transfer import Transfer


@pytest.fixture(scope="module")
def first():
    """The patient who was annotated."""
    return make_organ()


@pytest.fixture(scope="module")
def second():
    """The one who was not: another noise, and an organ of other place and shape."""
    return make_organ(seed=5, center=(7.5, 26, 25), radii=(4.2, 10, 12.5))


@pytest.fixture(scope="module")
def grid(first):
    return Geometry.of_image(to_image(first.image))


@pytest.fixture(scope="module")
def support(first, grid):
    return support_of(first.image, first.mask, [7], grid)


@pytest.fixture(scope="module")
def transfer(engine):
    return Transfer(engine)


@pytest.fixture(scope="module")
def base(transfer, second, grid, support):
    """What one annotated slice gives."""
    return transfer.run(second.image, grid, {"organ": [support]}, modality="ct")["organ"]


@pytest.fixture(scope="module")
def bare(transfer, second, grid, support):
    return transfer.run(second.image, grid, {"organ": [support]}, modality="ct", propagate=False)["organ"]


@pytest.fixture(scope="module")
def third():
    """Another patient's support: other pixels, slices, field of view and place in the world."""
    organ = make_organ((18, 56, 48), seed=6, center=(10, 25, 24), radii=(5, 12, 10))
    grid = Geometry.of_image(to_image(organ.image, spacing=(1.1, 0.9, 2.5), origin=(0.0, 0.0, -700.0)))
    return support_of(organ.image, organ.mask, [7, 12], grid)


@pytest.fixture
def generous(engine, monkeypatch):
    """Volumes that are less sure than the best one have a say as well."""
    monkeypatch.setattr(engine, "settings", replace(engine.settings, volumes_within=0.5, anchors_within=0.5))
