"""Odd masks, and what is not there."""

import numpy as np
import pytest
from small_cases import dice, to_image
from transfer_cases import one, support_of

from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.transfer import METHODS, Transfer


@pytest.mark.parametrize("pixels", [2, 3])
def test_an_organ_of_a_few_pixels(transfer, first, second, grid, pixels):
    mask = np.zeros(first.mask.shape, bool)
    mask[7, 23, 27 : 27 + pixels] = True
    for propagate in (True, False):
        result = one(transfer, second.image, grid, [support_of(first.image, mask, [7], grid)], propagate=propagate)
        assert np.isfinite(result.slice_confidence).all() and 0 <= result.confidence <= 1


def test_a_pixel_in_a_corner(transfer, first, second, grid):
    mask = np.zeros(first.mask.shape, bool)
    mask[7, 0, 0] = True
    result = one(transfer, second.image, grid, [support_of(first.image, mask, [7], grid)])
    assert np.isfinite(result.slice_confidence).all()


@pytest.mark.parametrize("method", METHODS)
def test_no_background_at_all(engine, method, first, second, grid):
    """A mask that covers its whole slice, on a query of four slices."""
    mask = np.zeros(first.mask.shape, bool)
    mask[7] = True
    support = support_of(first.image, mask, [7], grid)
    image = second.image[5:9]
    transfer, geometry = Transfer(engine, method), Geometry.of_image(to_image(image))
    for propagate in (True, False):
        result = one(transfer, image, geometry, [support], propagate=propagate)
        assert np.isfinite(result.probability).all() and np.isfinite(result.slice_confidence).all()
        assert result.mask.shape == image.shape


def test_noise_holds_no_organ(transfer, second, grid, support):
    noise = np.random.default_rng(0).normal(0, 50, second.image.shape).astype(np.int16)
    result = one(transfer, noise, grid, [support])
    assert not result.found and result.confidence < 0.5
    assert not result.mask.any() and result.anchors == () and result.slices == ()
    assert result.probability.shape == noise.shape and not result.probability.any()
    np.testing.assert_allclose(result.slice_confidence, 1 - result.confidence)


def test_a_body_without_the_organ_is_much_less_sure_of_it(transfer, base, second, grid, support):
    without = np.where(second.mask, 40, second.image).astype(np.int16)
    result = one(transfer, without, grid, [support])
    assert result.confidence < base.confidence - 0.2
    assert result.mask.sum() < 0.05 * second.mask.sum()
    assert result.found is (result.confidence >= 0.5)


def test_slices_without_the_organ_stay_empty(transfer, first, grid, support):
    image = np.concatenate([first.image[:1]] * 6 + [first.image] + [first.image[-1:]] * 6)
    truth = np.concatenate([first.mask[:1]] * 6 + [first.mask] + [first.mask[-1:]] * 6)
    result = one(transfer, image, Geometry.of_image(to_image(image)), [support])
    assert dice(result.mask, truth) > 0.93
    assert not result.mask[:5].any() and not result.mask[-5:].any()
