"""Detail prototypes: a foreground's own parts, each a prototype (DSPNet's “high-fidelity” idea, not its code).

Published centres do not compete for cells and are fused into one (see `clustering`, `fspa`). Here cells are grouped by
k-means; there are as many groups as the area allows, and none is fused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pooling import masked_average
from .similarity import unit

_STEPS = 10


def detail_prototypes(features: Tensor, masks: Tensor, most: int, cells_each: int) -> Tensor:
    """Centres of the foreground's groups, all shots together.

    Args:
        features: [S, C, h, w].
        masks: share of each cell that is foreground, [S, 1, h, w].
        most: groups at most.
        cells_each: cells that a group should have; fewer cells make fewer groups.

    Returns:
        [K, C], 1 ≤ K ≤ `most`; the masked average where K = 1.
    """
    cells = features.transpose(1, 0).flatten(1).t()
    weights = masks.flatten()
    # half of what the best covered cell has: a mask smaller than a cell still has foreground
    inside = weights >= min(0.5, 0.7 * float(weights.max()))
    count = min(most, int(inside.sum()) // cells_each)
    if count <= 1 or float(weights.max()) == 0:
        average = masked_average(features, masks)
        present = masks.sum((-1, -2)).clamp(0, 1)
        return (average * present).sum(0, keepdim=True) / present.sum().clamp_min(1e-5)
    chosen, weight = unit(cells[inside], 1), weights[inside]
    with torch.no_grad():
        groups = _k_means(chosen.detach(), weight, count)
    shares = torch.nn.functional.one_hot(groups, count).to(chosen) * weight[:, None]
    kept = shares[:, shares.sum(0) > 0]
    return (kept.t() @ chosen) / kept.sum(0)[:, None]


def _k_means(vectors: Tensor, weights: Tensor, count: int) -> Tensor:
    """Group of each vector, int64 [N].

    It starts from the one nearest the mean, then the farthest, so that neither chance nor the order of shots
    has a part.
    """
    mean = (weights[:, None] * vectors).sum(0) / weights.sum()
    start = [int((vectors - mean).square().sum(1).argmin())]
    nearest = (vectors - vectors[start[0]]).square().sum(1)
    while len(start) < count:
        start.append(int((nearest * weights).argmax()))
        nearest = torch.minimum(nearest, (vectors - vectors[start[-1]]).square().sum(1))
    centres = vectors[start].clone()
    groups = torch.cdist(vectors, centres).argmin(1)
    for _ in range(_STEPS):
        shares = torch.nn.functional.one_hot(groups, count).to(vectors) * weights[:, None]
        mass = shares.sum(0)
        means = (shares.t() @ vectors) / mass.clamp_min(1e-12)[:, None]
        centres = torch.where((mass > 0)[:, None], means, centres)
        groups = torch.cdist(vectors, centres).argmin(1)
    return groups
