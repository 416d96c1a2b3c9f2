"""Registration finds motions that are known, of any size, alone and among others, and nothing where nothing moves."""

import pytest
import torch
import torch.nn.functional as F
from motion_cases import dice, disc, picture, textured, wave
from scipy.ndimage import gaussian_filter

from FewShotSegmentLib import InputError
from FewShotSegmentLib.motion import RegistrationSettings, enlarge, register, warp
from FewShotSegmentLib.motion.registration import _kernel

MOTIONS = {
    "shift": (0.09, -0.05, 1.0),
    "growth": (0.0, 0.0, 1.25),
    "shrinking": (0.0, 0.0, 0.8),
    "both": (0.06, 0.04, 0.9),
}
"""Columns and rows in shares of the shorter side, and how much larger."""


def pair(height, width, motion):
    """Moving and fixed picture, and their masks."""
    side = min(height, width)
    column, row, radius = width / 2 - 0.5, height / 2 - 0.5, 0.25 * side
    across, down, growth = MOTIONS[motion]
    after = (column + across * side, row + down * side, radius * growth)
    return (
        picture(height, width, column, row, radius),
        picture(height, width, *after),
        disc(height, width, column, row, radius),
        disc(height, width, *after),
    )


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("size", [(64, 64), (40, 40), (48, 80), (33, 47), (24, 20), (16, 16), (12, 12), (12, 30)])
def test_discs_are_followed(size, motion):
    moving, fixed, mask, truth = pair(*size, motion)
    moves = register(moving, fixed)
    assert moves.shape == (1, 2, *size) and moves.dtype == torch.float32
    assert dice(mask, truth) < 0.88  # there is something to do
    assert dice(warp(mask, moves), truth) > 0.95
    assert float((warp(moving, moves, "border") - fixed).abs().mean()) < 0.35 * float((moving - fixed).abs().mean())


@pytest.mark.parametrize("size", [(64, 64), (48, 72)])
def test_a_smooth_displacement_is_found(size):
    moving, truth = textured(*size), wave(*size, 3.0)
    fixed = warp(moving, truth, "border")
    moves = register(moving, fixed)
    inner = (..., slice(8, -8), slice(8, -8))
    assert float((moves - truth)[inner].square().sum(1).sqrt().mean()) < 0.5  # of 3 pixels
    mask = disc(*size, size[1] / 2, size[0] / 2, 10)
    assert dice(mask, warp(mask, truth)) < 0.9
    assert dice(warp(mask, moves), warp(mask, truth)) > 0.95


def test_a_displacement_says_where_to_look():
    moves = register(picture(48, 64, 30, 24, 11), picture(48, 64, 34, 21, 11))
    # the disc went 4 columns on and 3 rows back; what is in its middle now was looked up where it came from
    assert moves[0, :, 21, 34].tolist() == pytest.approx([-4, 3], abs=0.6)


@pytest.mark.parametrize("size", [(64, 64), (32, 16), (40, 40), (33, 47), (12, 12)])
def test_equal_images_do_not_move_at_all(size):
    image = torch.cat([textured(*size), picture(*size, 5, 6, 4), torch.zeros(1, 1, *size)])
    moves = register(image, image)
    # places to be sampled are exact for powers of two, and rounded for others
    exact = all(side in {16, 32, 64} for side in size)
    assert torch.equal(moves, torch.zeros(3, 2, *size)) if exact else float(moves.abs().max()) < 1e-4
    assert torch.equal(moves[2], torch.zeros(2, *size))


def test_flat_images_of_other_brightness_do_not_move():
    assert torch.equal(register(torch.zeros(1, 1, 24, 24), torch.ones(1, 1, 24, 24)), torch.zeros(1, 2, 24, 24))


@pytest.mark.parametrize("size", [(40, 40), (33, 47), (12, 12)])
def test_a_pair_is_registered_as_if_it_were_alone(size):
    pairs = [pair(*size, motion)[:2] for motion in MOTIONS]
    moving, fixed = (torch.cat(images) for images in zip(*pairs, strict=True))
    together = register(moving, fixed)
    for number, (one, other) in enumerate(pairs):
        assert torch.allclose(register(one, other)[0], together[number], rtol=0, atol=1e-5)
    # and wherever it stands among them
    turned = register(moving.flip(0), fixed.flip(0)).flip(0)
    assert torch.allclose(turned, together, rtol=0, atol=1e-5)


def test_it_is_the_same_each_time():
    moving, fixed = textured(40, 56), textured(40, 56, seed=1)
    first = register(moving, fixed)
    torch.manual_seed(9)
    register(fixed, moving, RegistrationSettings(smoothing=0.8))
    assert torch.equal(register(moving, fixed), first)


def test_the_images_are_left_as_they_were():
    moving, fixed = textured(24, 24), textured(24, 24, seed=1)
    before = moving.clone(), fixed.clone()
    register(moving, fixed)
    assert torch.equal(moving, before[0]) and torch.equal(fixed, before[1])


