"""SSL-ALPNet: adaptive local prototypes (Ouyang et al., ECCV 2020; TMI 2022).

The background is compared with its local prototypes, the foreground with its local ones and the masked average
(“gridconv+”), or with the masked average alone where no 4 × 4 window lies in the mask (“mask”).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .encoders.base import FeatureEncoder
from .fewshot import PrototypeMethod, check_count, check_share
from .prototypes.clusters import ClusterSettings
from .prototypes.local import THRESHOLD, has_full_window, or_average, pool_windows, window_size
from .prototypes.pooling import masked_average, masks_on_grid
from .prototypes.similarity import cosine_scores, softmax_pool


class Prototypes(NamedTuple):
    """What is kept of a support: `background` [K, C] and `foreground` [K', C], at least one of each."""

    background: Tensor
    foreground: Tensor


class ALPNet(PrototypeMethod[Prototypes]):
    """SSL-ALPNet, equal to the published code wherever that returns something.

    Shots as published: local prototypes of all shots are pooled together; their masked averages join them one by one in
    “gridconv+” and as their mean in “mask”. Whether there are local foreground prototypes is asked of all shots
    together. Where published code raises, for want of a background window, the masked average of the background
    is used; a foreground that touches no cell's centre (see `pooling.masks_on_grid`) scores 0, as published, which
    gives background wherever the background resembles at all.

    Args:
        encoder: images → features.
        grid: windows per side in training; 8 cuts a 32 × 32 map into windows of 4 × 4 cells.
        validation_window: side of a window in evaluation mode, in cells.
        threshold: share of a window that must belong to a class.
        align: see `PrototypeMethod`.
        clusters: see `PrototypeMethod`.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        grid: int = 8,
        validation_window: int = 2,
        threshold: float = THRESHOLD,
        align: bool = True,
        clusters: ClusterSettings | None = None,
    ):
        super().__init__(encoder, align, clusters)
        check_count("grid", grid)
        check_count("validation_window", validation_window)
        check_share("threshold", threshold)
        self.grid = grid
        self.validation_window = validation_window
        self.threshold = threshold

    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> Prototypes:
        size = (features.shape[-2], features.shape[-1])
        foreground, background = masks_on_grid(masks, size), masks_on_grid(1 - masks, size)
        memory = self.learn_cells(features, foreground, background, validation=not self.training)
        further = self.further_prototypes(images, features, masks)
        return memory._replace(foreground=torch.cat([memory.foreground, further]))

    def learn_cells(self, features: Tensor, foreground: Tensor, background: Tensor, validation: bool) -> Prototypes:
        """See `PrototypeMethod.learn_cells`."""
        h, w = features.shape[-2:]
        window = window_size(h, w, self.grid, self.validation_window if validation else None)
        cells, coverage = pool_windows(features, background, window)
        local_background = or_average(cells[coverage > self.threshold], features, background)
        average = masked_average(features, foreground)
        if not has_full_window(foreground, self.threshold):
            return Prototypes(local_background, average.mean(0, keepdim=True))
        cells, coverage = pool_windows(features, foreground, window)
        return Prototypes(local_background, torch.cat([cells[coverage > self.threshold], average]))

    def score(self, memory: Prototypes, features: Tensor) -> Tensor:
        """See `FewShotNetwork.score`."""
        return torch.cat([softmax_pool(cosine_scores(features, prototypes)) for prototypes in memory], 1)
