"""Residual networks at stride 8, with the key names of torchvision's.

He et al., “Deep residual learning”, CVPR 2016; dilated in the last two stages as in DeepLab v3 (Chen et al., 2017), so
that the map stays at stride 8: stage 3 begins at dilation 1 and goes on with 2, stage 4 begins at 2 and goes on with 4.
A 1 × 1 convolution without bias (`localconv`) brings the map to 256 channels, as in SSL-ALPNet and DSPNet, whose
weights fit `resnet101` as they are. torchvision refuses to dilate ResNet-18 and -34; there is no reason to, so here
both 3 × 3 convolutions of their blocks are dilated.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .base import FeatureEncoder, as_three_channels

_DEPTHS = {
    "resnet18": (False, (2, 2, 2, 2)),
    "resnet34": (False, (3, 4, 6, 3)),
    "resnet50": (True, (3, 4, 6, 3)),
    "resnet101": (True, (3, 4, 23, 3)),
}
"""Name → (bottleneck blocks?, blocks per stage)."""


def _conv3(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, dilation, dilation, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, dilation: int):
        super().__init__()
        self.conv1 = _conv3(in_channels, width, stride, dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3(width, width, 1, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] → [N, width, H/stride, W/stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 convolutions with a shortcut; stride and dilation are the middle one's."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, dilation: int):
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3(width, width, stride, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] → [N, 4 · width, H/stride, W/stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu(y, inplace=True)


class ResNetBackbone(nn.Module):
    """The network up to its last map: [N, 3, H, W] → [N, out_channels, ⌈H/8⌉, ⌈W/8⌉]."""

    def __init__(self, bottleneck: bool, depths: tuple[int, ...]):
        super().__init__()
        block: type[BasicBlock] | type[Bottleneck] = Bottleneck if bottleneck else BasicBlock
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        stages: list[nn.Sequential] = []
        # (width, stride and dilation of the first block, dilation of the others)
        plans = ((64, 1, 1, 1), (128, 2, 1, 1), (256, 1, 1, 2), (512, 1, 2, 4))
        for (width, stride, first, rest), depth in zip(plans, depths, strict=True):
            blocks: list[nn.Module] = [block(channels, width, stride, first)]
            channels = width * block.expansion
            blocks += [block(channels, width, 1, rest) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.out_channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] → [N, out_channels, ⌈H/8⌉, ⌈W/8⌉], not negative."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return x


class ResNetEncoder(FeatureEncoder):
    """ResNet-18, -34, -50 or -101 at stride 8, then a 1 × 1 convolution to `channels`."""

    stride = 8

    def __init__(self, name: str = "resnet101", channels: int = 256):
        super().__init__()
        self.channels = channels
        self.backbone = ResNetBackbone(*_DEPTHS[name])
        self.localconv = nn.Conv2d(self.backbone.out_channels, channels, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] → [N, channels, ⌈H/8⌉, ⌈W/8⌉]."""
        features: Tensor = self.localconv(self.backbone(as_three_channels(images)))
        return features
