"""Smooth random fields, drawn at the few frequencies that a Gaussian blur leaves over."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

_KEPT = 0.9999
"""Share of the variance that is kept; the frequencies beyond it would double the cost."""

_UNIFORM_DEVIATION = 3**-0.5
"""Of U(−1, 1), the noise that is blurred as published."""


def smooth_fields(rng: np.random.Generator, count: int, size: tuple[int, int], sigma: float) -> Tensor:
    """Noise U(−1, 1) after a Gaussian blur cut at two deviations, mirrored at the borders (as cv2 blurs it).

    The cosine transform of white noise is white noise, so the blurred field is drawn where it is small, at the few
    frequencies that pass. The values are normal, which a sum over some hundred uniform ones is as well.

    Args:
        rng: the only source of randomness.
        count: number of independent fields.
        size: h and w.
        sigma: of the blur, pixels.

    Returns:
        float32 [count, h, w], see `field_deviation`.
    """
    down, across = _basis(size[0], sigma), _basis(size[1], sigma)
    shape = (count, down.shape[1], across.shape[1])
    white = torch.from_numpy(rng.standard_normal(shape, np.float32)) * _UNIFORM_DEVIATION
    return torch.matmul(torch.matmul(down, white), across.T)


def field_deviation(size: tuple[int, int], sigma: float) -> float:
    """Deviation of a field over all pixels: 0.18 / sigma, and more where the mirror at the borders counts.

    Args:
        size: h and w.
        sigma: of the blur, pixels.
    """
    down, across = (float((_basis(n, sigma) ** 2).sum()) / n for n in size)
    return _UNIFORM_DEVIATION * math.sqrt(down * across)


@lru_cache(maxsize=64)
def _basis(n: int, sigma: float) -> Tensor:
    """[n, r]: the cosines (DCT-II, orthonormal) that pass the blur, each times what is left of it."""
    reach = max(1, int(2 * sigma))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    omega = np.pi * np.arange(n) / n
    passed = (kernel * np.cos(omega[:, None] * offsets)).sum(1)
    power = np.cumsum(passed**2)
    rank = int(np.searchsorted(power, _KEPT * power[-1])) + 1
    cosines = np.cos(omega[None, :rank] * (np.arange(n)[:, None] + 0.5)) * np.sqrt(2 / n)
    cosines[:, 0] = np.sqrt(1 / n)
    return torch.from_numpy((cosines * passed[:rank]).astype(np.float32))
