"""What the propagator is trained to do: carry a mask along slices, with its own masks as the only guide."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..networks import MemoryEntry, Propagator, SliceFeatures
from ..networks.dspnet import RepairedDSPNet
from ..networks.encoders.propagator import PropagatorEncoder
from .batches import SequenceBatch
from .losses import balanced_loss, mask_loss, soft_dice

_OTHER_PATIENT_LOCALITY = 0.05
"""Factor on the distance penalty between patients, whose organs lie elsewhere."""


class Losses(NamedTuple):
    """A loss to go down, and what is told beside it (numbers without gradient)."""

    loss: Tensor
    told: dict[str, Tensor]


class PropagatorTask(nn.Module):
    """Sequences → loss. The memory holds the support and the slice before, as in use (`propagation.sweep`).

    Gradient does not pass from slice to slice: what is handed on is taken as given (as in training by the prototype),
    so memory does not grow with the length of a sequence.

    Args:
        network: to be trained.
        few_shot: weight of the few-shot loss on its encoder where support and query are of different patients, so that
            one network serves `propagate` and `transfer`.
    """

    def __init__(self, network: Propagator, few_shot: float = 0.0):
        super().__init__()
        self.network = network
        self.few_shot = few_shot
        # its encoder is the propagator's own, so it adds no weights; kept out of the modules for their names' sake
        object.__setattr__(self, "_head", RepairedDSPNet(PropagatorEncoder(network)))

    def forward(self, batch: SequenceBatch) -> Losses:
        """Mean loss of a batch."""
        count, length = batch.images.shape[:2]
        # slices of one time lie together, so that a view of them is contiguous
        images = torch.cat([batch.support_images, batch.images.transpose(0, 1).flatten(0, 1)[:, None]])
        images = images.contiguous(memory_format=torch.channels_last)
        maps = self.network.encode(images)
        # split, not indexed: the gradient of a slice of a map is a whole map of zeros, which took a tenth of the time
        times = _by_time(maps, count)
        support = times[0]
        anchor = self.network.remember(images[:count], support, batch.support_masks)
        locality = _OTHER_PATIENT_LOCALITY if batch.other_patient else 1.0
        memory: list[MemoryEntry] = [anchor]
        nothing = torch.zeros_like(batch.support_masks)
        prior = nothing if batch.other_patient else batch.support_masks
        losses, dices, absent = [], [], []
        for t in range(length):
            here = times[t + 1]
            truth = batch.masks[:, t, None]
            logits, coarse = self.network.decode(here, self.network.read(here, memory, locality), prior)
            known = batch.known[:, t]
            logits = logits.float()
            losses.append(mask_loss(logits, coarse.float(), truth) * known)
            with torch.no_grad():
                drawn = logits.sigmoid()
                unknown = torch.where(known > 0, 0.0, torch.nan)
                dices.append(soft_dice(drawn > 0.5, truth > 0.5) + unknown)
                absent.append(_shares_where_absent(drawn, truth) + unknown)
            if t + 1 < length:
                own = (known == 0) | batch.own_prior[t].to(known.device)
                prior = torch.where(own.view(-1, 1, 1, 1), drawn, truth)
                now = images[(t + 1) * count : (t + 2) * count]
                memory = [anchor, self.network.remember(now, here, prior)]
        loss = torch.stack(losses).sum() / batch.known.sum().clamp_min(1)
        told = {"mask_loss": loss.detach(), "dice": torch.cat(dices).nanmean(), "absent": torch.cat(absent).nanmean()}
        if self.few_shot:
            # told of every batch: several processes must tell of the same things
            told["few_shot_loss"] = loss.new_tensor(torch.nan)
        if self.few_shot and batch.other_patient:
            # log-odds of nearly sure labels need float32
            with torch.autocast(batch.images.device.type, enabled=False):
                matching = self._few_shot_loss(maps, batch)
            told["few_shot_loss"] = matching.detach()
            loss = loss + self.few_shot * matching
        return Losses(loss, told)

    def _few_shot_loss(self, features: SliceFeatures, batch: SequenceBatch) -> Tensor:
        """Loss of the repaired DSPNet on the encoder's own maps; one pair of slices at a time, as in use."""
        count = batch.number
        maps = features.levels[3].float()
        head: RepairedDSPNet = self._head  # type: ignore[assignment]
        losses = []
        for b in range(count):
            memory = head.learn(batch.support_images[b, None], maps[b, None], batch.support_masks[b])
            queries = torch.cat([maps[(t + 1) * count + b, None] for t in range(batch.images.shape[1])])
            scores = head.score(memory, queries)
            seen = batch.known[b] > 0
            losses.append(balanced_loss((scores[:, 1:] - scores[:, :1])[seen], batch.masks[b, seen, None]))
        return torch.stack(losses).mean()


def _by_time(features: SliceFeatures, count: int) -> list[SliceFeatures]:
    """Features of the slices of each time, from those of all."""
    levels = zip(*(level.split(count) for level in features.levels), strict=True)
    keys = features.key.split(count)
    shares = [zip(a.split(count), b.split(count), strict=True) for a, b in features.shares]
    values = zip(features.value_share[0].split(count), features.value_share[1].split(count), strict=True)
    return [
        SliceFeatures(level, key, share, value)
        for level, key, share, value in zip(levels, keys, zip(*shares, strict=True), values, strict=True)
    ]


def _shares_where_absent(drawn: Tensor, truth: Tensor) -> Tensor:
    """Share of the slice that is drawn where nothing is to be drawn, per sequence; nan where there is something."""
    share = (drawn > 0.5).float().mean((1, 2, 3))
    return torch.where(truth.sum((1, 2, 3)) > 0, torch.nan, share)
