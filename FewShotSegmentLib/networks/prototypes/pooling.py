r"""Masks on the feature grid and masked average pooling.

.. math:: p = \frac{\sum_i m_i f_i}{\sum_i m_i + 10^{-5}}

An empty mask gives a prototype of zeros.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SUM_FLOOR = 1e-5
"""What is added to a mask's sum before it is divided by; the published value."""


def masks_on_grid(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks sampled bilinearly on the feature grid: [S, H, W] → [S, 1, h, w].

    As published. At stride 8 this reads only the four pixels about each cell's centre: a mask that lies between centres
    vanishes.
    """
    return F.interpolate(masks[:, None], size=size, mode="bilinear", align_corners=False)


def coverage_on_grid(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Share of each cell that the mask covers: [S, H, W] → [S, 1, h, w]; no pixel of the mask is lost."""
    return F.interpolate(masks[:, None], size=size, mode="area")


def masked_average(features: Tensor, masks: Tensor) -> Tensor:
    """Mean feature under a soft mask: [S, C, h, w] and [S, 1, h, w] → [S, C]."""
    return (features * masks).sum((-1, -2)) / (masks.sum((-1, -2)) + SUM_FLOOR)
