"""The propagator's image encoder as a feature encoder: the only one whose weights come with the product so far."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...errors import InputError
from ..propagator import SIZE_MULTIPLE, Propagator
from .base import FeatureEncoder

_LEVEL = {4: 2, 8: 3}
"""Stride → place of its map in the pyramid."""


class PropagatorEncoder(FeatureEncoder):
    """Image pyramid of a `Propagator` (trained on synthetic anatomies), its stride 8 or strides 4 and 8 together.

    Args:
        propagator: whose encoder, shared and not copied; a new one with random weights by default.
        stride: 8 gives the pyramid's map of that stride (192 channels). 4 gives twice the resolution: the map at
            stride 4 beside the enlarged one at stride 8 (96 + 192 channels), each at unit length per cell, since the
            one's values are several times the other's.
    """

    def __init__(self, propagator: Propagator | None = None, stride: int = 8):
        super().__init__()
        if stride not in _LEVEL:
            raise InputError(f"The propagator's encoder has no stride {stride}; it has: 4, 8.")
        pyramid = (propagator or Propagator()).image_encoder
        self.stem = pyramid.stem
        # the coarsest stage serves the propagator's decoder only
        self.stages = pyramid.stages[: _LEVEL[8]]
        self.stride = stride
        self.channels = 192 if stride == 8 else 96 + 192

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] → [N, channels, ⌈H/stride⌉, ⌈W/stride⌉]; of three channels the mean counts."""
        height, width = images.shape[-2:]
        grey = images.mean(1, keepdim=True) if images.shape[1] == 3 else images
        more = (-width % SIZE_MULTIPLE, -height % SIZE_MULTIPLE)
        if any(more):
            grey = F.pad(grey, (0, more[0], 0, more[1]), mode="replicate")
        # on a CPU a third quicker than channels first
        level = self.stem(grey.contiguous(memory_format=torch.channels_last))
        levels = [level]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return self.from_levels(levels, (height, width))

    def from_levels(self, levels: list[Tensor], size: tuple[int, int]) -> Tensor:
        """The features from the pyramid's maps at strides 1, 2, 4, 8 of images of this height and width."""
        coarse = levels[_LEVEL[8]]
        if self.stride == 4:
            fine = F.normalize(levels[_LEVEL[4]], dim=1)
            larger = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
            coarse = torch.cat([fine, F.normalize(larger, dim=1)], 1)
        rows, columns = (-(-n // self.stride) for n in size)
        return coarse[..., :rows, :columns]
