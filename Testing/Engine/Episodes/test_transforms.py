"""The published ranges, and what the transforms do to slices and masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from FewShotSegmentLib import InputError
from FewShotSegmentLib.episodes import PUBLISHED, PUBLISHED_V3, TransformSettings
from FewShotSegmentLib.episodes.smooth import smooth_fields
from FewShotSegmentLib.episodes.transforms import STILL, apply_transform, change_intensity, draw_transform

SIZE = (64, 64)


class Drawn(np.random.Generator):
    """Draws the ends of ranges: 0 the lower, 1 the upper."""

    def __init__(self, share):
        super().__init__(np.random.PCG64(0))
        self.share = share

    def uniform(self, low=0.0, high=1.0, size=None):
        value = low + self.share * (high - low)
        return value if size is None else np.full(size, value)


def disc(center=(31, 31), radius=8):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return torch.from_numpy(((y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2).astype(np.float32))[None]


def center_of(mask):
    return torch.nonzero(mask[0]).float().mean(0)


def test_published_ranges_are_those_of_the_paper_s_code():
    assert TransformSettings(5, 5, 5, (0.9, 1.2), 10, 5, (0.5, 1.5)) == PUBLISHED
    assert TransformSettings(30, 30, 30, (0.8, 1.3), 20, 5, (0.2, 1.8)) == PUBLISHED_V3


@pytest.mark.parametrize("share", [0, 1])
def test_affine_map_is_composed_as_published(share):
    """Rotation, shift, shear about the first pixel, zoom, in this order, as cv2's matrices say."""
    settings = replace(PUBLISHED, alpha=0)
    back = draw_transform(Drawn(share), settings, (256, 256)).back
    sign = 2 * share - 1
    cos, sin = np.cos(np.radians(5)), np.sin(np.radians(5)) * sign
    middle = np.array([[1, 0, 128], [0, 1, 128], [0, 0, 1]])
    away = np.linalg.inv(middle)
    rotate = middle @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ away
    shift = np.array([[1, 0, 5 * sign], [0, 1, 5 * sign], [0, 0, 1]])
    shear = np.array([[1, -sin, 0], [0, cos, 0], [0, 0, 1]])
    zoom = middle @ np.diag([settings.zoom[share], settings.zoom[share], 1]) @ away
    np.testing.assert_allclose(np.vstack([back, [0, 0, 1]]) @ zoom @ shear @ shift @ rotate, np.eye(3), atol=1e-9)


def test_shift_moves_by_a_share_of_the_slice_and_leaves_zeros():
    transform = draw_transform(Drawn(1), TransformSettings(shift=16), SIZE)  # 16 of 256 are 4 of 64
    image, mask = apply_transform(transform, torch.ones(1, *SIZE), disc())
    torch.testing.assert_close(center_of(mask) - center_of(disc()), torch.tensor([4.0, 4.0]))
    assert float(image[0, :4].abs().max()) < 1e-5 and float(image[0, :, :4].abs().max()) < 1e-5
    assert bool((image[0, 4:, 4:] > 0.99).all())


def test_zoom_above_one_enlarges():
    mask = apply_transform(draw_transform(Drawn(1), TransformSettings(zoom=(1, 1.5)), SIZE), disc(), disc())[1]
    assert float(mask.sum() / disc().sum()) == pytest.approx(2.25, rel=0.03)


@pytest.mark.parametrize(("share", "row"), [(1, 11), (0, 51)])
def test_rotation_is_about_the_middle(share, row):
    """What lies right of the middle goes up (anticlockwise) at a positive angle."""
    transform = draw_transform(Drawn(share), TransformSettings(rotate=90), SIZE)
    moved = center_of(apply_transform(transform, disc((32, 52)), disc((32, 52), 5))[1])
    assert moved[0] == pytest.approx(row + 1, abs=1) and moved[1] == pytest.approx(32, abs=1)


def test_blurred_noise_has_the_published_size_and_smoothness():
    rng = np.random.default_rng(0)
    ours = smooth_fields(rng, 40, (128, 128), 5).numpy()
    noise = rng.random((40, 128, 128)) * 2 - 1
    theirs = gaussian_filter(noise, (0, 5, 5), mode="reflect", truncate=2)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    for lag in (3, 8):
        one, other = ((f[:, :, lag:] * f[:, :, :-lag]).mean() / f.var() for f in (ours, theirs))
        assert one == pytest.approx(other, abs=0.04)
    # the mirror at the borders lets fields vary more there
    assert ours[:, 0].std() / ours.std() == pytest.approx(theirs[:, 0].std() / theirs.std(), rel=0.12)


@pytest.mark.parametrize("side", [64, 256])
def test_elastic_displacement_grows_with_the_slice(side):
    rng = np.random.default_rng(1)
    bends = torch.stack(
        [draw_transform(rng, TransformSettings(alpha=550, sigma=20), (side, side)).bend for _ in range(30)]
    )
    assert float(bends.std()) / side == pytest.approx(5 / 256, rel=0.15)


def test_elastic_map_moves_image_and_mask_alike():
    settings = TransformSettings(alpha=550, sigma=20)
    image, mask = apply_transform(draw_transform(np.random.default_rng(2), settings, SIZE), disc(), disc())
    assert bool((mask != disc()).any())
    torch.testing.assert_close((image > 0.5).float(), mask)


def test_gamma_is_on_the_shifted_image_and_keeps_its_ends():
    image = torch.linspace(-1.5, 2.5, 9)[None, None]
    changed = change_intensity(image, 2.0)
    np.testing.assert_allclose(changed.numpy(), -1.5 + 4 * ((image.numpy() + 1.5) / 4) ** 2, atol=1e-3)


def test_mask_is_rounded_half_down():
    """np.rint(0.5) is 0 in the published code, so half a pixel belongs to the background."""
    transform = draw_transform(Drawn(1), TransformSettings(shift=2), SIZE)  # half a pixel
    mask = torch.zeros(1, *SIZE)
    mask[0, :, 20:30] = 1
    moved = apply_transform(transform, mask, mask)[1]
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert int(moved[0, 32].sum()) == 9


def test_bias_is_smooth_and_noise_is_repeatable():
    settings = TransformSettings(bias=0.2, noise=0.1)
    drawn = [draw_transform(np.random.default_rng(3), settings, SIZE) for _ in range(2)]
    first, second = (apply_transform(t, torch.zeros(2, *SIZE), torch.zeros(2, *SIZE))[0] for t in drawn)
    assert torch.equal(first, second)
    assert float((first[0] - first[1]).std()) == pytest.approx(0.1 * 2**0.5, rel=0.05)
    shading = drawn[0].bias
    assert 0 < float(shading.diff(dim=0).abs().max()) < 0.1
    many = torch.stack([draw_transform(np.random.default_rng(s), settings, SIZE).bias for s in range(200)])
    assert float(many.std()) == pytest.approx(0.2, rel=0.1)


def test_still_changes_nothing():
    image = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    moved, mask = apply_transform(draw_transform(np.random.default_rng(0), STILL, SIZE), image, disc())
    torch.testing.assert_close(moved, image, atol=1e-4, rtol=0)
    assert torch.equal(mask, disc())


@pytest.mark.parametrize("wrong", [{"zoom": (1.2, 0.9)}, {"gamma": (0, 1)}, {"rotate": -5}, {"sigma": 0}])
def test_ranges_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        TransformSettings(**wrong)
