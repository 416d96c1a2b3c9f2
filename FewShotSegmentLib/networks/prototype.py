"""Prototypical segmentation: one prototype for the foreground and one for the background, by masked average pooling.

Snell et al., “Prototypical networks for few-shot learning”, NeurIPS 2017, for every cell of the map as in PANet (Wang
et al., ICCV 2019). The least that the other prototype methods must beat.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from .alpnet import Prototypes
from .encoders.base import FeatureEncoder
from .fewshot import PrototypeMethod
from .prototypes.clusters import ClusterSettings
from .prototypes.pooling import coverage_on_grid, masked_average
from .prototypes.similarity import cosine_scores, euclidean_scores, softmax_pool


class PrototypeNetwork(PrototypeMethod[Prototypes]):
    """Masked averages as prototypes, scores by cosine × 20 or by minus the mean squared distance.

    Masks come to the feature grid as the share of each cell that they cover, so the smallest mask counts. Prototypes
    are averaged over the shots that have any of their class. A mask without background leaves the background a
    prototype of zeros, which scores 0 by cosine.

    Args:
        encoder: images → features; ResNet or VGG.
        distance: "cosine" (PANet) or "euclidean" (Snell et al.; see `similarity.euclidean_scores`).
        align: see `PrototypeMethod`.
        clusters: see `PrototypeMethod`.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        distance: Literal["cosine", "euclidean"] = "cosine",
        align: bool = True,
        clusters: ClusterSettings | None = None,
    ):
        super().__init__(encoder, align, clusters)
        if distance not in {"cosine", "euclidean"}:
            raise InputError(f"There is no distance called “{distance}”; there are: cosine, euclidean.")
        self.distance = distance

    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> Prototypes:
        foreground = coverage_on_grid(masks, (features.shape[-2], features.shape[-1]))
        memory = self.learn_cells(features, foreground, 1 - foreground, validation=not self.training)
        further = self.further_prototypes(images, features, masks)
        return memory._replace(foreground=torch.cat([memory.foreground, further]))

    def learn_cells(self, features: Tensor, foreground: Tensor, background: Tensor, validation: bool) -> Prototypes:
        """See `PrototypeMethod.learn_cells`; there are no windows, so `validation` changes nothing."""
        del validation
        return Prototypes(_mean_over_shots(features, background), _mean_over_shots(features, foreground))

    def score(self, memory: Prototypes, features: Tensor) -> Tensor:
        """See `FewShotNetwork.score`."""
        compare = cosine_scores if self.distance == "cosine" else euclidean_scores
        return torch.cat([softmax_pool(compare(features, prototypes)) for prototypes in memory], 1)


def _mean_over_shots(features: Tensor, masks: Tensor) -> Tensor:
    """Mean of the shots' masked averages, [1, C], over those whose mask is not empty."""
    present = (masks.sum((-1, -2)) > 0).to(features)
    return (masked_average(features, masks) * present).sum(0, keepdim=True) / present.sum().clamp_min(1)
