"""The refiner: small, of any size that is a multiple of 8, and before it has learned anything it hands masks on."""

import math

import pytest
import torch
from motion_cases import dice, disc, textured

from FewShotSegmentLib.networks import Refiner
from FewShotSegmentLib.networks.refiner import Moved


def moved_of(count=2, height=48, width=64):
    """Windows with a disc each, all of them different."""
    images = [torch.cat([textured(height, width, 10 * n + k) for n in range(count)]) for k in range(3)]
    masks = torch.cat([disc(height, width, width / 2 + 2 * n, height / 2, 9 + n, soft=1.0) for n in range(count)])
    anchors = torch.cat([disc(height, width, width / 2, height / 2 - n, 10, soft=1.0) for n in range(count)])
    at = torch.arange(1, count + 1).float()
    return Moved(*images, masks, anchors, 0.4 * at, 0.1 * at, 1.0 + 0.2 * at)


@pytest.fixture(scope="module")
def refiner():
    torch.manual_seed(0)
    return Refiner().eval()


@pytest.mark.parametrize("size", [(32, 32), (80, 80), (40, 72), (8, 16)])
@pytest.mark.parametrize("count", [1, 3])
def test_it_answers_with_a_mask_and_a_presence_for_each_window(refiner, size, count):
    with torch.no_grad():
        logits, presence = refiner(moved_of(count, *size))
    assert logits.shape == (count, 1, *size) and presence.shape == (count,)
    assert logits.dtype == presence.dtype == torch.float32
    assert bool(torch.isfinite(logits).all()) and bool(torch.isfinite(presence).all())


def test_it_is_small(refiner):
    assert sum(weight.numel() for weight in refiner.parameters()) < 1_000_000  # 2 MB as float16
    assert all(name.split(".")[0] in KNOWN for name in refiner.state_dict())


KNOWN = {"stem", "down", "bottom", "up", "to_logits", "to_presence", "trust"}
"""Beginnings of the weights' names; with others no bundled weights would fit any more."""


def test_the_gradient_reaches_every_weight():
    torch.manual_seed(1)
    network = Refiner()
    logits, presence = network(moved_of())
    (logits.square().mean() + presence.square().mean()).backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None and float(weight.grad.abs().sum()) > 0, name


@pytest.mark.parametrize("seed", range(4))
def test_a_new_one_hands_the_moved_mask_on(seed):
    torch.manual_seed(seed)
    network, moved = Refiner().eval(), moved_of(3, 64, 64)
    with torch.no_grad():
        logits, _ = network(moved)
        absent, _ = network(moved._replace(mask=torch.zeros_like(moved.mask)))
    # ±4 outweighs what the other weights say wherever the mask is not in doubt
    assert bool((logits[moved.mask > 0.85] > 0).all()) and bool((logits[moved.mask < 0.15] < 0).all())
    assert all(dice(one.sigmoid(), other) > 0.9 for one, other in zip(logits, moved.mask, strict=True))
    assert not bool((absent > 0).any())


def test_trust_is_what_hands_it_on(refiner):
    moved = moved_of()
    with torch.no_grad():
        logits, presence = refiner(moved)
        refiner.trust.copy_(torch.tensor(7.0))
        more, same = refiner(moved)
        refiner.trust.copy_(torch.tensor(4.0))
    assert torch.allclose(more - logits, 3 * (2 * moved.mask - 1), atol=1e-4)
    assert torch.equal(same, presence)


def test_a_window_does_not_depend_on_the_others(refiner):
    moved = moved_of(3)
    with torch.no_grad():
        logits, presence = refiner(moved)
        for n in range(3):
            alone, there = refiner(Moved(*(value[n : n + 1] for value in moved)))
            assert torch.allclose(alone, logits[n : n + 1], atol=1e-4)
            assert torch.allclose(there, presence[n : n + 1], atol=1e-4)


@pytest.mark.parametrize("name", Moved._fields)
def test_all_that_is_known_counts(refiner, name):
    moved = moved_of()
    value = getattr(moved, name)
    other = moved._replace(**{name: value.flip(-1) if value.ndim == 4 else value * 0.5})
    with torch.no_grad():
        logits, presence = refiner(moved)
        other_logits, other_presence = refiner(other)
    assert float((logits - other_logits).abs().max()) > 1e-3
    assert float((presence - other_presence).abs().max()) > 1e-5


def test_numbers_out_of_range_count_as_the_last_in_range(refiner):
    moved = moved_of()
    ones = torch.ones(2)
    for name, beyond, last in (("distance", 40.0, 6.0), ("area", 30.0, 4.0), ("area", 0.0, 0.02)):
        with torch.no_grad():
            far, there = refiner(moved._replace(**{name: beyond * ones}))
            edge, same = refiner(moved._replace(**{name: last * ones}))
        assert torch.equal(far, edge) and torch.equal(there, same)
        assert bool(torch.isfinite(far).all())


def test_presence_looks_where_the_mask_is(refiner):
    moved, seen = moved_of(1), []
    hook = refiner.to_presence.register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
    with torch.no_grad():
        for mask in (moved.mask, moved.mask.flip(-1).roll(9, -2), torch.zeros_like(moved.mask)):
            refiner(moved._replace(mask=mask))
    hook.remove()
    for (inside, whole), empty in zip((x[:-3].chunk(2) for x in seen), (False, False, True), strict=True):
        # features under the mask, and those of the whole window; the same where there is no mask
        assert torch.allclose(inside, whole, atol=1e-4) == empty
    assert seen[0][-3:].tolist() == pytest.approx([0.4 / 2, 0.1 * 4, math.log(1.2)], abs=1e-5)


def test_it_works_in_half_precision(refiner):
    moved = moved_of()
    with torch.no_grad():
        logits, presence = refiner(moved)
        with torch.autocast("cpu", torch.bfloat16):
            rough, there = refiner(moved)
    assert float((logits - rough.float()).abs().mean()) < 0.05
    assert float((presence - there.float()).abs().max()) < 0.05
