"""A superpixel through neighbouring slices."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.episodes import FollowSettings
from FewShotSegmentLib.episodes.following import follow

SETTINGS = FollowSettings()


def areas(track):
    return [int(mask.sum()) for mask in track.masks]


def test_a_supervoxel_ends_where_its_number_ends(volume):
    track = follow(volume, 4, 2, 1, 5, SETTINGS)
    assert areas(track) == [384, 384, 384, 0, 0]
    assert track.known == 5 and track.last == 2
    assert areas(follow(volume, 4, 2, -1, 3, SETTINGS)) == [384, 384, 0]


def test_it_stops_at_the_volume_s_end(volume):
    assert len(follow(volume, 8, 1, 1, 5, SETTINGS).masks) == 2


def test_what_comes_back_after_a_gap_is_unknown(blocks, make_volume):
    blocks[5] = 0
    track = follow(make_volume(blocks), 3, 1, 1, 5, SETTINGS)
    assert areas(track) == [320, 320, 0, 0, 0]
    assert track.known == 3


def numbered_anew(blocks, seed=0):
    """2D: numbers of a slice say nothing about the next one's."""
    out = np.zeros_like(blocks)
    for i, labels in enumerate(blocks):
        ids = np.unique(labels[labels > 0])
        for new, old in enumerate(np.random.default_rng(seed + i).permutation(ids), 1):
            out[i][labels == old] = new
    return out


def test_superpixels_are_followed_by_overlap(blocks, make_volume):
    for i in range(10):
        blocks[i] = np.roll(blocks[i], i, 1)  # it drifts by a pixel a slice
    expected = [int((blocks[i] == 2).sum()) for i in range(3, 7)]
    values = make_volume(blocks)
    volume = make_volume(numbered_anew(blocks), dimensions=2)
    volume.slices[:] = values.slices
    track = follow(volume, 3, int(volume.superpixels[3][30, 40]), 1, 4, SETTINGS)
    assert areas(track) == expected
    assert all((mask == (blocks[3 + n] == 2)).all() for n, mask in enumerate(track.masks))


def test_a_superpixel_whose_place_looks_different_has_ended(volume, blocks, make_volume):
    flat = make_volume(blocks, dimensions=2)
    track = follow(flat, 5, 2, 1, 4, SETTINGS)
    assert areas(track) == [384, 384, 0, 0]
    assert track.known == 4


def test_a_superpixel_that_is_swallowed_is_lost_not_gone(blocks, make_volume):
    looks = make_volume(blocks, dimensions=2)
    merged = blocks.copy()
    merged[5:, 2:46, 2:62] = 1  # from here on, all is one superpixel, though nothing looks different
    volume = make_volume(merged, dimensions=2)
    volume.slices[:] = looks.slices
    track = follow(volume, 3, 2, 1, 4, SETTINGS)
    assert areas(track) == [384, 384, 0, 0]
    assert track.known == 2


def test_pieces_within_the_last_mask_belong_together(blocks, make_volume):
    cut = blocks.copy()
    cut[4][(blocks[4] == 2) & (np.arange(64) < 44)[None]] = 3
    track = follow(make_volume(cut, dimensions=2), 3, 2, 1, 2, SETTINGS)
    assert areas(track) == [384, 384]


def test_no_such_superpixel(volume):
    for number in (0, 2, 9):
        with pytest.raises(InputError, match="no superpixel"):
            follow(volume, 0, number, 1, 3, SETTINGS)


@pytest.mark.parametrize("wrong", [{"same_above": 0.1}, {"gone_below": -1}, {"changed_above": -1}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        FollowSettings(**wrong)
