"""What guides a run: masks that move with the image, and the numbers beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib.engine import Engine
from FewShotSegmentLib.preprocessing import Window, WindowedVolume, normalise
from FewShotSegmentLib.propagation.guide import Guide
from FewShotSegmentLib.propagation.neighbours import Neighbours, NeighbourStore
from FewShotSegmentLib.propagation.plan import DOWN, UP, Run
from FewShotSegmentLib.settings import Settings

CPU = torch.device("cpu")
SETTINGS = Settings(registered_ahead=3)
SHIFT = 2.0


@pytest.fixture(scope="module")
def moving():
    """Grid of a volume in which a disc moves by 2 columns a slice, and its masks; slices are 5 pixels apart."""
    rows, columns = np.mgrid[:96, :96]
    masks = np.stack([(rows - 48) ** 2 + (columns - 30 - SHIFT * z) ** 2 < 14**2 for z in range(9)])
    texture = 8 * np.sin(rows / 9.0) * np.cos(columns / 7.0)
    image = np.where(masks, 140.0, 40.0) + texture
    return normalise(image.astype(np.float32), (1.0, 1.0), "mr", SETTINGS, across=5.0, finest=True), masks


def guided(view, run, start, mask, settings=SETTINGS, origin=None):
    return Guide(Neighbours(view, run, start, settings, CPU), run, start, mask, settings, origin)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize(("direction", "start", "last"), [(UP, 0, 8), (DOWN, 8, 0)])
def test_a_mask_moves_with_the_image(moving, direction, start, last):
    grid, masks = moving
    view = WindowedVolume(grid, Window(8, 8, 80), SETTINGS.window_size)
    mask = view.mask_to_grid(masks[start], CPU)
    guide = guided(view, Run(start, direction, last, meets=False), start, mask)
    diameter = 2 * np.sqrt(masks[start].sum() / np.pi)
    for number, index in enumerate(range(start + direction, last + direction, direction), 1):
        seen, mask = guide.move(index, mask)
        found = (view.logits_to_native(torch.logit(mask, eps=1e-3))[0] > 0).numpy()
        assert dice(found, masks[index]) > 0.88
        assert all(x.shape == (1, 1, SETTINGS.refiner_size, SETTINGS.refiner_size) for x in seen[:5])
        assert float(seen.distance) == pytest.approx(5.0 * number / diameter, rel=0.02)
        assert float(seen.step) == pytest.approx(5.0 / diameter, rel=0.02)
        assert float(seen.area) == pytest.approx(1, abs=0.1)
        # both moved masks and both moved images agree with the slice
        assert dice((seen.anchor_mask > 0.5).numpy(), (seen.mask > 0.5).numpy()) > 0.85
        assert float((seen.before - seen.image).abs().mean()) < 0.15
        assert float((seen.anchor - seen.image).abs().mean()) < 0.25


def test_what_is_registered_together_changes_nothing_but_rounding(moving):
    grid, masks = moving
    view = WindowedVolume(grid, Window(8, 8, 80), SETTINGS.window_size)
    ends = []
    for ahead in (1, 8):
        mask = view.mask_to_grid(masks[0], CPU)
        guide = guided(view, Run(0, UP, 8, meets=False), 0, mask, Settings(registered_ahead=ahead))
        for index in range(1, 9):
            _, mask = guide.move(index, mask)
        ends.append(mask)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-3)


def test_segments_of_one_window_share_its_registrations(moving, monkeypatch):
    """Two segments of one window cost the registrations of one, and each moves as it would alone."""
    from FewShotSegmentLib.propagation import neighbours

    grid, masks = moving
    pairs = []
    real = neighbours.register
    monkeypatch.setattr(neighbours, "register", lambda a, b: pairs.append(len(a)) or real(a, b))
    view = WindowedVolume(grid, Window(8, 8, 80), SETTINGS.window_size)
    run = Run(0, UP, 8, meets=False)
    mask = view.mask_to_grid(masks[0], CPU)
    alone, own = guided(view, run, 0, mask), mask
    for index in range(1, 9):
        own = alone.move(index, own)[1]
    assert sum(pairs) == 8
    store = NeighbourStore(SETTINGS, CPU)
    guides = [Guide(store.get(view, run), run, 0, mask, SETTINGS) for _ in range(2)]
    moved = [mask, mask]
    for index in range(1, 9):
        moved = [guide.move(index, before)[1] for guide, before in zip(guides, moved, strict=True)]
    assert sum(pairs) == 2 * 8
    assert all(torch.equal(own, mask) for mask in moved)
    other = WindowedVolume(grid, Window(9, 8, 80), SETTINGS.window_size)
    assert store.get(other, run) is not store.get(view, run)


def test_after_the_window_has_moved_distances_still_count_from_the_annotated_slice(moving):
    grid, masks = moving
    view = WindowedVolume(grid, Window(8, 8, 80), SETTINGS.window_size)
    run = Run(0, UP, 8, meets=False)
    first = guided(view, run, 0, view.mask_to_grid(masks[0], CPU))
    other = WindowedVolume(grid, Window(20, 20, 60), SETTINGS.window_size)
    mask = other.mask_to_grid(masks[4], CPU)
    guide = guided(other, run, 4, mask, origin=first.origin)
    seen, _ = guide.move(5, mask)
    assert float(seen.distance) == pytest.approx(5 * float(seen.step), rel=1e-4)
    assert float(seen.area) == pytest.approx(masks[4].sum() / masks[0].sum(), abs=0.05)


def test_a_structure_that_leaves_its_window_is_followed(engine):
    """A slanting tube, a column a slice, beyond the first window, which ends at column 41; with the rule relaxed."""
    rows, columns = np.mgrid[:96, :160]
    masks = np.stack([(rows - 48) ** 2 + (columns - 24 - z) ** 2 < 8**2 for z in range(30)])
    image = np.where(masks, 150, 0) + np.random.default_rng(0).normal(0, 8, masks.shape)

    def run(follow_presence):
        settings = replace(engine.settings, follow_presence=follow_presence, stop_presence=0.0)
        own = Engine(engine.network, engine.device, engine.weights, settings, engine.refiner)
        return own.propagate(image.astype(np.int16), {0: masks[0]}, modality="ct").mask

    followed, lost = run(0.5), run(1.1)
    assert dice(followed[18], masks[18]) > dice(lost[18], masks[18]) + 0.1
    assert followed[18].any(0).nonzero()[0].max() > 45 > lost[18].any(0).nonzero()[0].max(initial=0)
