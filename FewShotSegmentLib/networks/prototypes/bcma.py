r"""BCMA: background channel-structural multi-head attention (DSPNet, Tang et al., MedIA 2025).

X [C, N] holds N pooled cells as columns. Channels attend to channels, only to themselves and their two neighbours:

.. math:: H = \mathrm{softmax}_{row}(X X^T), \quad W = (1 + \alpha\, M \odot H) \odot T, \quad \hat X = W X

M is tridiagonal with ones, T is learned and starts as tridiagonal (w1, w2, w3); in the first and last row both have a
one on the diagonal only.

Published code: "neighbours" are channels of neighbouring INDEX, which mean nothing; rows of T sum to 1.4; prototypes
are so smoothed but the query's features are not; it is applied to the foreground's local prototypes too, though the
paper says background; the background's path has α = 0.2 as a literal. T (`cls_unit.cal`) hardly learns (learning rate
× 1e-4) and what it learned is never read back at test time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def tridiagonal(size: int, weights: tuple[float, float, float]) -> Tensor:
    """[size, size] with `weights` about the diagonal; first and last row have a one on the diagonal only."""
    matrix = torch.eye(size)
    inner = torch.arange(1, size - 1)
    for offset, weight in zip((-1, 0, 1), weights, strict=True):
        matrix[inner, inner + offset] = weight
    return matrix


class ChannelAttention(nn.Module):
    """BCMA with its learned matrix `cal` (T above)."""

    near: Tensor

    def __init__(self, channels: int, weights: tuple[float, float, float]):
        super().__init__()
        self.cal = nn.Parameter(tridiagonal(channels, weights))
        self.register_buffer("near", tridiagonal(channels, (1.0, 1.0, 1.0)), persistent=False)

    def forward(self, cells: Tensor, alpha: float, shots: int = 1) -> Tensor:
        """Regulated cells of all shots: [N, C] → [N, C].

        X Xᵀ is a sum over cells: its mean over shots is taken, so that the softmax is as sharp whatever their number.
        """
        heed = (cells.t() @ cells / shots).softmax(1)
        return cells @ ((1 + alpha * self.near * heed) * self.cal).t()
