"""What fine-tuning is trained on: sequences from a few annotated slices, as the engine will meet them.

In use, a slice is found from an anchor that may be far and the slice before that is near. So a sequence goes from one
annotated slice to another over slices between them that nobody has drawn (they count in no loss, and what the network
makes of them is handed on), or over a bent copy of its last slice, which stands for that slice's neighbour and whose
mask is known. A slice alone is carried to bent copies of itself. Some steps are on generated anatomies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..episodes.transforms import STILL, TransformSettings, apply_transform, draw_transform
from ..training.batches import SequenceBatch
from ..training.seeds import seed_of
from ..training.settings import TrainSettings
from ..training.synthetic_source import SyntheticSource
from .cases import AnnotatedVolume
from .settings import FinetuneSettings

_ALL = TransformSettings(
    rotate=8, shift=8, zoom=(0.9, 1.1), alpha=150, sigma=20, gamma=(0.75, 1.35), bias=0.1, noise=0.03
)
"""One for all slices of a sequence."""

_NEIGHBOUR = TransformSettings(rotate=2, shift=2, zoom=(0.94, 1.06), alpha=220, sigma=20, gamma=(0.9, 1.1), noise=0.05)
"""From a slice to what its neighbour may look like: borders move by 2 pixels of 256 (a deviation), which leaves slices
of 7.7 mm an overlap as they have it, 0.8 to 0.85."""

_TRANSFORMS = 5
"""Draws of a transform that leaves some of the annotated slice's mask on it."""

_ITSELF = 0.25
"""Share of sequences from a slice to bent copies of itself."""

_OVER_SLICES = 0.5
"""Share of the others that walk over slices between."""

_BETWEEN = 2
"""Slices between that are walked over at most."""

_OWN_PRIOR = 0.6
"""Share of slices from which the network's own mask is handed on, not the true one."""

_REHEARSED_SIZE = 160


@dataclass(frozen=True)
class _Structure:
    """One segment in one volume: masks [h, w] of its slices as the network sees them, by index."""

    volume: AnnotatedVolume
    segment: str
    masks: dict[int, Tensor]
    filled: list[int]


class _Chain(NamedTuple):
    """A sequence before its transform: the support first; images, masks [T+1, h, w] and known [T+1]."""

    images: Tensor
    masks: Tensor
    known: Tensor


