"""What is trained: losses that fall, gradients that reach every weight, and the published loss as published."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from FewShotSegmentLib.episodes import Episode
from FewShotSegmentLib.networks import Propagator, build
from FewShotSegmentLib.networks.alignment import alignment_loss
from FewShotSegmentLib.training.few_shot_task import EpisodeBatch, FewShotTask
from FewShotSegmentLib.training.losses import balanced_loss, mask_loss, soft_dice
from FewShotSegmentLib.training.propagator_task import PropagatorTask
from FewShotSegmentLib.training.settings import TrainSettings
from FewShotSegmentLib.training.sources import make_source

CPU = torch.device("cpu")
SMALL = TrainSettings(size=64, per_part=2, length=(2, 2), data="synthetic", iterations=10)


def batch_of(other_patient):
    return make_source(SMALL.changed(other_patient=float(other_patient)), [], CPU).part(0, 0)


@pytest.fixture(scope="module")
def propagator():
    torch.manual_seed(0)
    return Propagator()


def test_sequences_reach_every_weight(propagator):
    task = PropagatorTask(propagator)
    task.zero_grad(set_to_none=True)
    losses = task(batch_of(False))
    losses.loss.backward()
    missing = [name for name, weight in propagator.named_parameters() if weight.grad is None]
    assert missing == []
    assert set(losses.told) == {"mask_loss", "dice", "absent"} and losses.told["mask_loss"] == losses.loss.detach()


def test_pairs_of_patients_train_the_encoder_for_few_shot_networks(propagator):
    batch = batch_of(True)
    plain, joint = PropagatorTask(propagator), PropagatorTask(propagator, few_shot=0.5)
    assert [name for name, _ in joint.named_parameters()] == [name for name, _ in plain.named_parameters()]
    losses = joint(batch)
    expected = plain(batch).loss + 0.5 * losses.told["few_shot_loss"]
    assert losses.loss.detach() == pytest.approx(float(expected.detach()), rel=1e-5)
    assert losses.told["few_shot_loss"] > 0
    # there is none along the slices of one patient; it is told of all the same, as several processes must agree
    assert joint(batch_of(False)).told["few_shot_loss"].isnan()


def test_between_patients_places_need_not_agree_and_there_is_no_mask_before(propagator, monkeypatch):
    seen = []
    read, decode = propagator.read, propagator.decode
    monkeypatch.setattr(propagator, "read", lambda f, m, locality: seen.append(locality) or read(f, m, locality))
    monkeypatch.setattr(
        propagator, "decode", lambda f, r, prior: seen.append(float(prior.sum())) or decode(f, r, prior)
    )
    with torch.no_grad():
        batch = batch_of(True)
        PropagatorTask(propagator)(batch)
        assert seen[0] == 0.05 and seen[1] == 0.0
        seen.clear()
        PropagatorTask(propagator)(batch._replace(other_patient=False))
    assert seen[0] == 1.0 and seen[1] == float(batch.support_masks.sum())


def test_in_bfloat16_it_is_nearly_the_same(propagator):
    for other in (True, False):
        task, batch = PropagatorTask(propagator, few_shot=0.5), batch_of(other)
        with torch.no_grad():
            exact = task(batch).loss
            with torch.autocast("cpu", torch.bfloat16):
                rough = task(batch).loss
        assert torch.isfinite(rough) and float(rough) == pytest.approx(float(exact), rel=0.05)


def test_unknown_masks_do_not_count(propagator):
    task, batch = PropagatorTask(propagator), batch_of(False)
    known = batch.known.clone()
    known[:, 1] = 0
    partly = batch._replace(known=known, own_prior=torch.tensor([True, True]))
    wrong = partly._replace(masks=torch.cat([batch.masks[:, :1], 1 - batch.masks[:, 1:]], 1))
    with torch.no_grad():
        assert torch.equal(task(partly).loss, task(wrong).loss)
        first = batch._replace(
            images=batch.images[:, :1], masks=batch.masks[:, :1], known=known[:, :1], own_prior=torch.tensor([True])
        )
        assert float(task(first).loss) == pytest.approx(float(task(partly).loss), rel=1e-5)


def test_a_few_steps_lower_the_loss_of_one_batch():
    torch.manual_seed(1)
    task, batch = PropagatorTask(Propagator()), batch_of(False)
    optimiser = torch.optim.AdamW(task.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = task(batch).loss
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_the_mask_loss_ends_runs():
    truth = torch.zeros(1, 1, 32, 32)
    sure_absent, drawn = torch.full_like(truth, -8.0), torch.full_like(truth, -8.0)
    drawn[..., 8:16, 8:16] = 8.0
    coarse = [F.avg_pool2d(x, 8) for x in (sure_absent, drawn)]
    right, wrong = mask_loss(sure_absent, coarse[0], truth), mask_loss(drawn, coarse[1], truth)
    assert right < 0.3 and wrong > right + 1
    probability = drawn.clone().requires_grad_()
    mask_loss(probability, coarse[1], truth).sum().backward()
    assert probability.grad[..., 8:16, 8:16].sum() > 0


def test_soft_dice_of_known_masks():
    found, truth = torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    found[0, 0, :2] = truth[0, 0, :2] = 1
    found[1, 0, :2], truth[1, 0, 1:3] = 1, 1
    dice = soft_dice(found, truth)
    assert dice[:2].tolist() == pytest.approx([1.0, 0.5]) and dice[2].isnan()


def test_the_balanced_loss_gives_both_sides_the_same_weight():
    truth = torch.zeros(1, 1, 16, 16)
    truth[..., :2, :2] = 1
    for value, cells in ((3.0, truth), (3.0, 1 - truth)):
        grid = F.avg_pool2d(cells, 2)
        wrong = torch.where(F.avg_pool2d(truth, 2) > 0, value, -value) * torch.where(grid > 0, -1.0, 1.0)
        assert float(balanced_loss(wrong, truth)) == pytest.approx(3.05 + 0.05, abs=0.1)


class Flat(nn.Module):
    channels, stride = 4, 8

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 8, 8)

    def forward(self, x):
        return self.conv(x)


@pytest.fixture
def episodes(volumes):
    return make_source(TrainSettings(network="alpnet", data="volumes", size=64, per_part=2), volumes, CPU).part(0, 0)


def test_the_published_loss_is_as_published(episodes):
    torch.manual_seed(0)
    network = build("alpnet", Flat())
    losses = FewShotTask(network)(episodes)
    by_hand = []
    for support, support_mask, query, query_mask in episodes:
        features = network.embed(torch.cat([support, query]))
        memory = network.learn(support, features[:1], support_mask)
        logits = network.segment(memory, features[1:], (64, 64))
        weight = torch.tensor([0.05, 1.0])
        picked = weight[query_mask.long()]
        own = (F.cross_entropy(logits, query_mask.long(), reduction="none") * picked).sum() / picked.sum()
        aligned = alignment_loss(network, features[:1], support_mask, features[1:], network.score(memory, features[1:]))
        by_hand.append(own + aligned)
    assert float(losses.loss.detach()) == pytest.approx(float(torch.stack(by_hand).mean().detach()), rel=1e-5)
    assert set(losses.told) == {"dice", "query_loss", "alignment_loss"} and losses.told["alignment_loss"] > 0


def test_alignment_can_be_left_out_and_is_for_networks_without_prototypes(episodes):
    network = build("alpnet", Flat())
    assert FewShotTask(network, alignment=0.0)(episodes).told["alignment_loss"] == 0
    losses = FewShotTask(build("conditional", "resnet18"))(EpisodeBatch(episodes[:1]))
    assert losses.told["alignment_loss"] == 0 and torch.isfinite(losses.loss)


def test_absent_queries_do_not_break_an_episode(episodes):
    network = build("alpnet", Flat())
    support, mask, query, query_mask = episodes[0]
    losses = FewShotTask(network)(EpisodeBatch([Episode(support, mask, query, torch.zeros_like(query_mask))]))
    losses.loss.backward()
    assert torch.isfinite(losses.loss)
