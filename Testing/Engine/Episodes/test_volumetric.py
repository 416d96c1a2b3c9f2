"""Support and queries on different slices."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib import InputError
from FewShotSegmentLib.episodes import TransformSettings, VolumetricSettings, two_patients_episode, volumetric_episode
from FewShotSegmentLib.episodes.contrast import like

STILL = TransformSettings()
PLAIN = VolumetricSettings(absent=0, support=STILL, query=STILL)


def slice_of(volume, image):
    """Index of the slice that an untransformed image is."""
    return int((volume.slices - image).abs().flatten(1).mean(1).argmin())


def superpixel_of(volume, image, mask):
    return volume.superpixels[slice_of(volume, image)][mask > 0].unique().tolist()


def episodes(volume, count=25, shots=1, queries=2, settings=PLAIN, **more):
    return [
        volumetric_episode(volume, np.random.default_rng(s), shots, queries, settings, **more) for s in range(count)
    ]


def test_queries_are_near_slices_that_show_the_same_supervoxel(volume):
    distances = set()
    for e in episodes(volume):
        own = slice_of(volume, e.support_images[0, 0])
        assert superpixel_of(volume, e.support_images[0, 0], e.support_masks[0]) in ([1], [2])
        for image, mask in zip(e.query_images[:, 0], e.query_masks, strict=True):
            distances.add(abs(slice_of(volume, image) - own))
            found = superpixel_of(volume, image, mask)
            assert found == superpixel_of(volume, e.support_images[0, 0], e.support_masks[0])
            assert int(mask.sum()) == int((volume.superpixels[slice_of(volume, image)] == found[0]).sum())
    assert distances == {1, 2, 3}


def test_shots_are_different_slices_and_no_queries(volume):
    for e in episodes(volume, shots=3, queries=2):
        assert e.support_images.shape == (3, 1, 48, 64) and e.query_masks.shape == (2, 48, 64)
        supports = {slice_of(volume, image) for image in e.support_images[:, 0]}
        assert len(supports) == 3
        assert not supports & {slice_of(volume, image) for image in e.query_images[:, 0]}


def test_absent_queries_have_the_given_chance_and_are_truly_absent(volume):
    found = episodes(volume, 120, queries=1, settings=replace(PLAIN, absent=0.3))
    empty = [e for e in found if not e.query_masks.any()]
    assert 0.18 < len(empty) / len(found) < 0.42
    for e in empty:  # only supervoxel 2 ends within the volume
        assert superpixel_of(volume, e.support_images[0, 0], e.support_masks[0]) == [2]
        assert 2 not in volume.superpixels[slice_of(volume, e.query_images[0, 0])]
    assert all(e.query_masks.any() for e in episodes(volume, 30))


def test_where_no_end_is_known_nothing_is_absent(make_volume, blocks):
    blocks[blocks == 2] = 0
    for e in episodes(make_volume(blocks), 10, settings=replace(PLAIN, absent=1.0)):
        assert e.query_masks.flatten(1).any(1).all()


def test_sides_are_transformed_independently(volume):
    settings = VolumetricSettings(absent=0)
    e = volumetric_episode(volume, np.random.default_rng(0), settings=settings)
    still = volumetric_episode(volume, np.random.default_rng(0), settings=replace(settings, query=STILL))
    own = slice_of(volume, still.query_images[0, 0])
    torch.testing.assert_close(still.query_images[0, 0], volume.slices[own], atol=1e-3, rtol=0)
    assert not torch.equal(still.support_images[0, 0], volume.slices[slice_of(volume, still.support_images[0, 0])])
    assert not torch.equal(e.query_images, still.query_images)


def test_a_single_slice_is_its_own_query(make_volume, blocks):
    volume = make_volume(blocks[4:5], dimensions=2)
    e = volumetric_episode(volume, np.random.default_rng(0), shots=2, queries=2)
    assert e.support_masks.flatten(1).any(1).all() and e.query_masks.flatten(1).any(1).all()


def test_slivers_are_no_supports(make_volume, blocks):
    blocks[blocks == 2] = 0
    blocks[2:6, 40, 40] = 2
    sizes = [int(e.support_masks[0].sum()) for e in episodes(make_volume(blocks), 30)]
    assert min(sizes) == 320
    alone = np.where(blocks == 2, 1, 0).astype(np.int32)
    assert int(episodes(make_volume(alone), 1)[0].support_masks.sum()) == 1  # nothing larger is there


@pytest.mark.parametrize("make", [volumetric_episode, two_patients_episode])
def test_the_seed_decides_all_of_it(volume, make):
    first, second, other = (make(volume, np.random.default_rng(s), 2, 3) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first.query_images, other.query_images)


def test_start_slice_can_be_given(volume):
    for e in episodes(volume, 5, index=8):
        assert slice_of(volume, e.support_images[0, 0]) == 8
    with pytest.raises(InputError, match="no slice"):
        volumetric_episode(volume, np.random.default_rng(0), index=10)


def test_counts_that_cannot_be(volume):
    for counts in ((0, 1), (1, 0)):
        with pytest.raises(InputError, match="at least 1"):
            volumetric_episode(volume, np.random.default_rng(0), *counts)
    for wrong in ({"distance": 0}, {"absent": 2}, {"attempts": 0}):
        with pytest.raises(InputError):
            VolumetricSettings(**wrong)


def test_the_other_patient_is_deformed_more_than_a_neighbouring_slice(volume):
    """The mask moves with the image: grey values under it stay those of the structure."""
    moved = []
    for seed in range(12):
        e = two_patients_episode(volume, np.random.default_rng(seed))
        mask = e.query_masks[0] > 0
        if not mask.any():
            continue
        number = superpixel_of(volume, e.support_images[0, 0], e.support_masks[0])
        original = volume.superpixels[4] == number[0]
        moved.append(float((mask & original).sum() / (mask | original).sum()))
        inside = e.query_images[0, 0][mask]
        assert float((inside - inside.median()).abs().median()) < 0.35
    assert max(moved) < 0.97 and len(moved) > 6


def test_another_patient_lends_grey_values_but_no_anatomy(volume, blocks, make_volume):
    inverted = make_volume(blocks, name="other")
    inverted.slices.mul_(-2)
    plain = replace(PLAIN, absent=0)
    own = two_patients_episode(volume, np.random.default_rng(0), settings=plain)
    lent = two_patients_episode(volume, np.random.default_rng(0), settings=plain, other=inverted)
    assert torch.equal(own.query_masks, lent.query_masks)
    assert torch.equal(own.support_images, lent.support_images)
    assert not torch.equal(own.query_images, lent.query_images)
    with pytest.raises(InputError, match="one modality"):
        two_patients_episode(volume, np.random.default_rng(0), other=make_volume(blocks, modality="mr"))


def test_grey_values_come_half_way():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(0, 1, (1, 64, 64)).astype(np.float32))
    model = torch.from_numpy(rng.normal(4, 1, (64, 64)).astype(np.float32))
    out = like(image, model)
    assert float(out.mean()) == pytest.approx(2, abs=0.15)
    assert bool((out.flatten().sort().indices == image.flatten().sort().indices).float().mean() > 0.99)
    flat = torch.ones(1, 8, 8)
    assert torch.equal(like(flat, model), flat)


def test_further_shots_are_no_slivers_either(make_volume, blocks):
    blocks[blocks == 2] = 0
    blocks[5:] = 0
    blocks[5:, 12, 12] = 1
    for e in episodes(make_volume(blocks), 20, shots=2, queries=1, index=3):
        assert e.support_masks.flatten(1).sum(1).tolist() == [320, 320]
