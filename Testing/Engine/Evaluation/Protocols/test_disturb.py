"""Scans and annotations made worse."""

import numpy as np
import pytest
from protocol_cases import SPACING, labels_of, make_scan

from FewShotSegmentLib.evaluation.protocols import careless, disturb

rng = np.random.default_rng


def flat(value=100.0, modality="mr", shape=(6, 40, 40), dtype=np.float32):
    scan = make_scan(np.zeros(shape, np.uint8), modality)
    image = np.full(shape, value, dtype)
    image[:, :, : shape[2] // 2] = 0
    return type(scan)(image, scan.labels, scan.geometry, modality)


def test_ct_noise_is_gaussian_of_a_share_of_the_soft_tissue_window():
    difference = disturb.noise(flat(modality="ct"), 0.05, rng(0)).image - flat().image
    assert difference.std() == pytest.approx(20, rel=0.03) and abs(difference.mean()) < 1


def test_mr_noise_is_rician():
    noisy = disturb.noise(flat(), 0.1, rng(0)).image  # range 0 to 100: σ = 10
    air, tissue = noisy[:, :, :20], noisy[:, :, 20:]
    assert noisy.min() >= 0
    assert air.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.03)  # Rayleigh where there is no signal
    assert air.std() == pytest.approx(10 * np.sqrt(2 - np.pi / 2), rel=0.05)
    assert tissue.std() == pytest.approx(10, rel=0.05) and tissue.mean() == pytest.approx(100.5, rel=0.01)


def test_blur_stays_within_a_slice_and_keeps_the_sum():
    scan = flat(0)
    scan.image[3, 20, 20] = 1000
    blurred = disturb.blur(scan, 2.0).image
    assert blurred[3].sum() == pytest.approx(1000, rel=1e-4)
    assert blurred[3, 20, 20] == pytest.approx(1000 / (2 * np.pi * 4), rel=0.01)
    assert not blurred[2].any() and not blurred[4].any()


def test_a_bias_field_is_smooth_and_runs_between_its_limits():
    scan = flat()
    scan.image[:] = 100
    field = disturb.bias_field(scan, 0.4, rng(0)).image / 100
    assert field.min() == pytest.approx(0.6, abs=1e-3) and field.max() == pytest.approx(1.4, abs=1e-3)
    assert np.abs(np.diff(field, axis=1)).max() < 0.1 and np.abs(np.diff(field, axis=2)).max() < 0.1


def test_gamma_moves_the_middle_and_keeps_the_ends():
    scan = make_scan(modality="ct")
    scan.image[0, 0, :5] = -1000, -160, 40, 240, 1000
    changed = disturb.gamma(scan, 2.0).image
    assert changed[0, 0, :5].tolist() == [-1000, -160, -60, 240, 1000]


def test_contrast_shrinks_around_the_middle():
    scan = make_scan(modality="ct")
    scan.image[0, 0, :3] = -160, 40, 240
    assert disturb.contrast(scan, 0.5).image[0, 0, :3].tolist() == [-60, 40, 140]


def test_thick_slices_average_image_and_labels_and_know_their_place():
    labels = np.zeros((7, 4, 4), np.uint8)
    labels[1:3, 0, 0] = 1  # half of slice 0 and half of slice 1
    labels[2, 1, 1] = 2
    labels[3, 1, 1] = 4  # half and half: the lower value's
    scan = make_scan(labels)
    thick = disturb.thicken(scan, 2)
    assert thick.image.shape == thick.labels.shape == thick.geometry.shape == (3, 4, 4)
    assert thick.labels[:, 0, 0].tolist() == [1, 1, 0] and thick.labels[1, 1, 1] == 2
    assert np.abs(thick.image[2] - scan.image[4:6].mean(axis=0)).max() <= 0.5
    assert thick.spacing == (8.0, 1.0, 2.0)
    assert thick.geometry.ijk_to_lps[2, 3] == 30 + SPACING[0] / 2
    third = disturb.thicken(scan, 3)
    assert third.labels[0, 0, 0] == 1 and third.labels[1, 1, 1] == 0 and third.geometry.ijk_to_lps[2, 3] == 34


