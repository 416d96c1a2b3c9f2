r"""Labels carried from support to query by attention: what DSPNet's resemblance attention (RAN) could be.

.. math:: A_{qs} = \operatorname{softmax}_s\Big(\frac{\cos(f_q, f_s)}{\tau} - \frac{|x_q - x_s|^2}{2 r^2}\Big), \qquad
          a_q = \sum_s A_{qs} m_s

Without the temperature τ the published weights lie within e² of uniform; and it carries features, not labels (see
`attention`). The penalty on distance keeps the left kidney from being found in the right one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .similarity import unit

_SURE = 1e-4
"""Shares are kept this far from 0 and 1 before their log-odds are taken."""

_CHUNK = 2**20
"""Pairs of cells in work at once: one query of 32 × 32 cells, so that a CPU's cache holds them (4 MiB)."""


class LabelledCells(NamedTuple):
    """Cells of a support, of all shots together.

    Attributes:
        keys: features at unit length, [N, C].
        labels: share of each that the mask covers, 0 to 1, [N].
        places: rows and columns from the slice's centre, in cells, [N, 2].
        counts: logarithm of how many cells each stands for, [N].
    """

    keys: Tensor
    labels: Tensor
    places: Tensor
    counts: Tensor


def labelled_cells(features: Tensor, masks: Tensor) -> LabelledCells:
    """The cells to carry labels from.

    Where no cell of 2 × 2 touches the mask, their mean stands for all four: a third of the pairs of cells remain,
    and the head costs 5 % of an encoder pass in place of 15 %.

    Args:
        features: [S, C, h, w].
        masks: share of each cell that is foreground, [S, 1, h, w].
    """
    if min(masks.shape[-2:]) < 2:  # no room for 2 × 2
        cells = unit(features.permute(0, 2, 3, 1).flatten(0, 2), 1)
        everywhere = places(features).repeat(len(features), 1)
        return LabelledCells(cells, masks.flatten(), everywhere, torch.zeros_like(masks.flatten()))
    fine = torch.ones_like(masks, dtype=torch.bool)
    touched = F.max_pool2d(masks, 2)
    rows, columns = (2 * n for n in touched.shape[-2:])
    fine[..., :rows, :columns] = F.interpolate(touched, scale_factor=2.0, mode="nearest") > 0
    where = places(features).t().view(1, 2, *features.shape[-2:]).expand(len(features), -1, -1, -1)
    keep, merge = fine[:, 0], touched[:, 0] == 0
    coarse = [F.avg_pool2d(x, 2) for x in (features, masks, where)]
    parts = ((features, masks, where, keep, 1.0), (coarse[0], coarse[1], coarse[2], merge, 4.0))
    keys, labels, at, counts = [], [], [], []
    for feature, mask, place, chosen, stands_for in parts:
        keys.append(unit(feature.permute(0, 2, 3, 1)[chosen], 1))
        labels.append(mask[:, 0][chosen])
        at.append(place.permute(0, 2, 3, 1)[chosen])
        counts.append(torch.full_like(labels[-1], math.log(stands_for)))
    return LabelledCells(torch.cat(keys), torch.cat(labels), torch.cat(at), torch.cat(counts))


def places(features: Tensor) -> Tensor:
    """Rows and columns of a map's cells, from its centre: [N, C, h, w] → [h·w, 2]."""
    height, width = features.shape[-2:]
    rows = torch.arange(height, device=features.device) - (height - 1) / 2
    columns = torch.arange(width, device=features.device) - (width - 1) / 2
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).view(-1, 2).to(features)


def carry_labels(features: Tensor, support: LabelledCells, temperature: float, reach: float) -> Tensor:
    """Log-odds of the labels that attention carries to each cell, [Q, 1, h, w].

    Args:
        features: of the queries, [Q, C, h, w].
        support: from `labelled_cells`.
        temperature: τ.
        reach: r, as a share of the query's longer side; infinity for no penalty.
    """
    height, width = features.shape[-2:]
    cells = unit(features, 1).flatten(2).transpose(1, 2) / temperature
    scale = 1 / (2 * (reach * max(height, width)) ** 2)
    bias = support.counts.expand(height * width, -1)
    if scale:
        bias = bias - torch.cdist(places(features), support.places).square() * scale
    # zeros and ones are carried together with the product, which normalises the softmax as well
    values = torch.stack([support.labels, torch.ones_like(support.labels)], 1)
    step = max(1, _CHUNK // (height * width * len(support.keys))) if features.device.type == "cpu" else len(cells)
    carried = []
    for some in cells.split(max(1, step)):
        affinity = some @ support.keys.t() + bias
        sums = (affinity - affinity.amax(2, keepdim=True)).exp() @ values
        carried.append(sums[..., 0] / sums[..., 1])
    share = torch.cat(carried).view(-1, 1, height, width)
    return torch.logit(share, eps=_SURE)
