"""How far slices lie from the anchor: structures end where organs do, and steps are what slices can be apart."""

import pytest
import torch

from FewShotSegmentLib.synthetic.draw import Draw
from FewShotSegmentLib.training.batches import SequenceBatch
from FewShotSegmentLib.training.windows import HALF_LENGTH, STEP, TUBES, _distances


def of_masks(masks, known=None):
    """Sequences with these masks [B, T], one pixel each."""
    count, length = masks.shape
    one = torch.ones(count, 1, 1, 1)
    slices = masks.view(count, length, 1, 1).float()
    known = torch.ones(count, length) if known is None else known
    return SequenceBatch(one, one, slices, slices, False, torch.ones(length, dtype=torch.bool), known)


def ending_after(slices, length=9, count=3000):
    return (torch.arange(length) < slices).expand(count, -1)


def test_structures_end_as_far_from_the_anchor_as_organs():
    distances = _distances(Draw(1), of_masks(ending_after(6)))
    steps = distances.diff(dim=1)
    assert torch.allclose(steps, distances[:, :1].expand_as(steps), atol=1e-5)
    last_with, first_without = distances[:, 5], distances[:, 6]
    # tubes lie far out, most of them more than three diameters; the median is a little more than without them
    assert HALF_LENGTH[0] * 0.9 < float(last_with.median()) < HALF_LENGTH[0] * 1.3
    assert float(first_without.median()) > HALF_LENGTH[0]
    assert 0.7 * TUBES < float((last_with > 2.2).float().mean()) < TUBES
    ordinary = last_with[last_with < 1.6].log()
    assert 0.3 < float(ordinary.std()) < HALF_LENGTH[1]
    assert float(last_with.quantile(0.02)) > 0.25 and float(last_with.max()) <= 6 * STEP[1] + 1e-4
    # and so wherever in the sequence it ends
    other = _distances(Draw(1), of_masks(ending_after(3)))[:, 2]
    assert float(other.median()) == pytest.approx(float(last_with.median()), rel=0.12)


def test_what_does_not_end_is_seen_to_somewhere_before_its_end():
    ends = _distances(Draw(2), of_masks(ending_after(9, 10)))[:, 8]
    goes_on = _distances(Draw(2), of_masks(ending_after(9, 9)))[:, 8]
    # seen to between 0.15 and 0.95 of the way: 0.55 in the middle
    assert float(goes_on.median()) == pytest.approx(0.57 * float(ends.median()), rel=0.15)
    assert float(goes_on.quantile(0.02)) > 0.06


def test_what_is_not_known_to_end_does_not_end():
    masks, all_there = ending_after(4, 8, 50), torch.ones(50, 8)
    unknown = torch.where(masks, 1.0, 0.0)
    whole = _distances(Draw(3), of_masks(all_there))
    assert torch.equal(_distances(Draw(3), of_masks(masks, unknown)), whole)
    assert not torch.equal(_distances(Draw(3), of_masks(masks)), whole)


def test_a_structure_that_comes_back_has_ended_before():
    gap = ending_after(4, 8, 50).clone()
    gap[:, 6:] = True
    assert torch.equal(_distances(Draw(4), of_masks(gap)), _distances(Draw(4), of_masks(ending_after(4, 8, 50))))


@pytest.mark.parametrize(("slices", "length"), [(0, 3), (0, 1), (1, 1), (1, 14), (40, 40)])
def test_steps_stay_in_their_bounds(slices, length):
    distances = _distances(Draw(5), of_masks(ending_after(slices, length)))
    assert distances.shape == (3000, length)
    least, most = float(distances[:, 0].min()), float(distances[:, 0].max())
    assert least > STEP[0] - 1e-6 and most < STEP[1] + 1e-6
    if slices == 40:
        assert least == pytest.approx(STEP[0])  # none ends so late: slices would lie too close
    if slices == 0:
        assert most == pytest.approx(STEP[1])  # or so soon
