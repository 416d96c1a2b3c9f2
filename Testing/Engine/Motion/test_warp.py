"""Displacements say where to look, in pixels, columns first; put together and enlarged they say the same."""

import pytest
import torch
from motion_cases import dice, disc, places, textured, wave

from FewShotSegmentLib.motion import compose, enlarge, warp
from FewShotSegmentLib.motion.warp import pixel_places


def constant(columns, rows, height=7, width=9):
    return torch.tensor([columns, rows]).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


@pytest.mark.parametrize(("columns", "rows"), [(2.0, 0.0), (0.0, 3.0), (-1.0, 2.0)])
def test_whole_pixels_are_looked_up(columns, rows):
    x = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(0))
    seen = warp(x, constant(columns, rows))
    across, down = int(columns), int(rows)
    for row in range(7):
        for column in range(9):
            there = 0 <= row + down < 7 and 0 <= column + across < 9
            expected = float(x[0, 0, row + down, column + across]) if there else 0.0
            assert float(seen[0, 0, row, column]) == pytest.approx(expected, abs=1e-5)


def test_outside_is_nothing_or_goes_on_with_the_edge():
    x = torch.arange(9.0).expand(1, 1, 7, 9).contiguous() + 1
    assert warp(x, constant(4.0, 0.0))[0, 0, 3].tolist() == pytest.approx([5, 6, 7, 8, 9, 0, 0, 0, 0], abs=1e-4)
    on = warp(x, constant(4.0, 0.0), "border")[0, 0, 3]
    assert on.tolist() == pytest.approx([5, 6, 7, 8, 9, 9, 9, 9, 9], abs=1e-4)


def test_between_pixels_it_is_their_mean():
    x = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(1))
    seen = warp(x, constant(0.5, 0.0))
    assert torch.allclose(seen[..., :-1], (x[..., :-1] + x[..., 1:]) / 2, atol=1e-5)


def test_nothing_moves_where_nothing_is_said():
    x = torch.rand(2, 3, 33, 47, generator=torch.Generator().manual_seed(2))
    for outside in ("zeros", "border"):
        assert torch.allclose(warp(x, torch.zeros(2, 2, 33, 47), outside), x, atol=1e-4)


def test_each_of_a_batch_has_its_own_displacement_for_all_its_channels():
    x = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(3))
    moves = torch.cat([constant(3.0, 0.0, 12, 20), constant(0.0, -2.0, 12, 20)])
    seen = warp(x, moves)
    assert seen.shape == x.shape
    assert torch.allclose(seen[0, :, :, :-3], x[0, :, :, 3:], atol=1e-5)
    assert torch.allclose(seen[1, :, 2:], x[1, :, :-2], atol=1e-5)


def test_masks_stay_masks():
    mask = disc(40, 56, 25, 20, 9)
    seen = warp(mask, wave(40, 56, 6.0))
    assert float(seen.min()) >= 0 and float(seen.max()) <= 1 and float(seen.sum()) > 100


def test_two_shifts_are_their_sum_up_to_the_edge():
    whole = compose(constant(2.0, -1.0), constant(3.5, 0.25))
    assert torch.allclose(whole, constant(5.5, -0.75), atol=1e-5)


def test_warping_by_both_is_warping_by_one_and_then_the_other():
    first, then = wave(48, 64, 3.0), wave(48, 64, 3.0, phase=1.0)
    x = textured(48, 64)
    inner = (..., slice(8, -8), slice(8, -8))
    twice = warp(warp(x, first, "border"), then, "border")[inner]
    at_once = warp(x, compose(first, then), "border")[inner]
    other_way = warp(x, compose(then, first), "border")[inner]
    # bilinear sampling twice blurs a little; the order makes ten times as much
    assert float((twice - at_once).abs().mean()) < 0.05
    assert float((twice - other_way).abs().mean()) > 0.15


def test_an_enlarged_shift_is_as_far_in_its_own_pixels():
    larger = enlarge(constant(1.5, -2.0, 10, 12), (30, 24))
    assert torch.equal(larger, constant(3.0, -6.0, 30, 24))
    assert torch.allclose(enlarge(larger, (10, 12)), constant(1.5, -2.0, 10, 12))


def test_an_enlarged_motion_keeps_its_place():
    """Growth about a point that is not the middle: the same share of the distance from the same point."""
    x, y = places(20, 32)
    growth = 0.2 * torch.stack([x + 0.5 - 8, y + 0.5 - 5])[None]
    x, y = places(40, 64)
    expected = 0.2 * torch.stack([x + 0.5 - 16, y + 0.5 - 10])[None]
    inner = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(enlarge(growth, (40, 64))[inner], expected[inner], atol=1e-4)
    # and so on a picture: found at half the size, it moves the whole one alike
    mask = disc(40, 64, 20, 14, 8)
    assert dice(warp(mask, enlarge(growth, (40, 64))), warp(mask, expected)) > 0.98


def test_of_the_same_size_nothing_is_computed():
    moves = wave(10, 12, 2.0)
    assert enlarge(moves, (10, 12)) is moves


def test_what_is_kept_from_inference_serves_training():
    pixel_places.cache_clear()
    with torch.inference_mode():
        warp(torch.rand(1, 1, 13, 11), torch.zeros(1, 2, 13, 11))
    assert not pixel_places(13, 11, torch.device("cpu")).is_inference()
    moves = torch.zeros(1, 2, 13, 11, requires_grad=True)
    warp(textured(13, 11), moves).sum().backward()
    assert moves.grad is not None and float(moves.grad.abs().sum()) > 0


def test_places_are_columns_then_rows_from_0():
    at = pixel_places(3, 5, torch.device("cpu"))
    assert at.shape == (1, 2, 3, 5) and at.dtype == torch.float32
    assert at[0, 0, 2].tolist() == [0, 1, 2, 3, 4] and at[0, 1, :, 4].tolist() == [0, 1, 2]
