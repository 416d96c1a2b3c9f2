r"""Conditional network: the support generates parameters of the query's segmentation branch.

After Rakelly et al., “Conditional networks for few-shot semantic segmentation”, ICLR workshop 2018 (support features
are masked, pooled over places and shots, and condition the query's branch) and Shaban et al., “One-shot learning for
semantic segmentation” (OSLSM), BMVC 2017 (the conditioning branch generates a classifier's weights). Both in one: the
support's summary z gives a scale γ and a shift β per channel of two convolutions (FiLM, Perez et al., AAAI 2018) and
the weights of the last 1 × 1 convolution,

.. math:: y \leftarrow \mathrm{relu}((1 + \gamma(z)) \odot \mathrm{norm}(\mathrm{conv}(y)) + \beta(z)), \quad
          \text{logits} = W(z)\, y + b(z).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .blocks import group_norm
from .encoders.base import FeatureEncoder
from .fewshot import FewShotNetwork, check_count
from .prototypes.pooling import coverage_on_grid, masked_average

_CLASSES = 2


class Condition(NamedTuple):
    """Generated parameters of the query's branch.

    Attributes:
        scales: γ of both convolutions, [2, hidden].
        shifts: β of both convolutions, [2, hidden].
        weight: of the last convolution, [2, hidden].
        bias: of the last convolution, [2].
    """

    scales: Tensor
    shifts: Tensor
    weight: Tensor
    bias: Tensor


class ConditionalNetwork(FewShotNetwork[Condition]):
    """A support branch that generates the parameters of a query branch.

    z is the masked average of the support's foreground beside that of its background, each at length √C and averaged
    over the shots that have any of it. Untrained, the generator is random and so is the segmentation: unlike
    prototypes, this network knows nothing without training.

    Args:
        encoder: images → features.
        hidden: channels of the query's branch, a multiple of 4.
    """

    def __init__(self, encoder: FeatureEncoder, hidden: int = 64):
        super().__init__(encoder)
        check_count("hidden / 4", hidden // 4 if hidden % 4 == 0 else 0)
        self.hidden = hidden
        self.conv1 = nn.Conv2d(encoder.channels, hidden, 1, bias=False)
        self.norm1 = group_norm(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, 1, 1, bias=False)
        self.norm2 = group_norm(hidden)
        self._sizes = (2 * hidden, 2 * hidden, _CLASSES * hidden, _CLASSES)
        self.generator = nn.Sequential(
            nn.Linear(2 * encoder.channels, encoder.channels), nn.ReLU(), nn.Linear(encoder.channels, sum(self._sizes))
        )

    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> Condition:
        del images
        foreground = coverage_on_grid(masks, (features.shape[-2], features.shape[-1]))
        summary = torch.cat([self._summary(features, foreground), self._summary(features, 1 - foreground)])
        scales, shifts, weight, bias = self.generator(summary).split(self._sizes)
        shape = (2, self.hidden)
        return Condition(scales.view(shape), shifts.view(shape), weight.view(_CLASSES, self.hidden), bias)

    @staticmethod
    def _summary(features: Tensor, masks: Tensor) -> Tensor:
        """[S, C, h, w] and [S, 1, h, w] → [C]; zeros if no shot has any of it."""
        present = (masks.sum((-1, -2)) > 0).to(features)
        # length √C, so that the generator's input is of order 1 whatever the encoder
        vectors: Tensor = F.normalize(masked_average(features, masks), dim=1) * features.shape[1] ** 0.5
        return (vectors * present).sum(0) / present.sum().clamp_min(1)

    def score(self, memory: Condition, features: Tensor) -> Tensor:
        """See `FewShotNetwork.score`."""
        y: Tensor = features
        for conv, norm, scale, shift in zip(
            (self.conv1, self.conv2), (self.norm1, self.norm2), memory.scales, memory.shifts, strict=True
        ):
            y = F.relu(norm(conv(y)) * (1 + scale)[:, None, None] + shift[:, None, None])
        return F.conv2d(y, memory.weight[..., None, None], memory.bias)
