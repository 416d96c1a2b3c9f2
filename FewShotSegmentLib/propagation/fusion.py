"""Where two runs meet between two anchors: one answer from both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Vote:
    """What one run says about one slice.

    Attributes:
        logits: [1, 1, h, w].
        confidence: of the run in this slice, 0 to 1.
        distance: slices from the run's anchor, at least 1.
    """

    logits: Tensor
    confidence: float
    distance: int


def fuse(votes: list[Vote], sharpness: float) -> Tensor:
    """Weighted mean of the votes' probabilities, as logits [1, 1, h, w]; weight = confidence / distance^sharpness.

    Probabilities, not logits: one run that is wildly sure must not outvote a nearer one.
    """
    if len(votes) == 1:
        return votes[0].logits
    weights = [vote.confidence / vote.distance**sharpness + 1e-6 for vote in votes]
    probability = sum(
        (vote.logits.sigmoid() * (w / sum(weights)) for vote, w in zip(votes, weights, strict=True)),
        start=torch.zeros_like(votes[0].logits),
    )
    return torch.logit(probability, eps=1e-6)
