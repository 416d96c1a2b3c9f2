r"""DSPNet, repaired: the ideas of Tang et al. with mechanics that work on real organs (what each gives: `make bench`).

The published modules hardly act (see `dspnet_published`): on a 32 × 32 map an organ has 16 to 23 cells, so that neither
clusters nor local foreground prototypes come about; the centres are fused into one prototype that is the masked
average again; attention without a temperature is an average over the whole slice; and features after a ReLU all point
the same way, so that cosines tell little. What is kept, and what was mended:

========================  ===========================================================================================
published                 here
========================  ===========================================================================================
cosine of raw features    of standardised ones: each channel of each slice at zero mean and unit deviation
                          (`standardise`)
clusters that do not      k-means over the foreground's cells, as many groups as its area allows, `cells_per_detail`
compete, fused into one   cells for each; every centre stays a prototype of its own (`details`)
thresholds in cells       a cell is foreground from half the best covered cell's share on, so the smallest mask has one
RAN: softmax without      softmax of cosine / `temperature`, less a penalty on distance of `reach`; it carries the
temperature, values are   support's *mask* to the query, :math:`a_q = \sum_s A_{qs} m_s`, and its log-odds join the
features                  score with weight `attention`
BCMA over channel         channels mixed by their own correlation, in prototypes and query alike (`channel_mixing`)
indices
nothing of the query      prototypes of the query's own sure cells (`self_prototypes`)
stride 8                  any stride: give an encoder of stride 4
========================  ===========================================================================================

The score is :math:`s = (1 - w)\, [d_{fg} - d_{bg}] + w \operatorname{logit} a`, with :math:`d = \sum_k
\operatorname{softmax}_k(20 c_k)\, 20 c_k`, c the cosines to a class's prototypes (SSL-ALPNet, eq. 3-4).
`channel_mixing` and `self_prototypes` did not help with the features at hand
and are off by default.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import InputError
from .encoders.base import FeatureEncoder
from .fewshot import PrototypeMethod, check_count, check_share
from .prototypes.clusters import ClusterSettings
from .prototypes.details import detail_prototypes
from .prototypes.labels import LabelledCells, carry_labels, labelled_cells
from .prototypes.local import or_average, pool_windows
from .prototypes.own import own_evidence
from .prototypes.pooling import coverage_on_grid
from .prototypes.similarity import SCALE, cosine_scores, softmax_pool, standardise

_BACKGROUND_BELOW = 0.02
"""Share of a cell under the mask from which it is no background any more."""

_ATTENTION_STRIDE = 8
"""Labels are carried at this stride or a coarser one: pairs of cells grow with the fourth power of resolution."""


class SupportMemory(NamedTuple):
    """What is kept of a support.

    Attributes:
        background: local prototypes [B, C].
        foreground: detail prototypes [K, C].
        cells: the support's cells with their labels, at the stride of attention.
        mixing: [C, C], applied to prototypes already and to be applied to queries; None for no mixing.
    """

    background: Tensor
    foreground: Tensor
    cells: LabelledCells
    mixing: Tensor | None


class RepairedDSPNet(PrototypeMethod[SupportMemory]):
    """DSPNet, repaired; see the module.

    Args:
        encoder: images → features, of stride 8 or 4.
        standardise: each channel of each slice at zero mean and unit deviation. Cosines of raw features hardly differ,
            so that without it `reach` decides nearly alone: better where patients lie alike, as on the dev data, and
            worse where they do not (`make bench`: both changes together).
        details: most prototypes of the foreground, for each shot.
        cells_per_detail: cells of the foreground for each of them.
        window: side of the background's windows, in cells at stride 8.
        attention: weight of the labels carried by attention, 0 to 1.
        temperature: of the attention; cosines are divided by it.
        reach: distance at which places may differ between support and query, as a share of the slice's longer side (a
            standard deviation); infinity for no matter where.
        channel_mixing: weight of the channels' correlation, 0 to 1.
        self_prototypes: weight of the query's own prototypes, from 0.
        align: see `PrototypeMethod`.
        clusters: see `PrototypeMethod`.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        standardise: bool = True,
        details: int = 6,
        cells_per_detail: int = 4,
        window: int = 2,
        attention: float = 0.5,
        temperature: float = 0.03,
        reach: float = 0.1,
        channel_mixing: float = 0.0,
        self_prototypes: float = 0.0,
        align: bool = True,
        clusters: ClusterSettings | None = None,
    ):
        super().__init__(encoder, align, clusters)
        for name, count in (("details", details), ("cells_per_detail", cells_per_detail), ("window", window)):
            check_count(name, count)
        check_share("attention", attention)
        check_share("channel_mixing", channel_mixing)
        if temperature <= 0 or reach <= 0 or self_prototypes < 0:
            raise InputError("temperature and reach must be above 0, and self_prototypes not below 0.")
        self.standardise = standardise
        self.details = details
        self.cells_per_detail = cells_per_detail
        self.window = window
        self.attention = attention
        self.temperature = temperature
        self.reach = reach
        self.channel_mixing = channel_mixing
        self.self_prototypes = self_prototypes
        self._finer = max(1, _ATTENTION_STRIDE // encoder.stride)

    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> SupportMemory:
        foreground = coverage_on_grid(masks, (features.shape[-2], features.shape[-1]))
        memory = self.learn_cells(features, foreground, 1 - foreground, validation=not self.training)
        further = self.further_prototypes(images, self._prepare(features, memory.mixing), masks)
        return memory._replace(foreground=torch.cat([memory.foreground, further]))

    def learn_cells(self, features: Tensor, foreground: Tensor, background: Tensor, validation: bool) -> SupportMemory:
        """See `PrototypeMethod.learn_cells`; windows are the same in training and validation."""
        del validation
        standard = self._prepare(features, None)
        mixing = _channel_mixing(standard, self.channel_mixing) if self.channel_mixing else None
        cells = self._prepare(features, mixing)
        outside = (background > 1 - _BACKGROUND_BELOW).to(cells)
        side = self.window * self._finer
        window = min(side, cells.shape[-2]), min(side, cells.shape[-1])
        local, share = pool_windows(cells, outside, window)
        coarse, covered = (F.avg_pool2d(x, self._finer, ceil_mode=True) for x in (cells, foreground))
        most = self.details * len(cells)
        return SupportMemory(
            or_average(local[share > 0.95], cells, background),
            detail_prototypes(cells, foreground, most, self.cells_per_detail * self._finer**2),
            labelled_cells(coarse, covered),
            mixing,
        )

    def score(self, memory: SupportMemory, features: Tensor) -> Tensor:
        """See `FewShotNetwork.score`."""
        cells = self._prepare(features, memory.mixing)
        background, foreground = (
            softmax_pool(cosine_scores(cells, prototypes)) for prototypes in (memory.background, memory.foreground)
        )
        score = (1 - self.attention) * (foreground - background)
        if self.attention:
            coarse = F.avg_pool2d(cells, self._finer, ceil_mode=True)
            carried = carry_labels(coarse, memory.cells, self.temperature, self.reach)
            if self._finer > 1:
                carried = F.interpolate(carried, size=score.shape[-2:], mode="bilinear", align_corners=False)
            score = score + self.attention * carried
        if self.self_prototypes:
            score = score + self.self_prototypes * SCALE * own_evidence(cells, score.sigmoid())
        return torch.cat([-score / 2, score / 2], 1)

    def _prepare(self, features: Tensor, mixing: Tensor | None) -> Tensor:
        """Features as they are compared, [N, C, h, w]; a slice's do not depend on the other slices."""
        if self.standardise:
            features = standardise(features)
        if mixing is not None:
            features = torch.einsum("dc,nchw->ndhw", mixing, features)
        return features


def _channel_mixing(features: Tensor, weight: float) -> Tensor:
    """(1 − weight) · 1 + weight · softmax(correlation · √C), rows over channels: [S, C, h, w] → [C, C].

    A channel is smoothed with those that act alike; published code smooths it with its neighbours in the list, whose
    order says nothing.
    """
    vectors = F.normalize(features.transpose(0, 1).flatten(1), dim=1)
    count = len(vectors)
    alike = (vectors @ vectors.t() * count**0.5).softmax(1)
    mixed: Tensor = (1 - weight) * torch.eye(count).to(alike) + weight * alike
    return mixed
