"""Building blocks shared by the networks: normalised convolutions with a residual path."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with at most 16 groups of at least 4 channels.

    Groups, not batches: a slice must not come out differently because of what else is in the batch.
    """
    return nn.GroupNorm(min(16, channels // 4), channels)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut: [N, in, H, W] → [N, out, H/stride, W/stride]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm_in = group_norm(out_channels)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm_out = group_norm(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels or stride != 1:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] → [N, out, H/stride, W/stride], not negative."""
        y = F.relu(self.norm_in(self.conv_in(x)), inplace=True)
        return F.relu(self.norm_out(self.conv_out(y)) + self.shortcut(x), inplace=True)


class Branch(nn.Module):
    """What one input contributes to a `MergeBlock`: its share of the first convolution and of the shortcut."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, in, H, W] → (convolution, shortcut), each [N, out, H, W]."""
        if x.shape[1] == 1:
            # a 1 × 1 convolution of one channel is a product, and there is no fast kernel for it
            return self.conv(x), x * self.shortcut.weight.view(1, -1, 1, 1)
        return self.conv(x), self.shortcut(x)


class MergeBlock(nn.Module):
    """A `ResidualBlock` over several inputs side by side, with each input's share computed on its own.

    A convolution of concatenated inputs is the sum of the convolutions of each. Apart, the share of the image (which is
    the same for every segment) is computed once per slice; and no convolution sees 49 or 97
    channels, which CPUs handle worse than 48 or 96 and 1.
    """

    def __init__(self, out_channels: int, **in_channels: int):
        super().__init__()
        self.branches = nn.ModuleDict({name: Branch(n, out_channels) for name, n in in_channels.items()})
        self.norm_in = group_norm(out_channels)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm_out = group_norm(out_channels)

    def share(self, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """Share of the input called `name`: [N, in, H, W] → (convolution, shortcut), each [N, out, H, W]."""
        out: tuple[Tensor, Tensor] = self.branches[name](x)
        return out

    def forward(self, shares: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Shares of all inputs → [N, out, H, W].

        Sums are made in place in the first share, which must therefore be a fresh one of the full N; in the others N
        may be 1 (it is broadcast).
        """
        conv, shortcut = shares[0]
        for more_conv, more_shortcut in shares[1:]:
            conv, shortcut = conv.add_(more_conv), shortcut.add_(more_shortcut)
        y = F.relu(self.norm_in(conv), inplace=True)
        return F.relu(self.norm_out(self.conv_out(y)) + shortcut, inplace=True)


class Encoder(nn.Module):
    """Pyramid of residual stages: [N, in, H, W] → one map per entry of `channels`, at strides 1, 2, 4, …"""

    def __init__(self, in_channels: int, channels: Sequence[int]):
        super().__init__()
        first = channels[0]
        self.stem = nn.Sequential(nn.Conv2d(in_channels, first, 3, 1, 1, bias=False), group_norm(first), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.Sequential(ResidualBlock(a, b, 2), ResidualBlock(b, b)) for a, b in pairwise(channels)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, in, H, W], H and W multiples of the coarsest stride → list of [N, channels[i], H/2^i, W/2^i]."""
        stem = self.stem(x)
        return [stem, *self.deepen(stem)]

    def deepen(self, stem: Tensor) -> list[Tensor]:
        """The levels after the first: [N, channels[0], H, W] → list of [N, channels[i], H/2^i, W/2^i], i ≥ 1."""
        levels = [stem]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels[1:]


def resize_like(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear resampling of [N, C, h, w] to the height and width of `like`."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def squared_distances(height: int, width: int, device: torch.device) -> Tensor:
    """Squared distances in cells between all pairs of cells of a grid, [H·W, H·W].

    Kept for the last few grids (4 MiB each at 32 × 32 cells): every slice of a volume asks for the same one. Made
    outside inference mode, since what is made within it could not serve a training later.
    """
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    cells = torch.stack([y.flatten(), x.flatten()], 1).float()
    return ((cells[:, None] - cells[None]) ** 2).sum(-1)
