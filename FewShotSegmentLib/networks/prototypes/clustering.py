r"""SPC: soft clustering of the mask's cells about seeds (DSPNet; after SLIC and Li et al., ASGNet, CVPR 2021).

.. math::
   D_{in} = \sqrt{|f_i - c_n|^2/100 + |x_i - x_n|^2/100}, \quad
   Q_{in} = \frac{e^{-D_{in}}}{\sum_i e^{-D_{in}}}, \quad c_n \leftarrow \sum_i Q_{in} f_i

ten times, over the cells i that lie wholly in the mask; places x move with the centres.

Published code: weights are normalised over cells and not over clusters, so clusters do not compete for cells and drift
to the same mean. It takes no gradient. Far from all cells it divides 0 by 0; a softmax over cells, the same otherwise,
does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

ITERATIONS = 10
_SCALE = 100.0


@torch.no_grad()
def soft_clusters(features: Tensor, mask: Tensor, seeds: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Centres of the clusters that start at the seeds.

    Args:
        features: [C, h, w].
        mask: [h, w]; cells that are exactly 1 count.
        seeds: rows and columns, int64 [n, 2].
        iterations: 10 as published.

    Returns:
        [n, C]; zeros if no cell is wholly in the mask.
    """
    h, w = mask.shape
    y, x = torch.meshgrid(
        torch.arange(h, device=features.device), torch.arange(w, device=features.device), indexing="ij"
    )
    points = torch.cat([features, y[None].to(features), x[None].to(features)])
    seeds = seeds.to(features.device)
    centres = points[:, seeds[:, 0], seeds[:, 1]].t()
    inside = points[:, mask == 1].t()
    for _ in range(iterations):
        distances = ((inside[:, None] - centres[None]) ** 2).sum(-1).div(_SCALE).sqrt()
        centres = (-distances).softmax(0).t() @ inside
    return centres[:, :-2]
