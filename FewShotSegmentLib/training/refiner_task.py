"""What the refiner is trained to do: correct a mask as it moves from slice to slice, and say when it has ended."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..motion import compose, warp
from ..networks.refiner import Moved, Refiner
from .losses import soft_dice
from .propagator_task import Losses
from .windows import WindowBatch

_PRESENCE = 0.3
"""Weight of the cross-entropy of presence beside the mask's loss."""

_REMAINS = 2.0
"""Of a structure that just ends sampling leaves so many pixels, which nobody would draw."""

_LEAST_PIXELS = 30.0
"""Smaller masks are counted as of this size: a handful of pixels must not outweigh all other structures."""


class RefinerTask(nn.Module):
    """Sequences of windows → loss; masks are handed on without gradient, as in `PropagatorTask`.

    Args:
        network: to be trained.
        moved_share: as in `lead`.
        presence_at_ends: learn presence only from sequences in which a slice is known to lack the structure: where all
            known slices have it, all that can be learned is that it never ends.
    """

    def __init__(self, network: Refiner, moved_share: float = 0.0, presence_at_ends: bool = False):
        super().__init__()
        self.network = network
        self.moved_share = moved_share
        self.presence_at_ends = presence_at_ends

    def forward(self, batch: WindowBatch) -> Losses:
        """Mean loss of a batch.

        Told beside it: `dice` where the structure is, `absent` where it is not (what is drawn there, as a share of the
        anchor's area), and `presence`, the share of slices of which it is said rightly whether the structure is there.
        """
        size = _sizes(batch)
        weight = torch.full_like(size, _PRESENCE)
        if self.presence_at_ends:
            ended = (batch.masks.sum((2, 3)) <= _REMAINS) & (batch.known > 0)
            weight = weight * ended.any(1)
        losses, dices, absent, right = [], [], [], []
        for t, (logits, presence) in enumerate(lead(self.network, batch, batch.own_prior, self.moved_share)):
            truth, known = batch.masks[:, t, None], batch.known[:, t]
            there = (truth.sum((1, 2, 3)) > _REMAINS).float()
            told = F.binary_cross_entropy_with_logits(presence, there, reduction="none")
            losses.append((_mask_loss(logits, truth, size) + weight * told) * known)
            with torch.no_grad():
                drawn = logits > 0
                unknown = torch.where(known > 0, 0.0, torch.nan)
                dices.append(soft_dice(drawn, truth > 0.5) + unknown)
                gone = torch.where(there > 0, torch.nan, drawn.float().sum((1, 2, 3)) / size)
                absent.append(gone + unknown)
                right.append(((presence > 0) == (there > 0)).float() + unknown)
        loss = torch.stack(losses).sum() / batch.known.sum().clamp_min(1)
        told_of = {"dice": dices, "absent": absent, "presence": right}
        means = {name: torch.cat(values).nanmean() for name, values in told_of.items()}
        return Losses(loss, {"mask_loss": loss.detach(), **means})


def lead(
    network: Refiner, batch: WindowBatch, own_prior: Tensor, moved_share: float = 0.0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Lead the refiner along sequences of windows, as in use.

    Args:
        network: the refiner.
        batch: sequences.
        own_prior: bool [T], whether its own mask or the true one is handed on from slice t; where the true one is not
            known its own is.
        moved_share: weight of the moved mask beside the network's own in what is handed on, as
            `Settings.moved_share`; 0 to hand on the network's own alone.

    Yields:
        Of each slice, logits of the mask [B, 1, h, w] and of presence [B], float32; without gradient where no sequence
        of the batch is known (unless none is anywhere).
    """
    taught = batch.known.any(0)
    taught = taught | ~taught.any()
    prior, before, whole, at = batch.start_mask, batch.start_image, batch.start_displacement, batch.start_distance
    size = _sizes(batch)
    for t in range(batch.images.shape[1]):
        with torch.no_grad():
            step, here, image = batch.displacements[:, t], batch.distances[:, t], batch.images[:, t, None]
            whole = compose(whole, step)
            moved = Moved(
                image,
                warp(before, step, "border"),
                warp(batch.anchor_image, whole, "border"),
                warp(prior, step),
                warp(batch.anchor_mask, whole),
                here,
                here - at,
                prior.sum((1, 2, 3)) / size,
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and bool(taught[t])):
            logits, presence = (x.float() for x in network(moved))
        yield logits, presence
        with torch.no_grad():
            own = (batch.known[:, t] == 0) | own_prior[t]
            mixed = moved_share * moved.mask + (1 - moved_share) * logits.sigmoid()
            prior = torch.where(own.view(-1, 1, 1, 1), mixed, batch.masks[:, t, None])
            before, at = image, here


def _sizes(batch: WindowBatch) -> Tensor:
    """Pixels of each anchor's mask, [B]."""
    return batch.anchor_mask.sum((1, 2, 3)).clamp_min(_LEAST_PIXELS)


def _mask_loss(logits: Tensor, truth: Tensor, size: Tensor) -> Tensor:
    """Cross-entropy per pixel of the anchor's mask, and 1 − Dice, of each of N masks.

    Dice counts a tenth of the anchor's area more in numerator and denominator, so that what is drawn past the end
    costs by its size.

    Args:
        logits: [N, 1, h, w].
        truth: [N, 1, h, w], 0 to 1.
        size: pixels of the anchor's mask, [N].

    Returns:
        [N].
    """
    errors = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").sum((1, 2, 3)) / size
    p = logits.sigmoid()
    both, total = (p * truth).sum((1, 2, 3)), p.sum((1, 2, 3)) + truth.sum((1, 2, 3))
    slack = 0.1 * size
    return errors + 1 - (2 * both + slack) / (total + slack)
