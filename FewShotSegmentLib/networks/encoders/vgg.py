"""VGG-16 at stride 8, as few-shot networks use it (PANet: Wang et al., ICCV 2019).

Simonyan & Zisserman, ICLR 2015. The last two poolings are left out and the last three convolutions dilated by 2, so
that the map stays at stride 8. Layers keep torchvision's numbers: what it calls `features.N` is `backbone.N` here.
"""

from __future__ import annotations

from torch import Tensor, nn

from .base import FeatureEncoder, as_three_channels

_BLOCKS = ((64, 2, True, 1), (128, 2, True, 1), (256, 3, True, 1), (512, 3, False, 1), (512, 3, False, 2))
"""(channels, convolutions, pooled afterwards?, dilation) of each block."""


class VGGEncoder(FeatureEncoder):
    """VGG-16 without its classifier, then a 1 × 1 convolution to `channels`."""

    stride = 8

    def __init__(self, channels: int = 256):
        super().__init__()
        self.channels = channels
        layers: list[nn.Module] = []
        width = 3
        for out_channels, count, pooled, dilation in _BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(width, out_channels, 3, 1, dilation, dilation), nn.ReLU(inplace=True)]
                width = out_channels
            # the pooling that is left out keeps its number; ceil_mode, for ⌈H/8⌉ cells whatever the size
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True) if pooled else nn.Identity())
        self.backbone = nn.Sequential(*layers)
        self.localconv = nn.Conv2d(width, channels, 1, bias=False)
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] → [N, channels, ⌈H/8⌉, ⌈W/8⌉]."""
        features: Tensor = self.localconv(self.backbone(as_three_channels(images)))
        return features
