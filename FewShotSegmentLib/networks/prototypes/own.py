"""Prototypes of the query itself (self-support, Fan et al., ECCV 2022; Q-Net, Shen et al., 2023): its sure cells."""

from __future__ import annotations

import torch
from torch import Tensor

from .similarity import unit

_NEAR_BEST = 0.8
_SURELY_OUTSIDE = 0.2
_TEMPERATURE = 0.05


def own_evidence(features: Tensor, probability: Tensor) -> Tensor:
    """Cosine to the query's own foreground, less that to its own background, [Q, 1, h, w]; 0 where nothing is sure.

    The foreground has one prototype, the mean of the cells above one half and near the best; the background is
    many things, so each cell has its own: the sure background cells weighted by their likeness to it.

    Args:
        features: [Q, C, h, w].
        probability: of the foreground, [Q, 1, h, w].
    """
    cells = unit(features, 1).flatten(2)
    p = probability.flatten(1)
    bar = (_NEAR_BEST * p.amax(1, keepdim=True)).clamp_min(0.5)
    sure = torch.where(p > bar, p, torch.zeros_like(p))
    outside = p < _SURELY_OUTSIDE
    foreground = unit(torch.einsum("qcn,qn->qc", cells, sure), 1)
    alike = torch.einsum("qcn,qcm->qnm", cells, cells) / _TEMPERATURE
    weights = alike.masked_fill(~outside[:, None], float("-inf")).softmax(2)
    background = unit(torch.einsum("qnm,qcm->qcn", weights.nan_to_num(), cells), 1)
    evidence = torch.einsum("qcn,qc->qn", cells, foreground) - (cells * background).sum(1)
    known = (sure.sum(1, keepdim=True) > 0) & outside.any(1, keepdim=True)
    return torch.where(known, evidence, torch.zeros_like(evidence)).view_as(probability)
