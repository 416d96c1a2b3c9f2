"""Sequences of synthetic anatomies."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

import torch
from torch import Tensor

from ..synthetic import SyntheticBlock, SyntheticSettings, make_block
from ..synthetic.draw import Draw
from .batches import SequenceBatch
from .seeds import seed_of
from .settings import TrainSettings

OWN_PRIOR = 0.6
"""Share of slices from which the network's own mask is handed on: in use it is always so, but a network that starts
from nothing learns more from the true one."""

_LEAST_AREA = 25
"""Pixels of a structure on the support slice at 192 × 192; the smallest that a cell of stride 8 can tell."""

_MOST_SHARE = 0.3
"""Share of the slice that a structure may fill."""

_UNIONS = 0.12
"""Share of structures that are two labels together: organs need not be connected."""

_REGIONS = 0.2
"""How much less often a region is picked than a structure: regions come in pieces that appear and vanish."""

_ENDS = 3.0
"""How much likelier a structure is picked that ends within the sequence."""


class SyntheticSource:
    """Parts of batches from synthetic anatomies, made on a device; the same (step, part) gives the same bits."""

    def __init__(
        self,
        settings: TrainSettings,
        device: torch.device,
        anatomy: SyntheticSettings | None = None,
        regions: float = _REGIONS,
    ):
        """Make a source.

        Args:
            settings: sizes, shares and seed.
            device: where anatomies are made.
            anatomy: ranges; depth and size are set from `settings`.
            regions: how often a region is picked beside a structure.
        """
        self._regions = regions
        self._settings = settings
        self._device = device
        depth = settings.length[1] + 2
        self._anatomy = replace(anatomy or SyntheticSettings(), size=settings.size, depth=depth)
        self._blocks: OrderedDict[tuple[int, int], SyntheticBlock] = OrderedDict()
        self._lock = threading.Lock()

    def part(self, step: int, part: int) -> SequenceBatch:
        """Part `part` of the batch of step `step`."""
        settings = self._settings
        block = self._block((step + part) // settings.reuse, part)
        draw = Draw(seed_of(settings.seed, "sequence", step, part), self._device)
        if draw.number(0, 1) < settings.other_patient:
            return self._across_patients(block, draw)
        return self._along_slices(block, draw)

    def _block(self, number: int, part: int) -> SyntheticBlock:
        key = number, part
        with self._lock:
            if key not in self._blocks:
                seed = seed_of(self._settings.seed, "anatomy", number, part)
                self._blocks[key] = make_block(seed, self._settings.per_part, self._anatomy, self._device)
                while len(self._blocks) > self._settings.parts + 1:
                    self._blocks.popitem(last=False)
            return self._blocks[key]

    def _along_slices(self, block: SyntheticBlock, draw: Draw) -> SequenceBatch:
        length = draw.count(*self._settings.length)
        first = draw.count(0, block.images.shape[1] - 1 - length)
        images, labels = (x[:, first : first + length + 1] for x in (block.images, block.labels.long()))
        backwards = draw.chance(0.5, len(images)).view(-1, 1, 1, 1)
        images, labels = (torch.where(backwards, x.flip(1), x) for x in (images, labels))
        chosen = choose_structures(draw, labels[:, 0], labels[:, -1], block.structures, False, self._regions)
        masks = members(labels, chosen)
        own = draw.chance(OWN_PRIOR, length).cpu()
        known = torch.ones(len(images), length, device=images.device)
        return SequenceBatch(images[:, :1], masks[:, :1], images[:, 1:], masks[:, 1:], False, own, known)

    def _across_patients(self, block: SyntheticBlock, draw: Draw) -> SequenceBatch:
        here = draw.count(block.other_first, block.other_first + 1)
        support, other = block.labels[:, here : here + 1].long(), block.other_labels.long()
        # an absent structure must be possible here too
        must = draw.number(0, 1) < 0.8
        chosen = choose_structures(draw, support[:, 0], other[:, 0], block.structures, must)
        return SequenceBatch(
            block.images[:, here : here + 1],
            members(support, chosen),
            block.other_images,
            members(other, chosen),
            True,
            draw.chance(OWN_PRIOR, 2).cpu(),
            torch.ones(len(other), 2, device=other.device),
        )


def choose_structures(
    draw: Draw, labels: Tensor, other: Tensor, structures: int, must_be_there: bool, regions: float = _REGIONS
) -> Tensor:
    """A structure for each slice, with a look at another slice.

    Args:
        draw: random numbers.
        labels: int64 [B, H, W], the support slices.
        other: the same of the slices at the other end.
        structures: first label that is a structure; those below are regions, which are picked less often.
        must_be_there: prefer those that the other slice has; else those that end before are preferred.
        regions: how often a region is picked beside a structure.

    Returns:
        Two labels of each, [B, 2]; mostly the same one twice.
    """
    pixels = labels[0].numel()
    here, there = _areas(labels), _areas(other)
    least = _LEAST_AREA * pixels / 192**2
    possible = (here > least) & (here < _MOST_SHARE * pixels)
    possible[:, 0] = False
    if must_be_there:
        both = possible & (there > least)
        possible = torch.where(both.any(1, keepdim=True), both, possible)
    # the root: small structures are many, and large ones are what users draw
    weight = possible * here.sqrt()
    weight[:, :structures] *= regions
    if not must_be_there:
        weight = weight * torch.where(there > 0, 1.0, _ENDS)
    chosen = _draw_by_weight(draw, weight + 1e-6 * (here > 0), 2)
    joined = draw.chance(_UNIONS, len(labels)) & possible.gather(1, chosen[:, 1:])[:, 0]
    chosen[:, 1] = torch.where(joined, chosen[:, 1], chosen[:, 0])
    return chosen


def members(labels: Tensor, chosen: Tensor) -> Tensor:
    """Masks of the chosen labels: int64 [B, …] and [B, 2] → float [B, …], 0 or 1."""
    first, second = (chosen[:, i].view(-1, *[1] * (labels.ndim - 1)) for i in (0, 1))
    return ((labels == first) | (labels == second)).float()


def _areas(labels: Tensor) -> Tensor:
    """Pixels of each label, [B, 256]."""
    areas = torch.zeros(len(labels), 256, device=labels.device)
    ones = torch.ones(1, device=labels.device).expand(len(labels), labels[0].numel())
    return areas.scatter_add_(1, labels.flatten(1), ones)


def _draw_by_weight(draw: Draw, weight: Tensor, number: int) -> Tensor:
    """Without replacement, by exponential clocks: [B, K] → [B, number]."""
    clock = -draw.uniform(1e-7, 1.0, *weight.shape).log() / (weight + 1e-12)
    return clock.topk(number, 1, largest=False).indices
