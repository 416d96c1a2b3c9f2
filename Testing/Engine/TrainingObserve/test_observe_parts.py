"""parts.png shows what is trained on, and what the network answers."""

import pytest
import torch
from matplotlib.image import imread
from observe_cases import FEW_SHOT, SMALL

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks.blocks import squared_distances
from FewShotSegmentLib.training.networks import make_task
from FewShotSegmentLib.training.observe import PartsPicture, draw_strips, sample_parts, strips_of
from FewShotSegmentLib.training.observe.parts import carry
from FewShotSegmentLib.training.sources import make_source


def _parts(settings, number=2):
    return sample_parts(make_source(settings, [], torch.device("cpu")), settings, number)


@pytest.mark.parametrize("settings", [SMALL, FEW_SHOT], ids=["propagator", "few-shot"])
def test_a_picture_of_parts_with_answers(tmp_path, settings, rng_kept):
    weights = make_task(settings, "bundled").network.state_dict()
    picture = PartsPicture(tmp_path / "parts.png", _parts(settings), settings)
    picture.checkpoint(1, weights)
    assert picture.notes == []
    first = (tmp_path / "parts.png").read_bytes()
    assert imread(tmp_path / "parts.png").std() > 0.05
    worse = {name: value * 0.3 if value.is_floating_point() else value for name, value in weights.items()}
    picture.resumed(1)
    picture.checkpoint(1, worse)
    assert (tmp_path / "parts.png").read_bytes() != first  # the answers are in it


def test_samples_are_of_different_anatomies_and_the_same_each_time():
    one, two = _parts(SMALL), _parts(SMALL)
    assert torch.equal(one[0].images, two[0].images)
    assert one[0].number == 1
    assert one[0].images.shape != one[1].images.shape or not torch.equal(one[0].images, one[1].images)


def test_strips_hold_truth_and_answers():
    (part,) = _parts(SMALL, 1)
    network = make_task(SMALL, "bundled").network.eval()
    (strip,) = strips_of(part, network)
    assert torch.equal(strip.supports[0][0], part.support_images[0, 0])
    assert len(strip.queries) == part.images.shape[1]
    assert torch.equal(strip.queries[0][1], part.masks[0, 0])
    assert strip.queries[0][2].dtype == torch.bool
    assert strips_of(part)[0].queries[0][2] is None


def test_what_is_not_known_is_not_drawn_as_absent():
    (part,) = _parts(SMALL, 1)
    (strip,) = strips_of(part._replace(known=torch.zeros_like(part.known)))
    assert all(truth is None for _, truth, _ in strip.queries)


def test_carrying_is_as_in_training():
    """With its own masks handed on, the Dice that training tells is that of these answers."""
    (part,) = _parts(SMALL.changed(other_patient=0.0), 1)
    part = part._replace(own_prior=torch.ones_like(part.own_prior))
    task = make_task(SMALL, "bundled").eval()
    with torch.no_grad():
        told = task(part).told["dice"]
    found, truth = carry(task.network, part) > 0.5, part.masks > 0.5
    dices = [
        2 * (found[:, t] & truth[:, t]).sum() / (found[:, t].sum() + truth[:, t].sum())
        for t in range(truth.shape[1])
        if truth[:, t].any()
    ]
    assert torch.stack(dices).mean().item() == pytest.approx(told.item(), abs=0.02)


def test_it_is_drawn_now_and_then(tmp_path, monkeypatch):
    drawn = []
    picture = PartsPicture(tmp_path / "p.png", _parts(SMALL, 1), SMALL.changed(iterations=11), every=4)
    monkeypatch.setattr(picture, "_draw", lambda step, _: drawn.append(step))
    for step in (2, 4, 6, 8, 10, 11, 11):
        picture.checkpoint(step, {})
    assert drawn == [2, 6, 10, 11]


def test_nothing_to_draw(tmp_path):
    with pytest.raises(InputError, match="nothing to draw"):
        draw_strips([], tmp_path / "p.png")


def test_a_picture_that_cannot_be_written_is_a_note(tmp_path):
    (tmp_path / "file").write_text("")
    picture = PartsPicture(tmp_path / "file" / "p.png", _parts(SMALL, 1), SMALL)
    picture.checkpoint(1, make_task(SMALL, "bundled").network.state_dict())
    assert len(picture.notes) == 1
    assert "cannot be written" in picture.notes[0]


def test_training_goes_on_after_a_picture():
    (part,) = _parts(SMALL, 1)
    task = make_task(SMALL, "bundled")
    squared_distances.cache_clear()
    carry(task.network, part)
    task(part).loss.backward()
