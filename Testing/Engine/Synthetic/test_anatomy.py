"""Synthetic anatomies: the same for the same seed, and with the ends, forks and absences that training needs."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from FewShotSegmentLib.synthetic import SyntheticSettings, make_block
from FewShotSegmentLib.synthetic.appearance import blur, draw_tissues, paint
from FewShotSegmentLib.synthetic.draw import Draw
from FewShotSegmentLib.synthetic.implant import implant
from FewShotSegmentLib.synthetic.patient import other_patient, take_out
from FewShotSegmentLib.synthetic.shapes import blob_level, draw_blob, fork_level, make_grid, mirrored

SMALL = SyntheticSettings(depth=8, size=64)


@pytest.fixture(scope="module")
def blocks():
    return [make_block(seed, 2, SMALL) for seed in range(8)]


def test_the_same_seed_gives_the_same_bits(blocks):
    again = make_block(3, 2, SMALL)
    assert all(torch.equal(a, b) for a, b in zip(blocks[3][:4], again[:4], strict=True))
    assert not torch.equal(blocks[3].images, blocks[4].images)


def test_nothing_else_is_random(blocks):
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global generator is what must not matter
    assert torch.equal(make_block(2, 2, SMALL).images, blocks[2].images)


def test_shapes_types_and_scale(blocks):
    for block in blocks:
        assert block.images.shape == block.labels.shape == (2, 8, 64, 64)
        assert block.other_images.shape == block.other_labels.shape == (2, 2, 64, 64)
        assert block.images.dtype == torch.float32 and block.labels.dtype == torch.uint8
        assert torch.isfinite(block.images).all() and torch.isfinite(block.other_images).all()
        assert torch.allclose(block.images.mean((1, 2, 3)), torch.zeros(2), atol=1e-4)
        assert torch.allclose(block.images.std((1, 2, 3)), torch.ones(2), atol=1e-2)
        assert 0 <= block.other_first <= 6 and block.structures >= 6


def presence(labels):
    """Which slices hold each label: {label: bool [depth]}."""
    return {int(v): (labels == v).flatten(1).any(1) for v in labels.unique() if v}


def test_structures_end_within_the_volume(blocks):
    ends = [
        not bool(seen[0] & seen[-1])
        for block in blocks
        for volume in block.labels
        for label, seen in presence(volume).items()
        if label >= block.structures
    ]
    # structures that are there from the first slice to the last must not be the rule
    assert len(ends) > 50 and np.mean(ends) > 0.5


def test_structures_are_absent_from_the_second_patient(blocks):
    missing = seen = 0
    for block in blocks:
        for volume, other in zip(block.labels, block.other_labels, strict=True):
            here = volume[block.other_first : block.other_first + 2]
            large = [v for v in here.unique() if v >= block.structures and (here == v).sum() > 80]
            seen += len(large)
            missing += sum(not bool((other == v).any()) for v in large)
    assert seen > 20 and 0 < missing < 0.6 * seen


def test_take_out_puts_a_region_in_its_place():
    labels = torch.full((6, 2, 16, 16), 2)
    labels[:, :, 4:8, 4:8] = 9
    out = take_out(Draw(0), labels, 5, replace(SMALL, absent=1.0))
    gone = [not bool((volume == 9).any()) for volume in out]
    assert 0 < sum(gone) < 6
    assert out.min() >= 1 and set(out[gone].unique().tolist()) <= set(range(1, 6))
    assert torch.equal(out[:, :, 8:, :], labels[:, :, 8:, :])


def test_forks_split_or_merge_along_the_slices():
    grid = make_grid(12, 96, torch.device("cpu"))
    still = torch.zeros(1, 3, 12, 96, 96)
    changes = 0
    for seed in range(12):
        draw = Draw(seed)
        blob = draw_blob(draw, 1, grid, SMALL)
        one = torch.full((1, 1, 1, 1), 48.0)
        blob = blob._replace(
            y=one, x=one, along=one / 8, across=one / 8, half_length=one, drift_y=one * 0, drift_x=one * 0, z=one / 8
        )
        parts = [ndimage.label(s)[1] for s in (fork_level(draw, blob, grid, still) < 1)[0].numpy()]
        assert set(parts) <= {1, 2}
        changes += len(set(parts)) == 2
    assert changes >= 6


def test_blunt_blobs_end_at_once_and_pointed_ones_taper():
    grid = make_grid(21, 64, torch.device("cpu"))
    one = torch.full((1, 1, 1, 1), 1.0)
    base = draw_blob(Draw(1), 1, grid, SMALL)._replace(
        z=one * 10, y=one * 32, x=one * 32, along=one * 12, across=one * 12, half_length=one * 8, wobble=one * 0,
        drift_y=one * 0, drift_x=one * 0,
    )  # fmt: skip
    still = torch.zeros(1, 3, 21, 64, 64)
    areas = {}
    for power in (2.0, 8.0):
        inside = blob_level(base._replace(bluntness=one * power), grid, still) < 1
        areas[power] = inside[0].sum((1, 2))
    assert areas[2.0][10] == areas[8.0][10] > 400
    assert areas[2.0][16] < 0.5 * areas[8.0][16]  # six of eight slices out
    assert areas[8.0][19] == 0  # and beyond the half-length there is nothing


def test_twins_are_mirrored():
    grid = make_grid(4, 64, torch.device("cpu"))
    blob = draw_blob(Draw(5), 1, grid, SMALL)._replace(z=torch.full((1, 1, 1, 1), 1.5))
    waves = Draw(6).smooth(1, 3, (4, 64, 64), 8, 3)
    waves[:, 1] = 0  # the bend across is a sign apart in the mirror
    blob = blob._replace(wobble=blob.wobble * 0)
    left, right = blob_level(blob, grid, waves), blob_level(mirrored(blob, 64), grid, waves)
    assert torch.allclose(left.flip(-1), right, rtol=1e-3, atol=1e-3)


def test_some_blocks_have_twins_of_one_look():
    draw = Draw(0)
    tissues = draw_tissues(draw, 3, 4, torch.tensor([0, 1, 2, 2]), SMALL)
    assert torch.equal(tissues.grey[:, 2], tissues.grey[:, 3])
    assert not torch.equal(tissues.grey[:, 1], tissues.grey[:, 2])


def test_partial_volume_mixes_neighbouring_slices():
    labels = torch.ones(1, 5, 16, 16, dtype=torch.long)
    labels[:, 2] = 2
    plain = dict(texture=(0, 0), bias=(0, 0), noise=(0, 0), gamma=(0, 0), blur=(0.3, 0.3))
    means = {}
    for share in (0.0, 0.4):
        settings = replace(SMALL, across=(share, share), **plain)
        tissues = draw_tissues(Draw(0), 1, 3, torch.arange(3), settings)
        tissues = tissues._replace(grey=torch.tensor([[0.0, 0.2, 0.8]]))
        # the draw of this seed does not blur a second time
        means[share] = paint(Draw(2), labels, tissues, settings)[0].mean((1, 2))
    low, beside, middle = (float(means[0.0][i]) for i in (0, 1, 2))
    assert beside == pytest.approx(low, abs=1e-3) and middle > low + 1
    low, beside, middle = (float(means[0.4][i]) for i in (0, 1, 2))
    # a fifth of a slice beside comes from the middle one, and the middle one gives away two fifths
    assert (beside - low) / (middle - low) == pytest.approx(0.2 / 0.6, abs=1e-2)


def test_blur_keeps_the_mean_and_lowers_edges():
    image = torch.zeros(1, 1, 33, 33)
    image[..., 16:] = 1
    soft = blur(image, 1.5)
    assert soft.mean() == pytest.approx(float(image.mean()), abs=0.02)
    assert 0 < (soft[0, 0, 16, 16] - soft[0, 0, 16, 15]) < 0.5


def test_the_other_patient_is_bent_and_not_the_same():
    labels = torch.zeros(2, 2, 64, 64, dtype=torch.long)
    labels[:, :, 20:40, 24:44] = 3
    bent = other_patient(Draw(4), labels, SMALL)
    assert bent.dtype == torch.long and set(bent.unique().tolist()) <= {0, 3}
    overlap = ((bent == 3) & (labels == 3)).sum() / ((bent == 3) | (labels == 3)).sum()
    assert 0.1 < overlap < 0.98
    assert torch.equal(bent[:, 0], bent[:, 1])  # one bend for all slices


def test_smooth_noise_is_smooth_and_of_its_scale():
    coarse, fine = (Draw(0).smooth(1, 1, (4, 64, 64), pixels, 3)[0, 0] for pixels in (16, 2))
    step = [float(x.diff(dim=-1).abs().mean() / x.std()) for x in (coarse, fine)]
    assert step[0] < 0.2 < step[1]
    assert Draw(0).smooth(2, 3, (1, 8, 8), 4, 2).shape == (2, 3, 1, 8, 8)


def test_implants_begin_on_the_first_slice_and_mostly_end():
    ended = 0
    for seed in range(20):
        slices = Draw(seed).normal(7, 48, 64)
        image, mask = implant(Draw(seed), slices)
        assert image.shape == mask.shape == slices.shape and set(mask.unique().tolist()) <= {0.0, 1.0}
        assert mask[0].sum() >= 9
        far = ndimage.binary_dilation(mask.numpy() > 0, np.ones((1, 11, 11))) == 0
        assert torch.equal(image[torch.from_numpy(far)], slices[torch.from_numpy(far)])
        assert not torch.equal(image, slices)
        ended += not bool(mask[-1].any())
    assert 6 <= ended <= 19


def test_every_range_is_described():
    text = SyntheticSettings.__doc__
    assert [f.name for f in fields(SyntheticSettings) if f"\n        {f.name}: " not in text] == []
