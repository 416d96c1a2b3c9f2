"""parts.png of the refiner's training: windows with truth and answers, led as in use."""

import pytest
import torch
from matplotlib.image import imread
from window_cases import CPU, SMALL, led

from FewShotSegmentLib.training.networks import make_task
from FewShotSegmentLib.training.observe import PartsPicture, draw_strips, sample_parts, strips_of
from FewShotSegmentLib.training.refiner_task import lead
from FewShotSegmentLib.training.sources import make_source
from FewShotSegmentLib.training.windows import WindowBatch


@pytest.fixture(scope="module")
def task():
    return make_task(SMALL, "random").eval()


def test_samples_are_one_sequence_each_and_the_same_each_time():
    one, two = (sample_parts(make_source(SMALL, [], CPU), SMALL, 3) for _ in range(2))
    assert all(isinstance(part, WindowBatch) and part.number == 1 for part in one)
    for part, again in zip(one, two, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(part, again, strict=True))
    assert one[0].images.shape != one[1].images.shape or not torch.equal(one[0].images, one[1].images)


def test_a_picture_of_windows_with_answers(tmp_path, task, rng_kept):
    weights = task.network.state_dict()
    parts = [led(count=1, ends=2), led(count=1, farther=True)]
    picture = PartsPicture(tmp_path / "parts.png", parts, SMALL)
    picture.checkpoint(1, weights)
    assert picture.notes == [] and imread(tmp_path / "parts.png").std() > 0.05
    first = (tmp_path / "parts.png").read_bytes()
    # one that says nothing is there
    silent = {name: value - 20 if name == "to_logits.bias" else value for name, value in weights.items()}
    picture.resumed(1)
    picture.checkpoint(1, silent)
    assert picture.notes == [] and (tmp_path / "parts.png").read_bytes() != first


@pytest.mark.parametrize("farther", [False, True])
def test_strips_hold_truth_and_answers(task, farther):
    batch = led(count=2, length=3, farther=farther)
    # whatever training hands on, use hands its own on
    batch = batch._replace(own_prior=torch.zeros_like(batch.own_prior))
    strips = strips_of(batch, task.network)
    with torch.no_grad():
        own = torch.ones_like(batch.own_prior)
        answers = torch.cat([logits for logits, _ in lead(task.network, batch, own)], 1) > 0
    assert len(strips) == 2
    for b, strip in enumerate(strips):
        assert torch.equal(strip.supports[0][0], batch.anchor_image[b, 0])
        assert torch.equal(strip.supports[0][1], batch.anchor_mask[b, 0])
        assert len(strip.supports) == 1 + farther
        assert torch.equal(strip.supports[-1][0], batch.start_image[b, 0])
        assert torch.equal(strip.supports[-1][1], batch.start_mask[b, 0])
        assert len(strip.queries) == batch.images.shape[1]
        for t, (image, truth, answer) in enumerate(strip.queries):
            assert torch.equal(image, batch.images[b, t]) and torch.equal(truth, batch.masks[b, t])
            assert answer.dtype == torch.bool and torch.equal(answer, answers[b, t])
    assert strips_of(batch)[0].queries[0][2] is None


def test_what_is_not_known_is_not_drawn_as_absent(tmp_path):
    batch = led(length=3)
    known = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    strips = strips_of(batch._replace(known=known))
    assert [[truth is not None for _, truth, _ in strip.queries] for strip in strips] == [
        [True, False, True],
        [False, False, False],
    ]
    draw_strips(strips, tmp_path / "parts.png")
    assert imread(tmp_path / "parts.png").std() > 0.05


def test_what_is_drawn_is_what_training_tells_of(task):
    batch = led(length=3)
    with torch.no_grad():
        told = float(task(batch).told["dice"])
    dices = []
    for strip in strips_of(batch, task.network):
        for _, truth, answer in strip.queries:
            inside = truth > 0.5
            dices.append(2 * float((answer & inside).sum()) / float(answer.sum() + inside.sum()))
    assert sum(dices) / len(dices) == pytest.approx(told, abs=1e-4)


def test_long_sequences_are_cut_to_the_width_of_the_page():
    (strip,) = strips_of(led(count=1, length=11))
    assert len(strip.queries) == 8
