r"""FSPA: foreground semantic prototype attention (DSPNet, Tang et al., MedIA 2025).

With the attended support :math:`\hat s` (see `attention`) and centres :math:`c_n` (see `clustering`),

.. math::
   W_n = \mathrm{softmax}_i \langle \hat s_i, c_n\rangle, \quad G_i = \sum_n W_n(i)\, c_n, \quad
   p = \frac{\sum_i m_i (s_i + G_i)}{\sum_i m_i + 10^{-5}}.

Without seeds, and always for the alignment loss, there is one centre, the masked average of :math:`\hat s`.

Published code: the product is a dot product and not a cosine; and since every W_n sums to 1 over ALL cells, what is
added to the masked average is at most n/|m| of a centre that is nearly parallel to it. It fails for several shots;
here each shot gives a prototype and these are averaged.

Only products of :math:`\hat s` with few vectors are needed, so the sum over j is taken of numbers and not of features:
:math:`\langle\hat s_i, c\rangle = \langle s_i, c\rangle + \sum_j A_{ij}\langle s_j, c\rangle`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .attention import resemblance, values_on_grid
from .pooling import SUM_FLOOR, masked_average

_MOST_WEIGHTS, _MOST_WEIGHTS_CPU = 1 << 25, 1 << 20
"""Attention weights held at once, 128 and 4 MiB: more queries than fit are taken in turns. A CPU is half as fast again
when the weights stay in its cache."""


class ForegroundMemory(NamedTuple):
    """What FSPA keeps of S shots.

    Attributes:
        features: [S, C, h, w].
        masks: [S, 1, h, w], 0 to 1.
        average: masked average of each shot, [S, C].
        centres: of each shot, [n, C] with n ≥ 1, or None where there were no seeds.
    """

    features: Tensor
    masks: Tensor
    average: Tensor
    centres: tuple[Tensor | None, ...]


def remember_foreground(features: Tensor, masks: Tensor, centres: tuple[Tensor | None, ...]) -> ForegroundMemory:
    """Memory of shots: features [S, C, h, w], masks [S, 1, h, w], centres as in `ForegroundMemory`."""
    return ForegroundMemory(features, masks, masked_average(features, masks), centres)


def foreground_prototypes(memory: ForegroundMemory, queries: Tensor) -> Tensor:
    """The foreground's prototype as each query sees it: [Q, C, h', w'] → [Q, C]."""
    cells = memory.masks[0].numel() * queries.shape[-2] * queries.shape[-1]
    most = _MOST_WEIGHTS_CPU if queries.device.type == "cpu" else _MOST_WEIGHTS
    chunks = queries.split(max(1, most // cells))
    return torch.cat([_prototypes(memory, chunk) for chunk in chunks])


def _prototypes(memory: ForegroundMemory, queries: Tensor) -> Tensor:
    """`foreground_prototypes` of queries that fit at once."""
    size = (queries.shape[-2], queries.shape[-1])
    flat = queries.flatten(2)
    shots = []
    for features, mask, average, fixed in zip(*memory, strict=True):
        cells = features.flatten(1)
        values = values_on_grid(features, size)
        weights = resemblance(cells, flat)
        share = mask.flatten() / (mask.sum() + SUM_FLOOR)
        centres = (average + torch.matmul(share, weights) @ values.t())[:, None] if fixed is None else fixed
        # [Q or nothing, n, cells] + [Q, n, cells]
        attended = torch.matmul(weights, torch.matmul(centres, values).transpose(-1, -2)).transpose(1, 2)
        gain = (torch.matmul(centres, cells) + attended).softmax(-1) @ share
        shots.append(average + (gain[..., None] * centres).sum(1))
    return torch.stack(shots).mean(0)
