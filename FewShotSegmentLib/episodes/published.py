"""The published episode: one slice twice, under independent transforms."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError
from .episode import Episode
from .training_volume import TrainingVolume
from .transforms import PUBLISHED, TransformSettings, apply_transform, draw_transform

_ATTEMPTS = 20
"""A superpixel at the edge leaves the slice in some per cent of draws; so many in a row leave it only by mistake."""


def published_episode(
    volume: TrainingVolume,
    index: int,
    rng: np.random.Generator,
    transforms: TransformSettings = PUBLISHED,
    both_sides: bool = True,
    repeats: int = 2,
) -> Episode:
    """Segment a superpixel in a slice that differs from the support only by a transform.

    As published with SSL-ALPNet (GenericSuperDatasetv2.py): the slice and one of its superpixels are transformed
    `repeats` times, each independently; even ones are supports, odd ones queries. Not carried over: there the last
    superpixel is never drawn, and a slice with one superpixel fails. A superpixel that a transform moves out of the
    slice is drawn again.

    Args:
        volume: with superpixels.
        index: slice; the next one that has superpixels is taken where it has none (after the last comes the first).
        rng: the only source of randomness.
        transforms: ranges.
        both_sides: as in the published code. False leaves the supports as they are, as the paper may be read.
        repeats: supports and queries together, an even number.

    Returns:
        An episode of repeats / 2 supports and queries; no mask is empty.

    Raises:
        InputError: no such slice, or `repeats` is odd or below 2.
    """
    if repeats < 2 or repeats % 2:
        raise InputError(f"An episode needs as many supports as queries; {repeats} repeats cannot be shared evenly.")
    index = volume.next_with_superpixels(index)
    image = volume.slices[index][None]
    ids = volume.ids_on(index)
    for attempt in range(_ATTEMPTS + 1):
        mask = volume.superpixels[index][None] == int(ids[rng.integers(len(ids))])
        sides = []
        for number in range(repeats):
            moves = attempt < _ATTEMPTS and (both_sides or number % 2 == 1)
            if moves:
                sides.append(apply_transform(draw_transform(rng, transforms, volume.size), image, mask))
            else:
                sides.append((image.clone(), mask.float()))
        if all(bool(side_mask.any()) for _, side_mask in sides):
            break
    images, masks = (torch.cat(parts) for parts in zip(*sides, strict=True))
    return Episode(images[::2, None], masks[::2], images[1::2, None], masks[1::2])
