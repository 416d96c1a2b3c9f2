"""Another volume's grey values, so that one anatomy has the looks of another scan."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_STEPS = 65
"""Quantiles that the curve runs through: enough for smooth tissue peaks, few enough not to copy noise."""

_WAY = 0.5
"""How far values go towards the model's: all the way, a slice with less air than the model's gets mottled organs."""

_EVERY = 4
"""Pixels between those that the quantiles are taken of; 4000 of 256 × 256 place them within a hundredth."""


def like(images: Tensor, model: Tensor) -> Tensor:
    """Map values, in order, so that their distribution comes half way to a model's.

    Args:
        images: float32 [n, h, w]; one curve for all.
        model: float32 [h', w'].

    Returns:
        float32 [n, h, w]; an image without contrast comes back as it is.
    """
    levels = np.linspace(0, 1, _STEPS)
    own = np.quantile(images[:, ::_EVERY, ::_EVERY].numpy(), levels)
    wanted = np.quantile(model[::_EVERY, ::_EVERY].numpy(), levels)
    own, first = np.unique(own, return_index=True)  # a large background has many quantiles of one value
    if len(own) < 2:
        return images
    last = np.append(first[1:], _STEPS) - 1
    values = images.numpy().ravel()
    mapped = (1 - _WAY) * values + _WAY * np.interp(values, own, (wanted[first] + wanted[last]) / 2)
    return torch.from_numpy(mapped.astype(np.float32)).view(images.shape)
