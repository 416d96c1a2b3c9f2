"""Sequences for the propagator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib import InputError
from FewShotSegmentLib.episodes import SequenceSettings, TransformSettings, sequence

PLAIN = SequenceSettings(transforms=TransformSettings(), flip=0)


def indices(volume, drawn):
    return [int((volume.slices - image).abs().flatten(1).mean(1).argmin()) for image in drawn.images]


def test_slices_run_outwards_in_even_steps_both_ways(volume):
    seen = set()
    for seed in range(60):
        drawn = sequence(volume, np.random.default_rng(seed), 4, PLAIN)
        steps = set(np.diff(indices(volume, drawn)).tolist())
        assert len(steps) == 1
        seen |= steps
        assert drawn.images.shape == drawn.masks.shape == (4, 48, 64)
        assert drawn.support == 0 and bool(drawn.masks[0].any()) and bool(drawn.known.all())
    assert seen == {-3, -2, -1, 1, 2, 3}


def test_masks_follow_the_supervoxel_past_its_end(volume):
    ended = 0
    for seed in range(40):
        drawn = sequence(volume, np.random.default_rng(seed), 4, PLAIN)
        first, *others = indices(volume, drawn)
        (number,) = volume.superpixels[first][drawn.masks[0] > 0].unique().tolist()
        for place, index in enumerate(others, 1):
            assert torch.equal(drawn.masks[place], (volume.superpixels[index] == number).float())
        ended += not drawn.masks[-1].any()
    assert ended > 0


def test_the_structure_s_end_is_shown_as_often_as_wished(volume):
    def share(ending):
        settings = replace(PLAIN, ending=ending, attempts=40)
        drawn = [sequence(volume, np.random.default_rng(s), 4, settings) for s in range(40)]
        return sum(not d.masks[-1].any() for d in drawn) / len(drawn)

    assert share(1.0) > 0.9
    assert share(0.5) == pytest.approx(0.5, abs=0.2)


def test_not_too_many_images_lie_past_the_end(volume):
    settings = replace(PLAIN, past_end=0.25)
    drawn = [sequence(volume, np.random.default_rng(s), 4, settings) for s in range(40)]
    assert max(int((d.masks.flatten(1).sum(1) == 0).sum()) for d in drawn) == 1


def test_a_superpixel_lost_on_the_way_is_said(make_volume, blocks):
    looks = make_volume(blocks, dimensions=2)
    merged = np.where(np.arange(10)[:, None, None] % 2, 1, 0) * np.ones((10, 48, 64), np.int32)
    merged = np.where(merged, merged, blocks).astype(np.int32)  # every other slice is one superpixel
    volume = make_volume(merged, dimensions=2)
    volume.slices[:] = looks.slices
    drawn = sequence(volume, np.random.default_rng(0), 5, replace(PLAIN, steps=(1, 1)))
    assert bool(drawn.known[0]) and not bool(drawn.known[1:].any())
    assert not drawn.masks[1:].any()


def test_one_transform_for_all_images(volume):
    """A shift shows zeros on one side, on the same pixels of all images."""
    settings = replace(PLAIN, transforms=TransformSettings(shift=60))
    drawn = sequence(volume, np.random.default_rng(5), 4, settings)
    empty = [(image == 0) for image in drawn.images]
    assert bool(empty[0].any())
    assert all(torch.equal(empty[0], other) for other in empty[1:])


def test_flips_left_to_right_together_with_the_mask(volume):
    straight = sequence(volume, np.random.default_rng(1), 4, PLAIN)
    turned = sequence(volume, np.random.default_rng(1), 4, replace(PLAIN, flip=1))
    assert torch.equal(straight.images.flip(-1), turned.images)
    assert torch.equal(straight.masks.flip(-1), turned.masks)


def test_the_seed_decides_all_of_it(volume):
    first, second, other = (sequence(volume, np.random.default_rng(s), 5) for s in (3, 3, 4))
    assert torch.equal(first.images, second.images) and torch.equal(first.masks, second.masks)
    assert not torch.equal(first.images, other.images)


def test_the_longest_sequence_fits_and_a_longer_one_is_refused(volume):
    assert sequence(volume, np.random.default_rng(0), 10).images.shape[0] == 10
    with pytest.raises(InputError, match="has 10 slices, too few for a sequence of 11"):
        sequence(volume, np.random.default_rng(0), 11)
    with pytest.raises(InputError, match="at least 2"):
        sequence(volume, np.random.default_rng(0), 1)


def test_superpixels_in_the_middle_only_and_a_long_sequence(make_volume, blocks):
    blocks[:5] = 0
    blocks[6:] = 0
    volume = make_volume(blocks)
    assert indices(volume, sequence(volume, np.random.default_rng(0), 5, PLAIN))[0] == 5
    with pytest.raises(InputError, match="on either side"):
        sequence(volume, np.random.default_rng(0), 9, PLAIN)


def test_a_structure_that_transforms_move_out_is_shown_as_it_is(make_volume):
    labels = np.zeros((6, 64, 64), np.int32)
    labels[:, 0, 0] = 1
    away = replace(PLAIN, transforms=TransformSettings(zoom=(3, 3)))
    assert float(sequence(make_volume(labels), np.random.default_rng(0), 3, away).masks.sum()) == 3


@pytest.mark.parametrize(
    "wrong", [{"steps": (0, 2)}, {"steps": (3, 2)}, {"past_end": 2}, {"flip": -1}, {"attempts": 0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        SequenceSettings(**wrong)
