"""DSPNet as published: detail self-refined prototypes (Tang et al., MedIA 2025, arXiv 2406.18074).

SSL-ALPNet (see `alpnet`) with three changes: local prototypes of background and foreground are regulated by `bcma`; the
masked average of the foreground is refined for each query by `attention`, `clustering` and `fspa`. What is wrong with
each of them is said there; this class computes what the published code computes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from .encoders.base import FeatureEncoder
from .fewshot import PrototypeMethod, check_count, check_share
from .prototypes.bcma import ChannelAttention
from .prototypes.clustering import soft_clusters
from .prototypes.clusters import ClusterSettings
from .prototypes.fspa import ForegroundMemory, foreground_prototypes, remember_foreground
from .prototypes.local import THRESHOLD, has_full_window, or_average, pool_windows, window_size
from .prototypes.pooling import masks_on_grid
from .prototypes.seeds import place_seeds
from .prototypes.similarity import cosine_scores, softmax_pool

_LITERAL_ALPHA = 0.2


class DSPNetMemory(NamedTuple):
    """What DSPNet keeps of a support.

    Attributes:
        background: prototypes, [K, C], K ≥ 1.
        foreground: local and further prototypes, [K', C], K' ≥ 0.
        refined: what the query's own foreground prototype is made from.
    """

    background: Tensor
    foreground: Tensor
    refined: ForegroundMemory


class DSPNet(PrototypeMethod[DSPNetMemory]):
    """DSPNet, equal to the published code wherever that returns something.

    Published code fails for several shots. Here their local prototypes are pooled together and regulated together, each
    shot has its own seeds, and the refined prototypes are averaged over shots; one shot gives exactly what is
    published. Without a background window the masked average of the background, not regulated, is used where published
    code raises; a foreground that touches no cell's centre scores 0, as published, which gives background wherever the
    background resembles at all. Support and query may differ in size, for which see `attention`.

    README values, by setting and data: α 0.3 and w (0.2, 0.8, 0.2) or (0.1, 0.9, 0.1), α 0.2 and w (0.3, 0.6, 0.3). The
    defaults are those of the code.

    Args:
        encoder: images → features.
        alpha: α, weight of the attention between channels.
        neighbours: (w1, w2, w3), which the learned matrix starts from.
        literal_alpha: let the background's path use 0.2 whatever `alpha` is, as published.
        grid: windows per side in training; 8 cuts a 32 × 32 map into windows of 4 × 4 cells.
        validation_window: side of a window in evaluation mode, in cells.
        threshold: share of a window that must belong to a class.
        align: see `PrototypeMethod`.
        clusters: see `PrototypeMethod`; these are not regulated.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        alpha: float = 0.2,
        neighbours: tuple[float, float, float] = (0.3, 0.8, 0.3),
        literal_alpha: bool = True,
        grid: int = 8,
        validation_window: int = 2,
        threshold: float = THRESHOLD,
        align: bool = True,
        clusters: ClusterSettings | None = None,
    ):
        super().__init__(encoder, align, clusters)
        if len(neighbours) != 3:
            raise InputError(f"The setting neighbours must be three weights, not {len(neighbours)}.")
        check_count("grid", grid)
        check_count("validation_window", validation_window)
        check_share("threshold", threshold)
        self.alpha = alpha
        self.literal_alpha = literal_alpha
        self.grid = grid
        self.validation_window = validation_window
        self.threshold = threshold
        self.regulation = ChannelAttention(encoder.channels, neighbours)

    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> DSPNetMemory:
        size = (features.shape[-2], features.shape[-1])
        foreground, background = masks_on_grid(masks, size), masks_on_grid(1 - masks, size)
        memory = self.learn_cells(features, foreground, background, validation=not self.training)
        centres: list[Tensor | None] = []
        for feature, mask, cells in zip(features, masks, foreground[:, 0], strict=True):
            seeds = place_seeds(mask == 1, size)
            centres.append(soft_clusters(feature, cells, seeds) if len(seeds) else None)
        further = self.further_prototypes(images, features, masks)
        return memory._replace(
            foreground=torch.cat([memory.foreground, further]),
            refined=memory.refined._replace(centres=tuple(centres)),
        )

    def learn_cells(self, features: Tensor, foreground: Tensor, background: Tensor, validation: bool) -> DSPNetMemory:
        """See `PrototypeMethod.learn_cells`; without seeds, as published for the alignment loss."""
        h, w = features.shape[-2:]
        window = window_size(h, w, self.grid, self.validation_window if validation else None)
        cells, coverage = pool_windows(features, background, window)
        regulated = self.regulation(cells, _LITERAL_ALPHA if self.literal_alpha else self.alpha, len(features))
        local_background = or_average(regulated[coverage > self.threshold], features, background)
        local = features.new_zeros(0, features.shape[1])
        if has_full_window(foreground, self.threshold):
            _, coverage = pool_windows(features, foreground, window)
            local = self.regulation(cells, self.alpha, len(features))[coverage > self.threshold]
        refined = remember_foreground(features, foreground, (None,) * len(features))
        return DSPNetMemory(local_background, local, refined)

    def score(self, memory: DSPNetMemory, features: Tensor) -> Tensor:
        """See `FewShotNetwork.score`."""
        refined = foreground_prototypes(memory.refined, features)[:, None]
        background = softmax_pool(cosine_scores(features, memory.background))
        return torch.cat([background, softmax_pool(cosine_scores(features, memory.foreground, refined))], 1)
