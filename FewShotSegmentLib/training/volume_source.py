"""Sequences and episodes of real volumes, which nobody has labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..episodes import (
    Episode,
    SequenceSettings,
    TrainingVolume,
    VolumetricSettings,
    published_episode,
    sequence,
    two_patients_episode,
    volumetric_episode,
)
from ..errors import InputError
from ..synthetic import SyntheticSettings
from ..synthetic.draw import Draw
from ..synthetic.implant import implant
from .batches import SequenceBatch
from .few_shot_task import EpisodeBatch
from .seeds import seed_of
from .settings import TrainSettings
from .synthetic_source import OWN_PRIOR

_QUERIES = 2
"""Slices of the second patient, as many as a synthetic one has."""


_IMPLANTS = SyntheticSettings(radius=(0.03, 0.3))
"""Blobs as large as organs are in a window: 5 to 48 pixels of 160."""

_Row = tuple[Tensor, Tensor, Tensor]
"""A sequence: images and masks [T+1, size, size], known [T+1]."""


class VolumeSequences:
    """Parts of batches for the propagator; the same (step, part) gives the same bits.

    Args:
        volumes: with supervoxels (3D), whose ends are known.
        settings: sizes, shares and seed.

    Raises:
        InputError: no volume has enough slices for the shortest sequence.
    """

    def __init__(self, volumes: Sequence[TrainingVolume], settings: TrainSettings):
        self._settings = settings
        self._volumes = [v for v in volumes if len(v.slices) > settings.length[0] and len(v.usable)]
        if not self._volumes:
            raise InputError(
                f"No volume has the {settings.length[0] + 1} slices of the shortest sequence; "
                "train on larger volumes, or on synthetic anatomies alone."
            )

    def part(self, step: int, part: int) -> SequenceBatch:
        """Part `part` of the batch of step `step`."""
        settings = self._settings
        rng = np.random.default_rng(seed_of(settings.seed, "volumes", step, part))
        # of one modality, as often as it has volumes: what a grey value means differs between CT and MR
        modality = self._volumes[int(rng.integers(len(self._volumes)))].modality
        alike = [v for v in self._volumes if v.modality == modality]
        chosen = [alike[int(rng.integers(len(alike)))] for _ in range(settings.per_part)]
        if rng.random() < settings.other_patient:
            pairs = [two_patients_episode(v, rng, 1, _QUERIES, VolumetricSettings(absent=0.2)) for v in chosen]
            rows = [_row(e, settings.size, rng) for e in pairs]
            return _batch(rows, True, rng)
        shortest = min(len(v.slices) for v in chosen)
        length = min(int(rng.integers(settings.length[0], settings.length[1] + 1)), shortest - 1)
        drawn = [sequence(v, rng, length + 1, _sequence_settings(v, length + 1)) for v in chosen]
        rows = [(*_window(s.images, s.masks, settings.size, rng), s.known.float()) for s in drawn]
        if rng.random() < settings.implants:
            draw = Draw(seed_of(settings.seed, "implants", step, part))
            rows = [(*implant(draw, images, _IMPLANTS), torch.ones(length + 1)) for images, _, _ in rows]
        return _batch(rows, False, rng)


def _sequence_settings(volume: TrainingVolume, length: int) -> SequenceSettings:
    """Steps of up to 3 slices where the volume has so many."""
    return SequenceSettings(steps=(1, max(1, min(3, (len(volume.slices) - 1) // (length - 1)))))


def _row(episode: Episode, size: int, rng: np.random.Generator) -> _Row:
    """An episode of one support as a sequence."""
    images = torch.cat([episode.support_images[:, 0], episode.query_images[:, 0]])
    masks = torch.cat([episode.support_masks, episode.query_masks])
    return (*_window(images, masks, size, rng), torch.ones(len(images)))


def _batch(rows: Sequence[_Row], other_patient: bool, rng: np.random.Generator) -> SequenceBatch:
    """Sequences as one batch."""
    images, masks, known = (torch.stack([row[i] for row in rows]) for i in range(3))
    own = torch.from_numpy(rng.random(images.shape[1] - 1) < OWN_PRIOR)
    return SequenceBatch(images[:, :1], masks[:, :1], images[:, 1:], masks[:, 1:], other_patient, own, known[:, 1:])


def _window(images: Tensor, masks: Tensor, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A square of this size with a pixel of the first slice's structure, up to a quarter of its side off the middle.

    Slices that are smaller lie in the middle of zeros (an image's mean).
    """
    pixels = masks[0].nonzero()
    pixel = pixels[int(rng.integers(len(pixels)))].tolist()
    out = [x.new_zeros(len(x), size, size) for x in (images, masks)]
    here, there = [], []
    for length, place in zip(images.shape[1:], pixel, strict=True):
        middle = place + rng.uniform(-0.25, 0.25) * size
        start = round(min(max(middle - size / 2, 0), max(0, length - size)))
        shown, edge = min(length, size), (size - min(length, size)) // 2
        here.append(slice(start, start + shown))
        there.append(slice(edge, edge + shown))
    for new, old in zip(out, (images, masks), strict=True):
        new[:, there[0], there[1]] = old[:, here[0], here[1]]
    return out[0], out[1]


class VolumeEpisodes:
    """Parts of batches for few-shot networks; the same (step, part) gives the same bits.

    Args:
        volumes: with superpixels.
        settings: shares and seed, and whether episodes are the published ones.

    Raises:
        InputError: there is no volume.
    """

    def __init__(self, volumes: Sequence[TrainingVolume], settings: TrainSettings):
        self._settings = settings
        self._volumes = [v for v in volumes if len(v.usable)]
        if not self._volumes:
            raise InputError("No volume has a superpixel, so there is nothing to learn from; check the images.")
        self._slices = [(v, int(i)) for v in self._volumes for i in v.usable]

    def part(self, step: int, part: int) -> EpisodeBatch:
        """Part `part` of the batch of step `step`."""
        settings = self._settings
        rng = np.random.default_rng(seed_of(settings.seed, "episodes", step, part))
        return EpisodeBatch(self._episode(rng) for _ in range(settings.per_part))

    def _episode(self, rng: np.random.Generator) -> Episode:
        if self._settings.episodes == "published":
            volume, index = self._slices[int(rng.integers(len(self._slices)))]
            return published_episode(volume, index, rng)
        volume = self._volumes[int(rng.integers(len(self._volumes)))]
        if rng.random() < self._settings.other_patient:
            return two_patients_episode(volume, rng)
        return volumetric_episode(volume, rng)
