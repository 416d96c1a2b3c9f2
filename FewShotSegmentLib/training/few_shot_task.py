"""What a few-shot network is trained to do: segment the query of an episode, and the support from the query."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..episodes.episode import Episode
from ..networks.alignment import alignment_loss
from ..networks.fewshot import FewShotNetwork, PrototypeMethod
from .losses import soft_dice
from .propagator_task import Losses


class EpisodeBatch(tuple[Episode, ...]):
    """Episodes of one part of a batch, passed through the network one after the other, as published."""

    @property
    def slices(self) -> int:
        """Slices that pass through the network."""
        return sum(len(e.support_images) + len(e.query_images) for e in self)

    def to(self, device: torch.device) -> EpisodeBatch:
        """The same on a device."""
        return EpisodeBatch(Episode(*(value.to(device) for value in episode)) for episode in self)

    def pieces(self, number: int) -> list[EpisodeBatch]:
        """In at most so many pieces."""
        number = min(number, len(self))
        cuts = [round(i * len(self) / number) for i in range(number + 1)]
        return [EpisodeBatch(self[a:b]) for a, b in pairwise(cuts)]

    @property
    def weight(self) -> float:
        """How many episodes: what the loss is a mean over."""
        return float(len(self))

    @property
    def number(self) -> int:
        """How many episodes."""
        return len(self)


class FewShotTask(nn.Module):
    r"""Episodes → loss: weighted cross-entropy of the query, and the alignment loss (SSL-ALPNet, eq. 5-7).

    .. math:: L = CE_w(query) + \lambda L_{align}, \qquad w = (0.05, 1)

    Args:
        network: to be trained; support and query are embedded as one batch, as published.
        alignment: λ; 0, or a network without prototypes, for none.
        background_weight: of the background in the query's cross-entropy.
    """

    def __init__(self, network: FewShotNetwork[Any], alignment: float = 1.0, background_weight: float = 0.05):
        super().__init__()
        self.network = network
        self.alignment = alignment if isinstance(network, PrototypeMethod) else 0.0
        self.register_buffer("_weights", torch.tensor([background_weight, 1.0]), persistent=False)

    def forward(self, batch: Sequence[Episode]) -> Losses:
        """Mean loss of some episodes."""
        losses, told = [], []
        for episode in batch:
            loss, dice, query, aligned = self._episode(episode)
            losses.append(loss)
            told.append(torch.stack([dice, query, aligned]))
        dice, query, aligned = torch.stack(told).nanmean(0)
        return Losses(torch.stack(losses).mean(), {"dice": dice, "query_loss": query, "alignment_loss": aligned})

    def _episode(self, episode: Episode) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Loss, and without gradient: Dice, the query's loss and the alignment loss."""
        network = self.network
        shots = len(episode.support_images)
        both = network.embed(torch.cat([episode.support_images, episode.query_images]))
        support, query = both[:shots], both[shots:]
        with torch.autocast(both.device.type, enabled=False):
            support, query = support.float(), query.float()
            memory = network.learn(episode.support_images, support, episode.support_masks)
            scores = network.score(memory, query)
            size = (episode.query_images.shape[-2], episode.query_images.shape[-1])
            logits = F.interpolate(scores, size=size, mode="bilinear", align_corners=False)
            weights: Tensor = self._weights  # type: ignore[assignment]
            loss = own = F.cross_entropy(logits, (episode.query_masks > 0.5).long(), weight=weights)
            aligned = loss.new_zeros(())
            if self.alignment:
                aligned = alignment_loss(network, support, episode.support_masks, query, scores)
                loss = loss + self.alignment * aligned
        found = (logits[:, 1:] > logits[:, :1]).detach()
        dice = soft_dice(found, episode.query_masks[:, None] > 0.5).nanmean()
        return loss, dice, own.detach(), aligned.detach()