class AnnotatedSlices:
    """Parts of batches from annotated slices; the same (step, part) gives the same bits.

    Args:
        volumes: annotated; nothing of their `hidden` slices is ever used.
        settings: shares.
        seed: of this training.
    """

    def __init__(self, volumes: Sequence[AnnotatedVolume], settings: FinetuneSettings, seed: int):
        self._settings = settings
        self._seed = seed
        self._structures = [s for volume in volumes for s in _structures(volume)]
        self._synthetic: SyntheticSource | None = None
        if settings.rehearsal:
            long_side = max(max(volume.grid.size) for volume in volumes)
            rehearsed = TrainSettings(
                size=max(32, min(_REHEARSED_SIZE, long_side // 16 * 16)), per_part=1, length=(2, 3), seed=seed
            )
            self._synthetic = SyntheticSource(rehearsed, torch.device("cpu"))

    def part(self, step: int, part: int) -> SequenceBatch:
        """Part `part` of the batch of step `step`."""
        rng = np.random.default_rng(seed_of(self._seed, "finetune", step, part))
        if self._synthetic is not None and rng.random() < self._settings.rehearsal:
            return self._synthetic.part(step, part)
        here = self._structures[int(rng.integers(len(self._structures)))]
        others = [
            other
            for other in self._structures
            if other.segment == here.segment and other.volume.identity != here.volume.identity
        ]
        across = bool(others) and rng.random() < self._settings.other_volume
        if across:
            chain = _across(here, others[int(rng.integers(len(others)))], rng)
        elif len(here.masks) < 2 or rng.random() < _ITSELF:
            chain = _bent_copies(here, rng)
        else:
            chain = _to_another(here, rng)
        images, masks = _transformed(chain.images, chain.masks, rng)
        if not across and rng.random() < 0.5:
            images, masks = images.flip(-1), masks.flip(-1)
        own = torch.from_numpy(rng.random(len(images) - 1) < _OWN_PRIOR)
        return SequenceBatch(
            images[None, :1], masks[None, :1], images[None, 1:], masks[None, 1:], across, own, chain.known[None, 1:]
        )


def _structures(volume: AnnotatedVolume) -> list[_Structure]:
    """The segments of a volume that are drawn on at least one slice."""
    found = []
    for segment, anchors in volume.anchors.items():
        filled = volume.filled(segment)
        if filled:
            masks = {i: volume.grid.mask_to_grid(mask, torch.device("cpu"))[0, 0] for i, mask in anchors.items()}
            found.append(_Structure(volume, segment, masks, filled))
    return found


def _one_of(indices: Sequence[int], rng: np.random.Generator) -> int:
    return indices[int(rng.integers(len(indices)))]


def _bent_copies(here: _Structure, rng: np.random.Generator) -> _Chain:
    """A slice, and two copies that are bent one after the other."""
    index = _one_of(here.filled, rng)
    image, mask = here.volume.grid.slices[index][None], here.masks[index][None]
    images, masks = [image], [mask]
    for _ in range(2):
        image, mask = _neighbour(image, mask, rng)
        images.append(image)
        masks.append(mask)
    return _Chain(torch.cat(images), torch.cat(masks), torch.ones(3))


def _to_another(here: _Structure, rng: np.random.Generator) -> _Chain:
    """From a drawn slice to another annotated one, where the structure may be absent."""
    support = _one_of(here.filled, rng)
    query = _one_of([index for index in here.masks if index != support], rng)
    grid = here.volume.grid
    first, last = grid.slices[support][None], grid.slices[query][None]
    between = _between(here, support, query)
    if between and rng.random() < _OVER_SLICES:
        unknown = torch.zeros(len(between), *grid.size)
        images = torch.cat([first, grid.slices[between], last])
        masks = torch.cat([here.masks[support][None], unknown, here.masks[query][None]])
        return _Chain(images, masks, torch.tensor([1.0, *[0.0] * len(between), 1.0]))
    bent, drawn = _neighbour(last, here.masks[query][None], rng)
    images = torch.cat([first, bent, last])
    return _Chain(images, torch.cat([here.masks[support][None], drawn, here.masks[query][None]]), torch.ones(3))


def _between(here: _Structure, support: int, query: int) -> list[int]:
    """Some of the slices that lie between, in the order in which they are visited; none that is to judge."""
    step = 1 if query > support else -1
    inside = [i for i in range(support + step, query, step) if i not in here.volume.hidden and i not in here.masks]
    # the last ones: a prior is handed on between neighbours
    return inside[-_BETWEEN:]


def _across(here: _Structure, there: _Structure, rng: np.random.Generator) -> _Chain:
    """From a slice of one volume to two of another."""
    support = _one_of(here.filled, rng)
    queries = [_one_of(list(there.masks), rng) for _ in range(2)]
    size = there.volume.grid.size
    first = _to_size(here.volume.grid.slices[support][None], size)
    images = torch.cat([first, there.volume.grid.slices[queries]])
    masks = torch.cat([_to_size(here.masks[support][None], size), *(there.masks[q][None] for q in queries)])
    return _Chain(images, masks, torch.ones(3))


def _to_size(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[n, h, w] cut, or filled up with zeros (the mean), evenly at both sides."""
    missing = [wanted - own for wanted, own in zip(size, images.shape[1:], strict=True)]
    (top, left), (rows, columns) = (m // 2 for m in missing), missing
    return F.pad(images, (left, columns - left, top, rows - top))


def _neighbour(image: Tensor, mask: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """[1, h, w] as its neighbour may look."""
    return apply_transform(draw_transform(rng, _NEIGHBOUR, (image.shape[1], image.shape[2])), image, mask)


def _transformed(images: Tensor, masks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One transform for all, which leaves some of the support's mask on the slice."""
    size = images.shape[1], images.shape[2]
    for _ in range(_TRANSFORMS):
        moved, drawn = apply_transform(draw_transform(rng, _ALL, size), images, masks)
        if bool(drawn[0].any()):
            return moved, drawn
    # not rounded, as masks are in use: a structure of less than a pixel would be rounded away
    return apply_transform(draw_transform(rng, STILL, size), images, masks)[0], masks