def by_the_equation(moving, fixed, steps, noise):
    """Vercauteren et al. 2009, eq. 7, without smoothing."""

    def slopes(image):
        wide = F.pad(image, (1, 1, 1, 1), mode="replicate")[:, 0]
        return torch.stack([wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2], wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]], 1) / 2

    moves = torch.zeros(1, 2, *moving.shape[2:])
    for _ in range(steps):
        here = warp(moving, moves, "border")
        slope = (slopes(fixed) + slopes(here)) / 2
        error = fixed - here
        moves = moves + slope * error / ((slope**2).sum(1, keepdim=True) + noise * error**2 + 1e-4)
    return moves


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_steps_are_the_equation_s(noise):
    moving, fixed = textured(20, 28), textured(20, 28, seed=1)
    # so little smoothing is none
    found = register(moving, fixed, RegistrationSettings((3,), smoothing=0.1, noise=noise))
    assert torch.allclose(found, by_the_equation(moving, fixed, 3, noise), atol=1e-4)


def test_every_step_is_smoothed_to_the_edge():
    rise = torch.arange(40.0).expand(1, 1, 40, 40).contiguous() * 0.5
    moves = register(rise, rise + 0.4, RegistrationSettings((1,), smoothing=1.5))
    # a plane slope has one answer: 0.5 · 0.4 / (0.5² + 0.4² + 1e-4)
    assert torch.allclose(moves[0, 0, :, 8:-8], torch.full((40, 24), 0.2 / 0.4101), atol=1e-4)
    assert torch.allclose(moves[0, 1, :, 8:-8], torch.zeros(40, 24), atol=1e-6)
    moving, fixed = textured(40, 40), textured(40, 40, seed=1)

    def roughness(smoothing):
        found = register(moving, fixed, RegistrationSettings((10,), smoothing))
        return float(found.diff(dim=2).abs().mean() + found.diff(dim=3).abs().mean())

    assert roughness(3.0) < 0.6 * roughness(1.5) < 0.4 * roughness(0.7)


def test_rows_and_columns_are_treated_alike():
    moving, fixed = textured(40, 56), textured(40, 56, seed=1)
    upright = register(moving, fixed)
    lying = register(moving.transpose(2, 3), fixed.transpose(2, 3)).transpose(2, 3).flip(1)
    assert torch.allclose(upright, lying, atol=2e-3)  # sums in another order, some sixty times


def test_coarse_levels_are_smoothed_and_halved():
    moving, fixed = textured(40, 56), textured(40, 56, seed=1)
    coarse = []
    for image in (moving, fixed):
        smooth = gaussian_filter(image[0, 0].double().numpy(), 0.7, mode="nearest", truncate=2.5)
        coarse.append(torch.from_numpy(smooth.reshape(20, 2, 28, 2).mean((1, 3)))[None, None].float())
    expected = enlarge(register(*coarse, RegistrationSettings((5,))), (40, 56))
    assert torch.allclose(register(moving, fixed, RegistrationSettings((0, 5))), expected, atol=1e-4)


def test_the_kernel_is_a_gaussian_of_its_deviation():
    for sigma in (0.7, 1.5, 3.0):
        kernel = _kernel(sigma, torch.device("cpu"))
        at = torch.arange(len(kernel)) - len(kernel) // 2
        assert len(kernel) % 2 == 1 and float(kernel.sum()) == pytest.approx(1)
        assert float((kernel * at**2).sum()) ** 0.5 == pytest.approx(sigma, rel=0.1)


def test_coarse_levels_find_what_the_finest_cannot():
    moving, fixed = picture(64, 64, 25, 30, 7), picture(64, 64, 39, 32, 7)
    mask, truth = disc(64, 64, 25, 30, 7), disc(64, 64, 39, 32, 7)
    assert dice(mask, truth) == 0
    fine, all_levels = (register(moving, fixed, RegistrationSettings(steps)) for steps in ((20,), (20, 20, 20)))
    assert dice(warp(mask, fine), truth) < 0.6
    assert dice(warp(mask, all_levels), truth) > 0.9


def test_steps_are_named_from_the_finest_level_which_small_images_have_alone():
    moving, fixed, *_ = pair(20, 24, "shift")
    assert torch.equal(register(moving, fixed, RegistrationSettings((0, 20, 20))), torch.zeros(1, 2, 20, 24))
    alone = register(moving, fixed, RegistrationSettings((20,)))
    assert torch.equal(register(moving, fixed, RegistrationSettings((20, 20, 20))), alone)
    # 24 x 24 has a level of 12, and none of 6
    moving, fixed, *_ = pair(24, 24, "shift")
    two = register(moving, fixed, RegistrationSettings((7, 5)))
    assert torch.equal(register(moving, fixed, RegistrationSettings((7, 5, 9))), two)
    assert not torch.equal(register(moving, fixed, RegistrationSettings((7, 5), least_side=13)), two)
    assert not torch.equal(register(moving, fixed, RegistrationSettings((5, 7))), two)
    assert not torch.equal(register(moving, fixed, RegistrationSettings((7, 5, 9), least_side=6)), two)


def test_what_is_kept_from_inference_serves_training():
    _kernel.cache_clear()
    with torch.inference_mode():
        register(textured(16, 16), textured(16, 16, seed=1))
    moving = textured(16, 16).requires_grad_()
    register(moving, textured(16, 16, seed=1), RegistrationSettings((2,))).sum().backward()
    assert moving.grad is not None and bool(torch.isfinite(moving.grad).all())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"iterations": ()}, "at least one level"),
        ({"iterations": (5, -1)}, "at least one level"),
        ({"smoothing": 0.0}, "above 0"),
        ({"smoothing": float("nan")}, "above 0"),
        ({"noise": -1.0}, "above 0"),
        ({"least_side": 0}, "above 0"),
    ],
)
def test_settings_without_sense_are_refused(bad, words):
    with pytest.raises(InputError, match=words):
        RegistrationSettings(**bad)
