"""Windows around structures: where they lie, what they show, and the way back to the volume's own pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib.preprocessing import (
    NormalisedVolume,
    Window,
    WindowedVolume,
    box_of_mask,
    normalise,
    window_around,
)
from FewShotSegmentLib.preprocessing.intensity import IntensityScale
from FewShotSegmentLib.settings import Settings

CPU = torch.device("cpu")
SETTINGS = Settings()


def volume_of(slices, native=None):
    return NormalisedVolume(slices, native or tuple(slices.shape[1:]), IntensityScale(0, 1, 0, 1), 2.0)


def noise(*shape):
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


# --- where a window lies ---


@pytest.mark.parametrize("box", [(40, 59, 70, 95), (5, 20, 5, 9), (100, 119, 150, 159), (60, 60, 80, 80)])
def test_a_window_holds_its_structure_with_a_margin_where_the_slice_allows(box):
    size = (120, 160)
    window = window_around(box, size, SETTINGS)
    wanted = SETTINGS.window_margin * max(box[1] - box[0] + 1, box[3] - box[2] + 1)
    assert 0.95 * wanted <= window.side <= min(160, max(1.06 * wanted, SETTINGS.window_least + 1)) or window.side == 160
    assert window.holds(box, size)
    for start, low, high in ((window.top, *box[:2]), (window.left, *box[2:])):
        assert abs(start + window.side / 2 - (low + high + 1) / 2) <= window.side / 16


def test_a_window_is_no_larger_than_the_slice_nor_than_it_must_be():
    assert window_around((0, 119, 0, 159), (120, 160), SETTINGS).side == 160
    tiny = window_around((60, 61, 80, 81), (120, 160), SETTINGS)
    assert abs(tiny.side - SETTINGS.window_least) <= 1
    usual = window_around((50, 69, 70, 89), (200, 200), SETTINGS)
    assert abs(usual.side / (SETTINGS.window_margin * 20) - 1) < 0.06
    assert window_around((50, 69, 70, 89), (200, 200), SETTINGS, least=120).side >= 120


def test_structures_of_nearly_one_size_and_place_share_a_window():
    assert window_around((50, 69, 70, 89), (200, 200), SETTINGS) == window_around(
        (50, 70, 70, 90), (200, 200), SETTINGS
    )


@pytest.mark.parametrize(
    ("box", "held"),
    [((30, 40, 30, 40), True), ((10, 20, 30, 40), False), ((30, 40, 60, 73), False), ((11, 72, 30, 40), True)],
)
def test_a_window_says_when_a_mask_has_come_to_its_edge(box, held):
    assert Window(10, 10, 64).holds(box, (200, 200)) is held


def test_the_edge_of_the_slice_is_no_edge_to_keep_off():
    assert Window(0, 0, 64).holds((0, 10, 0, 63), (64, 64))
    assert Window(-10, 0, 64).holds((0, 43, 5, 10), (44, 64))


# --- what it shows ---


def test_a_window_of_its_own_size_shows_the_very_pixels():
    slices = noise(2, 100, 90)
    view = WindowedVolume(volume_of(slices), Window(20, 10, 64), 64)
    torch.testing.assert_close(view.image(1, CPU)[0, 0], slices[1, 20:84, 10:74], rtol=0, atol=0)


def test_beyond_the_slice_its_outermost_pixels_go_on_and_no_mask_does():
    slices = noise(1, 40, 64)
    view = WindowedVolume(volume_of(slices), Window(-12, 0, 64), 64)
    image = view.image(0, CPU)[0, 0]
    torch.testing.assert_close(image[12:52], slices[0])
    torch.testing.assert_close(image[:12], slices[0, :1].expand(12, -1))
    mask = view.mask_to_grid(np.ones((40, 64), bool), CPU)[0, 0]
    assert mask[12:52].min() == 1 and mask[:12].max() == 0 and mask[52:].max() == 0


@pytest.mark.parametrize(
    "window", [Window(20, 10, 64), Window(30, 16, 40), Window(-20, -15, 130), Window(40, 30, 90)], ids=str
)
def test_a_mask_comes_back_to_where_it_was(window):
    mask = np.zeros((90, 100), bool)
    mask[42:60, 32:50] = True
    view = WindowedVolume(volume_of(noise(1, 90, 100)), window, 96)
    logits = torch.logit(view.mask_to_grid(mask, CPU), eps=1e-3)
    back = view.logits_to_native(logits)
    assert back.shape == (1, 90, 100)
    found = (back[0] > 0).numpy()
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.97
    outside = np.ones_like(mask)
    outside[max(0, window.top) : window.top + window.side, max(0, window.left) : window.left + window.side] = False
    assert (back[0].sigmoid().numpy()[outside] < 1e-12).all()


def test_native_pixels_of_another_size_than_the_grid():
    mask = np.zeros((45, 200), bool)
    mask[20:30, 60:100] = True
    volume = volume_of(noise(1, 90, 100), native=(45, 200))
    assert box_of_mask(mask, volume.size) == (40, 59, 30, 49)
    view = WindowedVolume(volume, Window(20, 15, 64), 128)
    found = (view.logits_to_native(torch.logit(view.mask_to_grid(mask, CPU), eps=1e-3))[0] > 0).numpy()
    assert found.shape == mask.shape
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.95


def test_the_box_of_a_mask_in_a_window_is_that_of_the_slice():
    view = WindowedVolume(volume_of(noise(1, 200, 200)), Window(40, 60, 50), 100)
    mask = torch.zeros(100, 100, dtype=torch.bool)
    assert view.box_of(mask) is None
    mask[20:40, 50:80] = True
    assert view.box_of(mask) == (50, 59, 85, 99)


# --- the slices that windows are cut from ---


def test_the_finest_grid_is_the_volumes_own():
    image = np.random.default_rng(0).integers(0, 200, (3, 50, 70)).astype(np.int16)
    kept = normalise(image, (0.8, 0.8), "mr", SETTINGS, across=4.0, finest=True)
    assert kept.size == kept.native == (50, 70)
    assert kept.distance == pytest.approx(5.0)
    assert abs(float(kept.slices.mean())) < 1e-4 and float(kept.slices.std()) == pytest.approx(1, abs=1e-3)
    stretched = normalise(image, (1.6, 0.8), "mr", SETTINGS, finest=True)
    assert stretched.size == (100, 70)
    few = normalise(image, (0.8, 0.8), "mr", replace(SETTINGS, finest_side=35), across=4.0, finest=True)
    assert few.size == (25, 35) and few.distance == pytest.approx(2.5)


def test_what_one_window_shows_is_seen_from_another():
    view = WindowedVolume(volume_of(noise(1, 200, 200)), Window(40, 60, 64), 64)
    other = WindowedVolume(volume_of(noise(1, 200, 200)), Window(50, 66, 32), 64)
    picture = view.image(0, CPU)
    seen = other.seen_from(view, picture)
    expected = torch.nn.functional.interpolate(picture[:, :, 10:42, 6:38], size=(64, 64), mode="bilinear")
    torch.testing.assert_close(seen[:, :, 2:-2, 2:-2], expected[:, :, 2:-2, 2:-2], rtol=0, atol=1e-4)
    torch.testing.assert_close(view.seen_from(view, picture), picture, rtol=0, atol=1e-4)
