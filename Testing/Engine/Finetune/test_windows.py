"""Walks along annotated slices, and what the refiner is shown on them: the same as in use."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetune_cases import SMALL, organ_with_slices
from small_cases import make_organ

from FewShotSegmentLib.finetune.windows import Walk, cut_windows, plan_walks, walk_windows
from FewShotSegmentLib.networks import Refiner
from FewShotSegmentLib.preprocessing import Window, WindowedVolume
from FewShotSegmentLib.propagation.guide import Guide
from FewShotSegmentLib.propagation.neighbours import Neighbours
from FewShotSegmentLib.propagation.plan import Run
from FewShotSegmentLib.training.refiner_task import lead

CPU = torch.device("cpu")
SAME_SIZE = replace(SMALL, window_size=32, registered_ahead=1)


def rng():
    return np.random.default_rng(1)


def walks_of(volume, anchor):
    return [walk.slices for walk in plan_walks(volume, "organ") if walk.anchor == anchor]


def test_walks_lead_to_the_next_annotated_slices_both_ways_and_to_itself():
    volume = organ_with_slices(4, 6, 9)
    assert walks_of(volume, 6) == [(5, 4), (7, 8, 9), ()]
    assert walks_of(volume, 4) == [(5, 6), (5, 6, 7, 8, 9), ()]
    assert walks_of(volume, 5) == []


def test_walks_end_where_it_is_absent_and_start_nowhere_there():
    volume = organ_with_slices(5, 7, empty=(0, 1, 12, 13))
    assert walks_of(volume, 7) == [(6, 5), (6, 5, 4, 3, 2, 1), (8, 9, 10, 11, 12), ()]
    assert {walk.anchor for walk in plan_walks(volume, "organ")} == {5, 7}
    assert plan_walks(volume, "another") == []


def test_walks_pass_over_hidden_slices_and_only_so_many_others():
    volume = organ_with_slices(3, 10).without(frozenset({5, 6}))
    assert walks_of(volume, 3) == [(4, 7, 8, 9, 10), ()]
    far = dataclasses.replace(volume, anchors={"organ": {3: np.ones((4, 4), bool), 103: np.ones((4, 4), bool)}})
    (way, _) = walks_of(far, 3)
    assert len(way) == 9 and way[0] == 4 and way[-2:] == (102, 103)
    near = dataclasses.replace(volume, anchors={"organ": {i: np.ones((4, 4), bool) for i in range(20, 40, 2)}})
    assert max(abs(walk.slices[-1] - walk.anchor) for walk in plan_walks(near, "organ") if walk.slices) == 6


@pytest.mark.parametrize("slices", [(5, 6, 7), (3, 2)])
def test_the_refiner_sees_what_it_sees_in_use(slices):
    """Image, neighbours, masks and numbers of `lead` on a walk's windows are those of the engine's guide."""
    volume = organ_with_slices(2, 4, 7)
    batch = walk_windows(volume, "organ", Walk(4, slices), SAME_SIZE, rng(), as_in_use=True)
    mask = volume.anchors["organ"][4]
    step = 1 if slices[0] > 4 else -1
    run = Run(4, step, slices[-1], meets=True)
    from FewShotSegmentLib.preprocessing import box_of_mask, window_around

    window = window_around(box_of_mask(mask, volume.finest.size), volume.finest.size, SAME_SIZE)
    view = WindowedVolume(volume.finest, window, SAME_SIZE.window_size)
    prior = view.mask_to_grid(mask, CPU)
    guide = Guide(Neighbours(view, run, 4, SAME_SIZE, CPU), run, 4, prior, SAME_SIZE)
    seen = []

    class Watched(Refiner):
        def forward(self, moved):
            seen.append(moved)
            return super().forward(moved)

    torch.manual_seed(0)
    refiner = Watched().eval()
    share = 0.6
    with torch.no_grad():
        for index, (logits, _) in zip(slices, lead(refiner, batch, batch.own_prior, share), strict=True):
            expected, moved = guide.move(index, prior)
            for name, value in expected._asdict().items():
                got = getattr(seen[-1], name)
                if name == "area":  # a small mask's is counted as of 30 pixels in training
                    assert float(got) <= float(value) + 1e-5
                else:
                    assert torch.allclose(got, value, atol=2e-3), name
            prior = share * moved + (1 - share) * logits.sigmoid()


def test_masks_are_known_where_they_are_annotated_and_shown():
    volume, organ = organ_with_slices(4, 6), make_organ()
    batch = walk_windows(volume, "organ", Walk(4, (5, 6)), SMALL, rng(), as_in_use=True)
    assert batch.known.tolist() == [[0.0, 1.0]] and batch.own_prior.all()
    assert not batch.masks[0, 0].any()
    view_pixels = float(batch.masks[0, 1].sum()) / float(batch.anchor_mask.sum())
    assert view_pixels == pytest.approx(organ.mask[6].sum() / organ.mask[4].sum(), rel=0.05)
    assert batch.distances[0, 1] == pytest.approx(2 * float(batch.distances[0, 0]))
    diameter = 2 * np.sqrt(organ.mask[4].sum() / np.pi)  # pixels of 1 mm, slices 3 mm apart
    assert float(batch.distances[0, 0]) == pytest.approx(3 / diameter, rel=0.05)


def test_a_mask_that_lies_beside_the_window_is_no_truth_and_an_empty_one_is():
    volume = organ_with_slices(6)
    rows, columns = volume.finest.native
    corner, nothing = np.zeros((rows, columns), bool), np.zeros((rows, columns), bool)
    corner[-6:, -6:] = True
    masks = {6: volume.anchors["organ"][6], 7: corner, 8: nothing}
    batch = cut_windows(volume.finest, (6, 7, 8), masks, Window(4, 4, 24), SMALL)
    assert batch.known.tolist() == [[0.0, 1.0]] and not batch.masks[0, 1].any()


def test_other_windows_are_near_the_one_in_use_and_drawn_by_the_generator_alone():
    volume, walk = organ_with_slices(4, 6), Walk(4, (5, 6))
    usual = walk_windows(volume, "organ", walk, SMALL, rng(), as_in_use=True)
    moved = walk_windows(volume, "organ", walk, SMALL, rng(), as_in_use=False)
    again = walk_windows(volume, "organ", walk, SMALL, rng(), as_in_use=False)
    assert not torch.equal(usual.images, moved.images) and torch.equal(moved.images, again.images)
    assert float(moved.distances[0, 0]) == pytest.approx(float(usual.distances[0, 0]), rel=0.05)
    assert 0.5 < float(moved.anchor_mask.sum() / usual.anchor_mask.sum()) < 2


def test_bent_copies_of_a_structure_below_a_pixel_stay_drawn():
    volume = organ_with_slices(6)
    tiny = np.zeros(volume.finest.native, bool)
    tiny[20, 30] = True
    volume = dataclasses.replace(volume, anchors={"organ": {6: tiny}})
    batch = walk_windows(volume, "organ", Walk(6, ()), SMALL, rng(), as_in_use=False)
    assert batch.anchor_mask.any() and batch.known.all() and batch.images.shape[1] == 2
