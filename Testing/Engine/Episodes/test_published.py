"""The published episode."""

import numpy as np
import pytest
import torch

from FewShotSegmentLib import InputError
from FewShotSegmentLib.episodes import Episode, TransformSettings, published_episode


def test_two_transforms_of_one_slice(volume):
    episode = published_episode(volume, 4, np.random.default_rng(0))
    assert episode.support_images.shape == episode.query_images.shape == (1, 1, 48, 64)
    assert episode.support_masks.shape == episode.query_masks.shape == (1, 48, 64)
    assert all(part.dtype == torch.float32 for part in episode)
    assert set(episode.query_masks.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(episode.support_images, volume.slices[4][None, None])
    assert not torch.equal(episode.query_images, volume.slices[4][None, None])
    assert not torch.equal(episode.support_images, episode.query_images)


def test_masks_lie_on_one_superpixel(volume):
    """Each superpixel has a grey value of its own: it stays the mask's, on either side."""
    plain = TransformSettings(rotate=5, shift=10)
    for seed in range(8):
        e = published_episode(volume, 4, np.random.default_rng(seed), plain)
        means = [
            float(i[0, 0][m[0] > 0].mean())
            for i, m in ((e.support_images, e.support_masks), (e.query_images, e.query_masks))
        ]
        assert means[0] == pytest.approx(means[1], abs=0.1)


def test_one_side_only_leaves_the_support(volume):
    episode = published_episode(volume, 4, np.random.default_rng(0), both_sides=False)
    assert torch.equal(episode.support_images, volume.slices[4][None, None])
    assert not torch.equal(episode.query_images, volume.slices[4][None, None])


def test_even_repeats_are_supports(volume):
    episode = published_episode(volume, 4, np.random.default_rng(0), both_sides=False, repeats=4)
    assert episode.support_images.shape[0] == episode.query_images.shape[0] == 2
    assert torch.equal(episode.support_images[1, 0], volume.slices[4])
    assert not torch.equal(episode.query_images[0], episode.query_images[1])
    with pytest.raises(InputError, match="3 repeats"):
        published_episode(volume, 4, np.random.default_rng(0), repeats=3)


def test_every_superpixel_can_be_drawn_the_last_too(volume):
    sizes = {
        int(published_episode(volume, 4, np.random.default_rng(s), both_sides=False).support_masks.sum())
        for s in range(30)
    }
    assert sizes == {16 * 20, 16 * 24}


def test_a_slice_with_one_superpixel_works(volume):
    episode = published_episode(volume, 0, np.random.default_rng(0), both_sides=False)
    assert int(episode.support_masks.sum()) == 16 * 20


def test_a_slice_without_superpixels_gives_way_to_the_next(blocks, make_volume):
    blocks[:3] = 0
    blocks[8:] = 0
    volume = make_volume(blocks)
    for index, taken in ((0, 3), (9, 3), (5, 5)):
        episode = published_episode(volume, index, np.random.default_rng(0), both_sides=False)
        assert torch.equal(episode.support_images[0, 0], volume.slices[taken])
    with pytest.raises(InputError, match="no slice 10"):
        published_episode(volume, 10, np.random.default_rng(0))
    with pytest.raises(InputError, match="no superpixels"):
        published_episode(make_volume(blocks * 0), 0, np.random.default_rng(0))


def test_a_superpixel_that_leaves_the_slice_is_drawn_again(make_volume):
    labels = np.zeros((1, 64, 64), np.int32)
    labels[0, 28:36, 0:2] = 1  # a shift to the left takes it out
    far = TransformSettings(shift=40)
    volume = make_volume(labels, dimensions=2)
    for seed in range(40):
        episode = published_episode(volume, 0, np.random.default_rng(seed), far)
        assert bool(episode.support_masks.any()) and bool(episode.query_masks.any())


def test_a_superpixel_that_always_leaves_is_shown_as_it_is(make_volume):
    labels = np.zeros((1, 64, 64), np.int32)
    labels[0, 0, 0] = 1
    away = TransformSettings(zoom=(3, 3))
    episode = published_episode(make_volume(labels, dimensions=2), 0, np.random.default_rng(0), away)
    assert float(episode.support_masks.sum()) == float(episode.query_masks.sum()) == 1


def test_the_seed_decides_all_of_it(volume):
    torch.manual_seed(1)
    first = published_episode(volume, 4, np.random.default_rng(7))
    torch.manual_seed(2)
    np.random.seed(5)  # noqa: NPY002 - must not matter
    second = published_episode(volume, 4, np.random.default_rng(7))
    other = published_episode(volume, 4, np.random.default_rng(8))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first.query_images, other.query_images)


def test_the_volume_stays_as_it_is(volume):
    slices, superpixels = volume.slices.clone(), volume.superpixels.clone()
    published_episode(volume, 4, np.random.default_rng(0), both_sides=False).support_images.add_(1)
    assert torch.equal(volume.slices, slices) and torch.equal(volume.superpixels, superpixels)


def test_padding_for_stacks(volume):
    episode = published_episode(volume, 4, np.random.default_rng(0))
    padded = episode.padded((64, 80))
    assert isinstance(padded, Episode) and padded.query_images.shape == (1, 1, 64, 80)
    assert torch.equal(padded.query_images[..., :48, :64], episode.query_images)
    assert not padded.query_masks[:, 48:].any()
    with pytest.raises(InputError, match="do not fit"):
        episode.padded((32, 80))
