"""The refiner: corrects a mask that registration has moved to the next slice, and says whether the structure is there.

It sees a window around the structure, not the slice: the image; the slice before and the anchor, both moved onto it by
registration; and their masks, moved likewise. What it has to learn is small: where the border really is, and when the
structure has ended. So it is small (0.6 million parameters), fast, and trained on a CPU within the hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .blocks import ResidualBlock, resize_like

_IMAGE_CHANNELS = 5
"""The image, its differences from the slice before and from the anchor, and the two masks."""

_NUMBERS = 3
"""Distance, step and area."""

_FARTHEST = 6.0
"""Diameters; what is farther counts as so far, so that no number is larger than in training."""


class Moved(NamedTuple):
    """What is known of N windows before the refiner has looked at them, float32.

    Attributes:
        image: the slice, [N, 1, h, w]; mean 0 and deviation 1 over the anchor's window, like the next two.
        before: the slice before, moved onto it, [N, 1, h, w].
        anchor: the annotated slice, moved onto it, [N, 1, h, w].
        mask: mask of the slice before, moved, [N, 1, h, w], 0 to 1.
        anchor_mask: mask of the annotated slice, moved, [N, 1, h, w], 0 to 1.
        distance: from the anchor, in diameters of a disc of its area, [N].
        step: from the slice before, in the same unit, [N].
        area: area of the mask before it was moved, as a share of the anchor's, [N].
    """

    image: Tensor
    before: Tensor
    anchor: Tensor
    mask: Tensor
    anchor_mask: Tensor
    distance: Tensor
    step: Tensor
    area: Tensor


class Refiner(nn.Module):
    """A U-Net of four levels with residual blocks (Ronneberger et al., MICCAI 2015).

    Args:
        channels: of the levels, finest first.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96)):
        super().__init__()
        self.stem = nn.Conv2d(_IMAGE_CHANNELS + _NUMBERS, channels[0], 3, 1, 1)
        self.down = nn.ModuleList()
        for level, width in enumerate(channels):
            before = channels[max(0, level - 1)]
            self.down.append(ResidualBlock(before, width, 1 if level == 0 else 2))
        self.bottom = ResidualBlock(channels[-1], channels[-1])
        self.up = nn.ModuleList(
            ResidualBlock(channels[level + 1] + channels[level], channels[level]) for level in range(len(channels) - 1)
        )
        self.to_logits = nn.Conv2d(channels[0], 1, 1)
        self.to_presence = nn.Sequential(nn.Linear(2 * channels[-1] + _NUMBERS, 64), nn.ReLU(), nn.Linear(64, 1))
        # logits of the moved mask before anything is learned: ±4, so that a new network hands it on as it is
        self.trust = nn.Parameter(torch.tensor(4.0))

    def forward(self, moved: Moved) -> tuple[Tensor, Tensor]:
        """Logits of the mask, [N, 1, h, w], and of the structure's presence on the slice, [N].

        h and w must be multiples of 8: the coarsest level has an eighth of them. A window's answer does not depend on
        the others in the batch.
        """
        numbers = torch.stack(
            [moved.distance.clamp(max=_FARTHEST) / 2, moved.step * 4, moved.area.clamp(0.02, 4).log()], 1
        )
        planes = numbers[:, :, None, None].expand(-1, -1, *moved.image.shape[-2:])
        images = [moved.image, moved.image - moved.before, moved.image - moved.anchor]
        x = self.stem(torch.cat([*images, moved.mask, moved.anchor_mask, planes], 1))
        levels = []
        for block in self.down:
            x = block(x)
            levels.append(x)
        x = self.bottom(x)
        # features where the structure should be; those of the whole window where its mask is empty
        weights = resize_like(moved.mask, x) + 1e-3
        inside = (x * weights).sum((2, 3)) / weights.sum((2, 3))
        presence = self.to_presence(torch.cat([inside, x.mean((2, 3)), numbers], 1))[:, 0]
        for block, level in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            x = block(torch.cat([resize_like(x, level), level], 1))
        return self.to_logits(x) + self.trust * (2 * moved.mask - 1), presence
