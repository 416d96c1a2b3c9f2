"""The generated abdomen: the same each time, plausible, and with organs that start and end inside it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.phantom import Phantom, make_phantom

SMALL = (24, 64, 64)
ORGANS = {"liver", "spleen", "right kidney", "left kidney", "stomach", "aorta"}


@pytest.fixture(scope="module")
def ct() -> Phantom:
    return make_phantom()


@pytest.fixture(scope="module")
def mr() -> Phantom:
    return make_phantom(modality="mr")


def organ(phantom: Phantom, name: str) -> np.ndarray:
    return phantom.labels == {n: label for label, n in phantom.names.items()}[name]


def middle(phantom: Phantom, name: str) -> tuple[float, float, float]:
    return tuple(float(axis.mean()) for axis in np.nonzero(organ(phantom, name)))


def test_default_has_the_documented_shape_and_types(ct):
    assert ct.image.shape == ct.labels.shape == (60, 160, 160)
    assert ct.image.dtype == np.int16
    assert ct.labels.dtype == np.uint8
    assert ct.spacing == (5.0, 2.2, 2.2)
    assert ct.image.min() >= -1024
    assert ct.image.max() <= 1500


def test_names_cover_exactly_the_labels_drawn(ct):
    assert set(ct.names.values()) == ORGANS
    assert set(np.unique(ct.labels).tolist()) == {0, *ct.names}


def test_same_seed_same_patient_other_seed_another():
    first, again, other = make_phantom(SMALL, seed=3), make_phantom(SMALL, seed=3), make_phantom(SMALL, seed=4)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)


def test_ct_and_mr_of_one_seed_show_the_same_organs():
    ct, mr = make_phantom(SMALL, seed=5), make_phantom(SMALL, modality="mr", seed=5)
    assert np.array_equal(ct.labels, mr.labels)
    assert not np.array_equal(ct.image, mr.image)


@pytest.mark.parametrize("seed", range(6))
def test_every_organ_is_whole_and_ends_inside_the_volume(seed):
    phantom = make_phantom(SMALL, seed=seed)
    for label, name in phantom.names.items():
        for axis, where in enumerate(np.nonzero(phantom.labels == label)):
            assert where.size > 0, name
            assert where.min() > 0, (name, axis)
            assert where.max() < phantom.labels.shape[axis] - 1, (name, axis)
        z = np.unique(np.nonzero(phantom.labels == label)[0])
        assert np.array_equal(z, np.arange(z[0], z[-1] + 1)), f"{name} has a gap"


def test_organs_have_the_volumes_of_organs(ct):
    ml = {name: organ(ct, name).sum() * np.prod(ct.spacing) / 1000 for name in ORGANS}
    assert 1000 < ml["liver"] < 2000
    assert 90 < ml["spleen"] < 300
    assert 90 < ml["right kidney"] < 250
    assert 90 < ml["left kidney"] < 250
    assert 150 < ml["stomach"] < 600
    assert 40 < ml["aorta"] < 150


def test_orientation_is_lps(ct):
    """The x axis grows to the patient's left, y to the back, z to the head."""
    assert middle(ct, "liver")[2] < 80 < middle(ct, "spleen")[2]
    assert middle(ct, "right kidney")[2] < 80 < middle(ct, "left kidney")[2]
    assert middle(ct, "stomach")[1] < middle(ct, "aorta")[1] < middle(ct, "right kidney")[1]
    assert middle(ct, "right kidney")[0] < middle(ct, "liver")[0]
    bone = np.nonzero(ct.image[30] > 350)
    inner = bone[0][np.abs(bone[1] - 80) < 8]
    assert inner.mean() > 90, "the spine lies at the back"
    lung = (ct.image < -700) & (ct.image > -930)
    assert lung[-6:].mean() > 5 * lung[:12].mean(), "the lungs lie at the top"


def test_ct_contrast_is_that_of_an_enhanced_scan(ct):
    hu = {name: float(np.median(ct.image[organ(ct, name)])) for name in ORGANS}
    assert hu["liver"] == pytest.approx(110, abs=12)
    assert hu["spleen"] == pytest.approx(120, abs=12)
    assert hu["aorta"] == pytest.approx(180, abs=20)
    assert hu["stomach"] < hu["liver"] < hu["right kidney"] < hu["aorta"] + 10
    # Gas and fluid lie in the stomach, gas in front.
    z = round(middle(ct, "stomach")[0])
    inside = organ(ct, "stomach")[z]
    assert (ct.image[z][inside] < -600).any()
    gas, fluid = (np.nonzero(inside & part)[0] for part in (ct.image[z] < -600, np.abs(ct.image[z] - 20) < 25))
    assert gas.mean() < fluid.mean()


def test_mr_is_positive_and_tells_organs_apart(mr):
    grey = {name: float(np.median(mr.image[organ(mr, name)])) for name in ORGANS}
    assert mr.image.min() >= 0
    assert mr.image.max() <= 900
    assert grey["aorta"] < grey["liver"] < grey["spleen"]
    assert grey["aorta"] < grey["liver"] < grey["left kidney"]


def test_outside_is_air(ct):
    corners = ct.image[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() < -900


def test_it_is_noisy_and_its_edges_are_blurred(ct):
    liver = organ(ct, "liver")[30]
    core = liver & np.roll(liver, 4, 0) & np.roll(liver, -4, 0) & np.roll(liver, 4, 1) & np.roll(liver, -4, 1)
    spread = ct.image[30][core].astype(float).std()
    assert 5 < spread < 40


def test_coarser_shape_shows_the_same_patient(ct):
    coarse = make_phantom((30, 80, 80))
    fine = ct.labels[::2, ::2, ::2]
    for label, name in ct.names.items():
        a, b = coarse.labels == label, fine == label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.75, name


@pytest.mark.parametrize(
    "arguments",
    [
        {"modality": "pet"},
        {"shape": (4, 64, 64)},
        {"spacing": (0.0, 1.0, 1.0)},
    ],
)
def test_bad_arguments_are_said_in_a_sentence(arguments):
    with pytest.raises(InputError, match="phantom"):
        make_phantom(**{"shape": SMALL, **arguments})
