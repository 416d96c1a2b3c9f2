"""Sequences whose slices can be told apart, as sources of windows."""

from __future__ import annotations

import torch
from motion_cases import disc, textured
from torch import Tensor

from FewShotSegmentLib.training.batches import SequenceBatch
from FewShotSegmentLib.training.settings import TrainSettings
from FewShotSegmentLib.training.windows import REGISTRATION, WindowBatch, between_neighbours

CPU = torch.device("cpu")
SMALL = TrainSettings(
    network="refiner",
    data="synthetic",
    size=64,
    per_part=3,
    length=(3, 9),
    size_of_window=32,
    windows=4,
    other_patient=0.0,
    precision="float32",
    warm_up=0,
    iterations=10,
)
"""The refiner's settings in small."""


class Given:
    """A source that gives the same batch whatever is asked for."""

    def __init__(self, batch: SequenceBatch):
        self.batch = batch

    def part(self, step: int, part: int) -> SequenceBatch:
        return self.batch


def numbered(length: int, mask: Tensor) -> SequenceBatch:
    """Sequences in which slice n is the anchor plus n in grey value, counted from 1.

    Its own mask is handed on from every third slice, and every second one is known.

    Args:
        length: slices beside the anchor.
        mask: of the anchors [B, 1, H, W]; that of slice n is 1 - n / 20 as strong.
    """
    anchor = torch.cat([textured(*mask.shape[2:], seed) for seed in range(len(mask))])
    numbers = torch.arange(1, length + 1).float()
    known = (numbers % 2 == 1).float().expand(len(mask), -1)
    images = anchor + numbers.view(1, -1, 1, 1)
    masks = mask * (1 - numbers / 20).view(1, -1, 1, 1)
    return SequenceBatch(anchor, mask, images, masks, False, numbers % 3 == 1, known.clone())


def discs(count: int = 2, size: int = 64) -> Tensor:
    """Masks of discs [B, 1, H, W], 0 or 1."""
    drawn = [disc(size, size, size / 2 + 3 * n, size / 2 - 2 * n, size / 8 + n) for n in range(count)]
    return (torch.cat(drawn) > 0.5).float()


def led(count: int = 2, length: int = 3, size: int = 32, ends: int | None = None, farther: bool = False) -> WindowBatch:
    """Windows of discs that move by 1.5 pixels a slice and shrink, textured like their ground and brighter.

    Args:
        count: sequences.
        length: slices beside the anchor.
        size: pixels of the window's sides.
        ends: slices that have the structure; None for all.
        farther: begin with the second slice.
    """
    images, masks = [], []
    for b in range(count):
        ground = textured(size, size, b)
        for t in range(length + 1):
            there = ends is None or t <= ends
            mask = disc(size, size, size / 2 + 1.5 * t, size / 2 - b, 7 - 0.5 * t, soft=0.4) * there
            images.append(0.3 * ground + 2 * mask - 0.5)
            masks.append(mask)
    image, mask = (torch.cat(x, 1).view(count, length + 1, size, size) for x in (images, masks))
    distances = 0.2 * torch.arange(1, length + 1).float().expand(count, -1)
    moves = between_neighbours(image, REGISTRATION)
    distances = distances * (1 + torch.arange(count).float()[:, None])
    batch = WindowBatch(
        anchor_image=image[:, :1],
        anchor_mask=mask[:, :1],
        start_image=image[:, :1],
        start_mask=mask[:, :1],
        start_displacement=torch.zeros_like(moves[:, 0]),
        start_distance=torch.zeros(count),
        images=image[:, 1:],
        masks=mask[:, 1:],
        displacements=moves,
        distances=distances,
        own_prior=torch.ones(length, dtype=torch.bool),
        known=torch.ones(count, length),
    )
    return farther_out(batch) if farther else batch


def farther_out(batch: WindowBatch) -> WindowBatch:
    """The same sequences begun with their second slice, from the true mask of the first."""
    return batch._replace(
        start_image=batch.images[:, :1],
        start_mask=batch.masks[:, :1],
        start_displacement=batch.displacements[:, 0],
        start_distance=batch.distances[:, 0],
        images=batch.images[:, 1:],
        masks=batch.masks[:, 1:],
        displacements=batch.displacements[:, 1:],
        distances=batch.distances[:, 1:],
        own_prior=batch.own_prior[1:],
        known=batch.known[:, 1:],
    )
