"""What the tests of methods share: a disc that moves from slice to slice, two patients, and small networks."""

import numpy as np
import pytest
from scipy import ndimage
from small_cases import make_organ, to_image

from FewShotSegmentLib.evaluation.method import Across, Recipe, Volume
from FewShotSegmentLib.evaluation.methods.loaded import Loaded
from FewShotSegmentLib.images import Geometry


def volume_of(image, modality="mr", spacing=(1.0, 1.0, 3.0)):
    return Volume(image, Geometry.of_image(to_image(image, spacing=spacing)), modality)


@pytest.fixture(scope="session")
def make_volume():
    """A volume of an array."""
    return volume_of


@pytest.fixture(scope="session")
def moving():
    """(volume, mask): a bright disc of radius 9 that moves by 1.5 pixels from slice to slice over a quiet texture."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:56, :60]
    mask = np.stack([(y - 22 - z) ** 2 + (x - 20 - 1.1 * z) ** 2 < 81 for z in range(12)])
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (56, 60)), 3)
    image = 100 + 100 * texture + 90 * ndimage.gaussian_filter(mask.astype(float), (0, 0.7, 0.7))
    image += rng.normal(0, 2, image.shape)
    return volume_of(image.astype(np.float32)), mask


@pytest.fixture(scope="session")
def patients():
    """((volume, mask) of the annotated patient, (volume, mask) of the other)."""
    first = make_organ()
    second = make_organ(seed=5, center=(7.5, 26, 25), radii=(4.2, 10, 12.5))
    return tuple((volume_of(organ.image, "ct"), organ.mask) for organ in (first, second))


@pytest.fixture(scope="session")
def ask(patients):
    """A question about the second patient, with these slices of the first annotated."""

    def question(*indices, parts=None):
        (support, mask), (query, _) = patients
        wanted = None if parts is None else np.asarray(parts)
        return Across(query, support, {z: mask[z] for z in indices}, wanted, "liver")

    return question


@pytest.fixture(scope="session")
def loaded(engine):
    """Small networks; see the engine's fixture."""
    return Loaded(engine)


@pytest.fixture(scope="session")
def recipe():
    """A recipe by name, whatever is installed."""

    def of(name, *tasks, **options):
        return Recipe(name, name.title(), tasks or ("within", "across"), "", options)

    return of


@pytest.fixture(scope="session")
def dice():
    """Of two masks."""

    def of(a, b):
        return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))

    return of
