"""What every feature encoder promises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class FeatureEncoder(nn.Module, ABC):
    """Images → one map of features: [N, 1 or 3, H, W] → [N, channels, ⌈H/stride⌉, ⌈W/stride⌉].

    Attributes:
        channels: channels of the feature map.
        stride: pixels of the image per cell of the feature map.
    """

    channels: int
    stride: int

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] → [N, channels, ⌈H/stride⌉, ⌈W/stride⌉]."""


def as_three_channels(images: Tensor) -> Tensor:
    """Grey images as the three equal channels that encoders expect: [N, 1 or 3, H, W] → [N, 3, H, W]."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
