"""The mask propagator: carries a mask from slices that are known to one that is not.

Four calls, in the order in which data flows through them::

    features = network.encode(images)                    # what the slice looks like; the same for every segment
    entry    = network.remember(images, features, masks) # what a slice with its mask is remembered as
    readout  = network.read(features, memory)            # what the memory says about every place of the slice
    logits   = network.decode(features, readout, prior)  # the mask, at full resolution

Matching in a memory of slices with masks follows space-time memory networks (Oh et al., ICCV 2019, eq. 1-2) with a
cosine affinity; a learned penalty on distance (`position`) keeps left and right twins apart. The decoder sees the image
at every stride down to 1 and the neighbouring slice's mask as a prior, since organ borders are finer than stride 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .blocks import Encoder, MergeBlock, ResidualBlock, resize_like, squared_distances

MATCH_STRIDE = 8
"""Stride at which slices are matched: 1024 places of a 256 × 256 slice."""

SIZE_MULTIPLE = 16
"""Height and width of an input must be multiples of the coarsest stride."""

_IMAGE_CHANNELS = (24, 48, 96, 192, 256)
_MASK_CHANNELS = (16, 32, 64, 128)
_KEY_CHANNELS = 64


class SliceFeatures(NamedTuple):
    """What the network knows of N slices, whatever the segment; made by `Propagator.encode`.

    Attributes:
        levels: image features at strides 1, 2, 4, 8, 16, each [N, C, H/s, W/s].
        key: unit vectors to match by, [N, 64, H/8, W/8].
        shares: the image's share of each decoder stage, coarse to fine (see `MergeBlock`).
        value_share: the image's share of what a slice is remembered as.
    """

    levels: tuple[Tensor, ...]
    key: Tensor
    shares: tuple[tuple[Tensor, Tensor], ...]
    value_share: tuple[Tensor, Tensor]


class MemoryEntry(NamedTuple):
    """One remembered slice with its mask; made by `Propagator.remember`.

    Attributes:
        key: unit vectors to match by, [N, 64, h, w] with h = H/8 and w = W/8.
        value: what is read at a match, [N, 128, h, w].
        coverage: share of each cell that the mask covers, [N, 1, h, w], 0 to 1.
    """

    key: Tensor
    value: Tensor
    coverage: Tensor


class Readout(NamedTuple):
    """What the memory says about each place of a slice: `value` [N, 128, h, w] and `coverage` [N, 1, h, w], 0 to 1."""

    value: Tensor
    coverage: Tensor


class Propagator(nn.Module):
    """Memory-matching mask propagator, 10.9 M parameters; see the module's docstring for the flow."""

    def __init__(self) -> None:
        super().__init__()
        c1, c2, c4, c8, c16 = _IMAGE_CHANNELS
        value = _MASK_CHANNELS[-1]
        self.image_encoder = Encoder(1, _IMAGE_CHANNELS)
        self.mask_encoder = Encoder(3, _MASK_CHANNELS)
        self.context = nn.Sequential(ResidualBlock(c16, c16), ResidualBlock(c16, c16))
        self.key = nn.Conv2d(c8, _KEY_CHANNELS, 1)
        self.position = nn.Parameter(torch.tensor(0.5))
        self.temperature = nn.Parameter(torch.tensor(10.0))
        self.value = MergeBlock(value, mask=value, image=c8)
        self.decode16 = MergeBlock(c16, image=c16, memory=value)
        self.decode8 = MergeBlock(c8, coarse=c16, image=c8, memory=value, coverage=1)
        self.decode4 = MergeBlock(c4, coarse=c8, image=c4, prior=1)
        self.decode2 = MergeBlock(c2, coarse=c4, image=c2, prior=1)
        self.decode1 = MergeBlock(c1, coarse=c2, image=c1, prior=1)
        self.to_logits = nn.Conv2d(c1, 1, 1)
        self.to_coarse_logits = nn.Conv2d(c8, 1, 1)

    def encode(self, images: Tensor) -> SliceFeatures:
        """Features of slices, whatever the segment.

        Args:
            images: [N, 1, H, W], zero mean and unit deviation; H and W multiples of 16.
        """
        return self.project(self.image_encoder(images))

    def project(self, levels: Sequence[Tensor]) -> SliceFeatures:
        """Features from the image pyramid (strides 1, 2, 4, 8, 16); the part of `encode` that is cheap to do again."""
        f1, f2, f4, f8, f16 = levels
        shares = (
            self.decode16.share("image", self.context(f16)),
            self.decode8.share("image", f8),
            self.decode4.share("image", f4),
            self.decode2.share("image", f2),
            self.decode1.share("image", f1),
        )
        return SliceFeatures(tuple(levels), F.normalize(self.key(f8), dim=1), shares, self.value.share("image", f8))

    def remember(self, images: Tensor, features: SliceFeatures, masks: Tensor) -> MemoryEntry:
        """Memory entry of slices with their masks.

        Args:
            images: [N or 1, 1, H, W] as given to `encode`.
            features: of the same slices.
            masks: [N, 1, H, W], 0 to 1; N segments of one slice share its features.
        """
        n = masks.shape[0]
        drawn = self.mask_encoder(torch.cat([images.expand(n, -1, -1, -1), masks, 1 - masks], 1))[-1]
        value = self.value([self.value.share("mask", drawn), features.value_share])
        return MemoryEntry(features.key.expand(n, -1, -1, -1), value, F.avg_pool2d(masks, MATCH_STRIDE))

    def read(self, features: SliceFeatures, memory: Sequence[MemoryEntry], locality: float = 1.0) -> Readout:
        """What the memory says about each place of a slice.

        Every cell takes the weighted mean of all remembered cells, weights = softmax(t · cosine − p · distance²).

        Args:
            features: of the query slices, N or 1.
            memory: entries of N segments; all are matched together.
            locality: factor on the distance penalty p: 1 between neighbours, near 0 where places need not agree.
        """
        n, _, h, w = memory[0].value.shape
        query = features.key.flatten(2).transpose(1, 2) * self.temperature
        penalty = squared_distances(h, w, query.device) * (F.softplus(self.position) * 0.05 * locality)
        affinity = query @ torch.cat([entry.key.flatten(2) for entry in memory], 2)
        # in place and all entries at once: at 32 × 32 cells an entry's affinities take 4 MiB
        affinity.view(-1, h * w, len(memory), h * w).sub_(penalty[:, None])
        weights = affinity.softmax(2).transpose(1, 2)
        content = torch.cat([torch.cat([e.value, e.coverage], 1).flatten(2) for e in memory], 2)
        out = (content @ weights).view(n, -1, h, w)
        return Readout(out[:, :-1], out[:, -1:])

    def decode(self, features: SliceFeatures, readout: Readout, prior: Tensor) -> tuple[Tensor, Tensor]:
        """The masks of slices.

        Args:
            features: of the query slices, N or 1.
            readout: what the memory says, N segments.
            prior: [N, 1, H, W], 0 to 1: the mask of the neighbouring slice, or zeros where there is none.

        Returns:
            Logits [N, 1, H, W], and coarse logits [N, 1, H/8, W/8] which training supervises too.
        """
        share16, share8, share4, share2, share1 = features.shares
        _, f2, f4, f8, f16 = features.levels
        y16 = self.decode16([self.decode16.share("memory", resize_like(readout.value, f16)), share16])
        y8 = self.decode8(
            [
                self.decode8.share("coarse", resize_like(y16, f8)),
                share8,
                self.decode8.share("memory", readout.value),
                self.decode8.share("coverage", readout.coverage),
            ]
        )
        y = self._refine(self.decode4, y8, share4, resize_like(prior, f4))
        y = self._refine(self.decode2, y, share2, resize_like(prior, f2))
        y = self._refine(self.decode1, y, share1, prior)
        return self.to_logits(y), self.to_coarse_logits(y8)

    @staticmethod
    def _refine(stage: MergeBlock, coarse: Tensor, image_share: tuple[Tensor, Tensor], prior: Tensor) -> Tensor:
        """One step to twice the resolution, guided by the image and by the prior at that resolution."""
        shares = [stage.share("coarse", resize_like(coarse, prior)), image_share, stage.share("prior", prior)]
        refined: Tensor = stage(shares)
        return refined
