r"""RAN: resemblance attention between support and query (DSPNet, Tang et al., MedIA 2025).

.. math::
   R_{ij} = \frac{\langle s_i, q_j\rangle}{|s_i||q_j| + 10^{-5}}, \quad A = \mathrm{softmax}_j(R), \quad
   \hat s_i = s_i + \sum_j A_{ij}\, s_j

Published code: the values are the SUPPORT's features read at the QUERY's positions j (q_j was probably meant), so both
maps must have the same grid; for other sizes the support is resampled to the query's grid here. The softmax has no
temperature: cosines lie in [-1, 1], so all weights are within e² of uniform, and what is added is nearly the
support's mean feature.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_EPS = 1e-5


def resemblance(support: Tensor, query: Tensor) -> Tensor:
    """Attention weights of every support cell over the query's cells.

    Args:
        support: [C, n], n cells.
        query: [Q, C, m], m cells.

    Returns:
        [Q, n, m], rows sum to 1.
    """
    floor = torch.full((), _EPS, device=query.device, dtype=query.dtype)
    lengths = torch.linalg.vector_norm(support, dim=0)[:, None], torch.linalg.vector_norm(query, dim=1)[:, None]
    cosines: Tensor = torch.matmul(support.t(), query) / torch.addcmul(floor, *lengths)
    return cosines.softmax(-1)


def values_on_grid(support: Tensor, size: tuple[int, int]) -> Tensor:
    """Support features [C, h, w] as values at the query's m cells [C, m]; unchanged where the grids agree."""
    if support.shape[-2:] != size:
        support = F.interpolate(support[None], size=size, mode="bilinear", align_corners=False)[0]
    return support.flatten(1)


def attend(support: Tensor, query: Tensor) -> Tensor:
    """The attended support itself: [C, h, w] and [Q, C, h', w'] → [Q, C, h, w].

    Says what is meant; `fspa` needs only products of it with few vectors, which are had without building it.
    """
    weights = resemblance(support.flatten(1), query.flatten(2))
    values = values_on_grid(support, (query.shape[-2], query.shape[-1]))
    return support + torch.matmul(values, weights.transpose(1, 2)).view(-1, *support.shape)
