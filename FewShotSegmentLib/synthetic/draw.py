"""Random numbers of one block of anatomies: on the device, and the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

T = TypeVar("T")


class Draw:
    """One seed's random numbers.

    Choices that decide about shapes of tensors are made on the host (numpy), all others where the tensors are; on
    another kind of device the same seed gives another anatomy.

    Attributes:
        device: where tensors are made.
        host: the generator of the host's choices.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.host = np.random.default_rng(seed)
        self._here = torch.Generator(self.device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Tensor of this shape, evenly between the bounds."""
        return torch.rand(shape, device=self.device, generator=self._here) * (high - low) + low

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Tensor of this shape, evenly on a log scale between the bounds."""
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Tensor of this shape, mean 0 and deviation 1."""
        return torch.randn(shape, device=self.device, generator=self._here)

    def chance(self, share: float, *shape: int) -> Tensor:
        """Bool tensor of this shape, true with this probability."""
        return torch.rand(shape, device=self.device, generator=self._here) < share

    def one_of(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self.host.integers(len(values)))]

    def number(self, low: float, high: float) -> float:
        """A number between the bounds, drawn on the host."""
        return float(self.host.uniform(low, high))

    def count(self, least: int, most: int) -> int:
        """A whole number, both bounds included, drawn on the host."""
        return int(self.host.integers(least, most + 1))

    def smooth(self, count: int, channels: int, shape: tuple[int, int, int], pixels: float, slices: float) -> Tensor:
        """Smooth noise, [count, channels, depth, height, width], deviation about 0.5.

        Args:
            count: volumes.
            channels: independent fields of each.
            shape: (depth, height, width).
            pixels: distance in the slice over which it changes.
            slices: distance across slices over which it changes.
        """
        nodes = [max(2, math.ceil(n / step) + 1) for n, step in zip(shape, (slices, pixels, pixels), strict=True)]
        coarse = self.normal(count, channels, *nodes)
        # in two steps: bilinear per node plane, then linear along z, which is several times cheaper than trilinear
        planes = F.interpolate(coarse.flatten(0, 2)[:, None], size=shape[1:], mode="bilinear", align_corners=True).view(
            count * channels, nodes[0], -1
        )
        weights = _linear_weights(nodes[0], shape[0]).to(self.device)
        return torch.matmul(weights, planes).view(count, channels, *shape)


def _linear_weights(nodes: int, depth: int) -> Tensor:
    """Weights of linear interpolation, [depth, nodes], first and last node on the first and last slice."""
    at = torch.linspace(0, nodes - 1, depth) if depth > 1 else torch.zeros(1)
    return (1 - (at[:, None] - torch.arange(nodes)[None]).abs()).clamp_min(0)