def test_a_crop_keeps_its_place_in_the_world():
    scan = make_scan()
    box = disturb.crop_box(scan.labels == 3, scan.spacing, 5.0)  # slices 3–8, rows 12–16, columns 16–20
    assert box == (slice(2, 10), slice(7, 20), slice(14, 23))
    part = disturb.crop(scan, box)
    assert (part.image == scan.image[box]).all() and (part.labels == scan.labels[box]).all()
    x, y, z = scan.geometry.ijk_to_lps[:3] @ (14, 7, 2, 1)
    assert part.geometry.ijk_to_lps[:3, 3].tolist() == [x, y, z] and part.geometry.shape == (8, 13, 9)


@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_everything_is_the_same_at_every_run_and_leaves_the_scan_alone(modality):
    scan = make_scan(modality=modality)
    before = scan.image.copy()
    for changes in disturb.IMAGES.values():
        for _setting, change in changes:
            first, again = change(scan, rng(3)), change(scan, rng(3))
            assert (first.image == again.image).all() and first.image.dtype == np.int16
            assert first.modality == modality
    assert (scan.image == before).all()


def test_integers_grow_where_they_must():
    scan = make_scan(dtype=np.uint8)
    assert disturb.contrast(scan, 1.0).image.dtype == np.uint8
    assert disturb.contrast(scan, 3.0).image.dtype == np.int16


def test_a_flat_image_can_be_disturbed():
    scan = flat(0)
    for changes in disturb.IMAGES.values():
        for _setting, change in changes:
            assert np.isfinite(change(scan, rng(0)).image).all()


def square():
    mask = np.zeros((20, 20), bool)
    mask[5:13, 6:14] = True
    return mask


def test_too_small_and_too_large():
    expected = np.zeros((20, 20), bool)
    expected[7:11, 8:12] = True
    assert (careless.eroded(square(), 2.0) == expected).all()
    grown = careless.dilated(square(), 2.0)
    assert grown[3:15, 8].all() and grown[:, 8].sum() == 12 and not grown[3, 4]
    assert not careless.eroded(square()[4:8], 4.0).any()


def test_the_slice_border_is_an_outline():
    assert careless.eroded(np.ones((6, 6), bool), 2.0).sum() == 4


@pytest.mark.parametrize("seed", range(8))
def test_beside(seed):
    moved = careless.shifted(square(), 3, rng(seed))
    assert moved.sum() == 64 and (moved & square()).sum() == 5 * 8
    edge = np.ones((10, 10), bool)
    assert careless.shifted(edge, 3, rng(seed)).sum() == 70


def test_an_unsteady_hand_keeps_the_place_and_roughly_the_size():
    jagged = careless.jagged(square(), 2.0, rng(0))
    assert (jagged == careless.jagged(square(), 2.0, rng(0))).all()
    assert (jagged != careless.jagged(square(), 2.0, rng(1))).any()
    wrong = jagged != square()
    assert wrong.any() and not wrong[:3].any() and jagged[8:10, 9:11].all()  # within 2 px of the outline
    assert 0.6 < jagged.sum() / 64 < 1.6 and 2 * (jagged & square()).sum() / (jagged.sum() + 64) > 0.6
    assert (careless.jagged(square(), 0.0, rng(0)) == square()).all()


def test_levels_have_names_of_their_own():
    settings = [setting for changes in disturb.IMAGES.values() for setting, _ in changes]
    settings += [setting for setting, _ in disturb.CROPS] + [setting for setting, _ in careless.POOR]
    assert len(settings) == len(set(settings)) == 17
    assert {*disturb.IMAGES, "cropping", "support", "twins"} == set(disturb.DISTURBANCES)
    assert labels_of().max() == 3
