"""Sequences of slices for the propagator: an annotated slice and what follows it, past the structure's end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .following import FollowSettings, follow
from .training_volume import TrainingVolume
from .transforms import SEQUENCE, STILL, TransformSettings, apply_transform, draw_transform

_TRANSFORMS = 5
"""Draws of a transform that leaves some of the annotated slice's mask on it."""


@dataclass(frozen=True)
class SequenceSettings:
    """What is drawn.

    Attributes:
        steps: least and most slices from one image of the sequence to the next.
        past_end: at most this share of the images lies past the structure's end, where a draw can be found that does.
        ending: chance that a sequence shows the structure's end, as far as one can be found. Left to chance it is
            rare, and to run on past the end is what a propagator does wrong most.
        least: share of the slice's pixels that a structure must cover on the annotated slice, where one does.
        transforms: one draw for all images.
        flip: chance that the images are mirrored left to right. Up and down have a chance of one half each.
        follow: what counts as the same structure on the next slice.
        attempts: draws, of which the one with the most known masks is taken.
    """

    steps: tuple[int, int] = (1, 3)
    past_end: float = 0.5
    ending: float = 0.4
    least: float = 0.001
    transforms: TransformSettings = SEQUENCE
    flip: float = 0.5
    follow: FollowSettings = field(default_factory=FollowSettings)
    attempts: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise InputError(f"The steps run from {self.steps[0]} to {self.steps[1]} slices; 1 or more are needed.")
        if not all(0 <= s <= 1 for s in (self.past_end, self.ending, self.least, self.flip)) or self.attempts < 1:
            raise InputError("Shares and chances of sequences lie between 0 and 1, and there is at least 1 attempt.")


SEQUENCES = SequenceSettings()


class SliceSequence(NamedTuple):
    """Slices outwards from the annotated one.

    Attributes:
        images: float32 [D, h, w].
        masks: float32 [D, h, w], 0 or 1; empty past the structure's end, and where not known.
        support: place of the annotated slice: 0.
        known: bool [D], whether the mask says the truth; a loss must leave out the others. All are where the volume has
            supervoxels; a 2D superpixel may be lost on the way.
    """

    images: Tensor
    masks: Tensor
    support: int
    known: Tensor


def sequence(
    volume: TrainingVolume, rng: np.random.Generator, length: int, settings: SequenceSettings = SEQUENCES
) -> SliceSequence:
    """Follow a superpixel outwards from a slice.

    Args:
        volume: with superpixels (2D, or better supervoxels).
        rng: the only source of randomness.
        length: images wanted, D.
        settings: steps, transforms and chances.

    Raises:
        InputError: the volume has fewer slices than `length` at the smallest step, no superpixels, or `length` is
            below 2.
    """
    n = len(volume.slices)
    if length < 2:
        raise InputError(f"A sequence needs at least 2 slices, not {length}.")
    if (length - 1) * settings.steps[0] >= n:
        raise InputError(
            f"{volume.name} has {n} slices, too few for a sequence of {length} at steps of {settings.steps[0]}; "
            "use shorter sequences or leave it out."
        )
    volume.next_with_superpixels(0)  # raises where there is none
    ends = bool(rng.random() < settings.ending)
    best = _draw_track(volume, rng, length, settings, ends)
    for _ in range(settings.attempts - 1):
        if best.score == (True, True, length):
            break
        best = max(best, _draw_track(volume, rng, length, settings, ends), key=lambda track: track.score)
    slices = volume.slices[best.indices]
    for attempt in range(_TRANSFORMS + 1):
        transforms = settings.transforms if attempt < _TRANSFORMS else STILL  # which moves no mask out of the slice
        images, masks = apply_transform(draw_transform(rng, transforms, volume.size), slices, best.masks)
        if bool(masks[0].any()):
            break
    if rng.random() < settings.flip:
        images, masks = images.flip(-1), masks.flip(-1)
    return SliceSequence(images, masks, 0, best.known)


class _Track(NamedTuple):
    """A structure on the slices of a sequence, before its transform; `score` is the better the higher."""

    indices: list[int]
    masks: Tensor
    known: Tensor
    score: tuple[bool, bool, int]


def _draw_track(
    volume: TrainingVolume, rng: np.random.Generator, length: int, settings: SequenceSettings, ends: bool
) -> _Track:
    """Slices of a sequence that fits into the volume, and a superpixel followed along it slice by slice."""
    n = len(volume.slices)
    step = int(rng.integers(settings.steps[0], min(settings.steps[1], (n - 1) // (length - 1)) + 1))
    way = 1 if rng.random() < 0.5 else -1
    span = step * (length - 1)
    fits = _starts(volume, span, way)
    if not len(fits):
        step, span = settings.steps[0], settings.steps[0] * (length - 1)
        fits = _starts(volume, span, way)
    if not len(fits):
        way, fits = -way, _starts(volume, span, -way)
    if not len(fits):
        raise InputError(
            f"{volume.name} has superpixels only on slices with too few others on either side for a sequence of "
            f"{length}; use shorter sequences or leave it out."
        )
    start = int(rng.choice(fits))
    superpixel = int(rng.choice(volume.ids_on(start, settings.least)))
    track = follow(volume, start, superpixel, way, span + 1, settings.follow)
    masks = torch.from_numpy(np.stack(track.masks[::step]))
    known = torch.arange(length) * step < track.known
    past = int((known & ~masks.flatten(1).any(1)).sum())
    indices = [start + way * step * place for place in range(length)]
    score = (past <= settings.past_end * length, past > 0 or not ends, int(known.sum()))
    return _Track(indices, masks, known, score)


def _starts(volume: TrainingVolume, span: int, way: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Slices with superpixels from which `span` further ones lie within the volume."""
    end = volume.usable + way * span
    return volume.usable[(end >= 0) & (end < len(volume.slices))]
