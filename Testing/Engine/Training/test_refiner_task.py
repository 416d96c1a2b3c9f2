"""What the refiner is trained to do: led as in use, it corrects what is moved, and learns where structures end."""

import pytest
import torch
import torch.nn.functional as F
from motion_cases import dice
from torch import nn
from window_cases import farther_out, led

from FewShotSegmentLib.motion import compose, warp
from FewShotSegmentLib.networks import Refiner
from FewShotSegmentLib.training.refiner_task import RefinerTask, lead


class Told(nn.Module):
    """Says always the same and remembers what it saw; `given` are logits of each slice [B, T, h, w], or None."""

    def __init__(self, given=None, presence=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.given, self.presence, self.seen = given, presence, []

    def forward(self, moved):
        t = len(self.seen)
        self.seen.append(moved)
        logits = torch.full_like(moved.image, -3.0) if self.given is None else self.given[:, t, None]
        return logits + self.weight, torch.full_like(moved.distance, self.presence) + self.weight


def sure(masks, logit=12.0):
    return logit * (2 * masks - 1)


@pytest.fixture(scope="module")
def refiner():
    torch.manual_seed(0)
    return Refiner()


def test_it_reaches_every_weight(refiner):
    task = RefinerTask(refiner)
    task.zero_grad(set_to_none=True)
    losses = task(led(ends=1))
    losses.loss.backward()
    assert [name for name, weight in refiner.named_parameters() if weight.grad is None] == []
    assert [name for name, _ in task.named_parameters()] == [
        f"network.{name}" for name, _ in refiner.named_parameters()
    ]
    assert set(losses.told) == {"mask_loss", "dice", "absent", "presence"}
    assert losses.told["mask_loss"] == losses.loss.detach() and not losses.told["dice"].requires_grad


def test_some_steps_lower_the_loss_of_one_batch():
    torch.manual_seed(1)
    task, batch = RefinerTask(Refiner()), led(length=2, ends=1)
    optimiser = torch.optim.AdamW(task.parameters(), 2e-3)
    told = []
    for _ in range(25):
        optimiser.zero_grad()
        losses = task(batch)
        losses.loss.backward()
        optimiser.step()
        told.append({"loss": float(losses.loss.detach())} | {name: float(v) for name, v in losses.told.items()})
    assert told[-1]["loss"] < 0.4 * told[0]["loss"]
    assert told[-1]["dice"] > 0.93 and told[-1]["presence"] == 1.0 and told[-1]["absent"] < 0.05


@pytest.mark.parametrize("farther", [False, True])
def test_what_is_seen_of_a_slice_is_moved_onto_it(farther):
    whole_way, network = led(length=4), Told()
    batch = farther_out(whole_way) if farther else whole_way
    length = 3 if farther else 4
    with torch.no_grad():
        answers = list(lead(network, batch, torch.zeros(length, dtype=torch.bool)))
    assert len(answers) == len(network.seen) == length
    assert all(mask.shape == (2, 1, 32, 32) and there.shape == (2,) for mask, there in answers)
    images = torch.cat([whole_way.anchor_image, whole_way.images], 1)
    masks = torch.cat([whole_way.anchor_mask, whole_way.masks], 1)
    distances = torch.cat([torch.zeros(2, 1), whole_way.distances], 1)
    whole = torch.zeros(2, 2, 32, 32)
    for t in range(4):
        step = whole_way.displacements[:, t]
        whole = compose(whole, step)
        if farther and t == 0:
            continue
        seen = network.seen[t - farther]
        assert torch.equal(seen.image, images[:, t + 1, None])
        assert torch.allclose(seen.before, warp(images[:, t, None], step, "border"))
        assert torch.allclose(seen.anchor, warp(batch.anchor_image, whole, "border"), atol=1e-5)
        # the true mask is handed on here
        assert torch.allclose(seen.mask, warp(masks[:, t, None], step))
        assert torch.allclose(seen.anchor_mask, warp(batch.anchor_mask, whole), atol=1e-5)
        assert torch.equal(seen.distance, distances[:, t + 1])
        assert torch.allclose(seen.step, distances[:, t + 1] - distances[:, t])
        assert torch.allclose(seen.area, masks[:, t].sum((1, 2)) / masks[:, 0].sum((1, 2)))
        # so the discs lie better than they did
        true = masks[:, t + 1, None]
        assert dice(seen.mask, true) > dice(masks[:, t, None], true) and dice(seen.mask, true) > 0.8
        assert dice(seen.anchor_mask, true) > dice(masks[:, :1], true)


def test_its_own_mask_is_handed_on_where_it_is_said_or_the_true_one_is_not_known():
    batch = led(length=3)
    known = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    own = torch.tensor([True, False, False])
    network = Told()
    with torch.no_grad():
        list(lead(network, batch._replace(known=known), own))
    drawn = torch.full((2, 1, 32, 32), -3.0).sigmoid()
    second, third = network.seen[1].mask, network.seen[2].mask
    assert torch.allclose(second, warp(drawn, batch.displacements[:, 1]))
    true = warp(batch.masks[:, 1, None], batch.displacements[:, 2])
    assert torch.allclose(third[0], true[0])
    assert torch.allclose(third[1], warp(drawn, batch.displacements[:, 2])[1])


def test_no_gradient_passes_from_slice_to_slice(refiner):
    batch = led(length=2)
    first, second = lead(refiner, batch, batch.own_prior)
    given = torch.autograd.grad(second[0].sum(), first[0], allow_unused=True)
    assert given == (None,) and first[0].requires_grad and second[1].requires_grad


def test_a_right_answer_costs_nearly_nothing_and_a_wrong_one_by_its_size():
    batch = led(ends=1)
    truth = (batch.masks > 0.5).float()
    batch = batch._replace(masks=truth)
    there = truth.sum((2, 3)) > 0

    def cost(given, presence=1.0):
        with torch.no_grad():
            return RefinerTask(Told(given, presence))(batch)

    right = cost(sure(truth))
    assert right.told["dice"] == 1 and right.told["absent"] == 0
    assert float(right.told["presence"]) == pytest.approx(float(there.float().mean()))
    # presence alone is wrong on two of three slices
    wrong = 0.3 * float(F.binary_cross_entropy_with_logits(torch.ones(6), there.float().flatten()))
    assert float(right.loss) == pytest.approx(wrong, abs=0.01)
    drawn_past = [sure(truth) for _ in range(2)]
    for given, width in zip(drawn_past, (4, 8), strict=True):
        given[:, 2, :width, :8] = 12.0
    little, much = (cost(given) for given in drawn_past)
    assert right.loss < little.loss < much.loss
    assert float(much.told["absent"]) == pytest.approx(2 * float(little.told["absent"])) and little.told["absent"] > 0


def test_small_structures_do_not_outweigh_others():
    batch = led(length=1)
    tiny = torch.zeros(2, 1, 32, 32)
    tiny[..., 14:16, 14:16] = 1
    batch = batch._replace(anchor_mask=tiny, start_mask=tiny, masks=tiny)
    with torch.no_grad():
        seen = Told(sure(tiny))
        RefinerTask(seen)(batch)
        # counted as of 30 pixels: a mask of 4 is 4/30 of it
        assert seen.seen[0].area.tolist() == pytest.approx([4 / 30] * 2)
        wrong = float(RefinerTask(Told(torch.full((2, 1, 32, 32), -12.0), 50.0))(batch).loss)
    # 4 pixels of cross-entropy 12 on 30, and 1 - Dice with a slack of 3
    assert wrong == pytest.approx(4 * 12 / 30 + 1 - 3 / 7, abs=0.02)


def test_a_pixel_or_two_are_no_structure():
    batch = led(length=1)
    for pixels, there in ((2, 0.0), (3, 1.0)):
        masks = torch.zeros(2, 1, 32, 32)
        masks[..., 10, 10 : 10 + pixels] = 1
        with torch.no_grad():
            told = RefinerTask(Told(sure(masks), 5.0))(batch._replace(masks=masks)).told
        assert told["presence"] == there


def test_what_is_not_known_does_not_count(refiner):
    task, batch = RefinerTask(refiner), led(length=3)
    known = batch.known.clone()
    known[:, 1:] = 0
    partly = batch._replace(known=known)
    wrong = partly._replace(masks=torch.cat([batch.masks[:, :1], 1 - batch.masks[:, 1:]], 1))
    with torch.no_grad():
        one, other = task(partly), task(wrong)
        assert torch.equal(one.loss, other.loss) and torch.equal(one.told["dice"], other.told["dice"])
        first = batch._replace(
            images=batch.images[:, :1],
            masks=batch.masks[:, :1],
            displacements=batch.displacements[:, :1],
            distances=batch.distances[:, :1],
            own_prior=batch.own_prior[:1],
            known=known[:, :1],
        )
        assert float(task(first).loss) == pytest.approx(float(one.loss), rel=1e-5)
        nothing = task(batch._replace(known=torch.zeros_like(known)))
    assert float(nothing.loss) == 0 and nothing.told["dice"].isnan()


def test_pieces_make_the_same_loss(refiner):
    task, batch = RefinerTask(refiner), led(count=3, ends=2)
    known = batch.known.clone()
    known[1, 2] = 0
    batch = batch._replace(known=known)
    with torch.no_grad():
        whole = float(task(batch).loss)
        by_piece = [(float(task(piece).loss), piece.weight) for piece in batch.pieces(2)]
    assert sum(loss * weight for loss, weight in by_piece) / batch.weight == pytest.approx(whole, rel=1e-4)


def test_in_bfloat16_it_is_nearly_the_same(refiner):
    task, batch = RefinerTask(refiner), led(ends=2)
    with torch.no_grad():
        exact = float(task(batch).loss)
        with torch.autocast("cpu", torch.bfloat16):
            rough = task(batch).loss
            answers = list(lead(refiner, batch, batch.own_prior))
    assert float(rough) == pytest.approx(exact, rel=0.03)
    assert all(mask.dtype == there.dtype == torch.float32 for mask, there in answers)


def test_what_is_handed_on_may_be_mixed_with_the_moved_mask():
    """As in use: the refiner's own mask has a share, and what registration has moved the rest."""
    batch = led(count=1, length=2)
    seen = {}
    for share in (0.0, 0.6, 1.0):
        told = Told(sure(1 - batch.masks))
        list(lead(told, batch, batch.own_prior, share))
        seen[share] = told.seen
    own = warp((sure(1 - batch.masks)[:, 0, None]).sigmoid(), batch.displacements[:, 1])
    moved = warp(seen[0.6][0].mask, batch.displacements[:, 1])
    assert torch.allclose(seen[0.0][1].mask, own, atol=1e-6)
    assert torch.allclose(seen[1.0][1].mask, moved, atol=1e-6)
    assert torch.allclose(seen[0.6][1].mask, 0.6 * moved + 0.4 * own, atol=1e-6)


def test_slices_of_which_nothing_is_known_ask_for_no_gradient_and_change_none(refiner):
    batch = led(count=2, length=3)
    known = batch.known.clone()
    known[:, 1] = 0
    graph = [logits.requires_grad for logits, _ in lead(refiner, batch._replace(known=known), batch.own_prior)]
    assert graph == [True, False, True]
    nothing = batch._replace(known=torch.zeros_like(known))
    assert all(logits.requires_grad for logits, _ in lead(refiner, nothing, batch.own_prior))
    known[0, 1] = 1
    assert [x.requires_grad for x, _ in lead(refiner, batch._replace(known=known), batch.own_prior)] == [True] * 3


def test_presence_is_learned_only_where_the_structure_ends_if_asked_to():
    lasting, ending = led(count=1, length=2), led(count=1, length=2, ends=1)

    def slope(batch, **options):
        told = Told(sure(batch.masks), presence=0.0)
        presence = nn.Parameter(torch.zeros(()))
        told.forward = lambda moved: (sure(batch.masks)[:, 0, None], presence.expand(len(moved.distance)))
        RefinerTask(told, **options)(batch).loss.backward()
        return float(presence.grad)

    # at 0 the cross-entropy's slope is −½ where it is there and ½ where it is not
    assert slope(lasting) == pytest.approx(-0.15) == slope(lasting, presence_at_ends=False)
    assert slope(lasting, presence_at_ends=True) == 0
    assert slope(ending, presence_at_ends=True) == pytest.approx(slope(ending)) == pytest.approx(0, abs=1e-6)
    unknown = ending._replace(known=torch.tensor([[1.0, 0.0]]))
    assert slope(unknown) == pytest.approx(-0.15) and slope(unknown, presence_at_ends=True) == 0
