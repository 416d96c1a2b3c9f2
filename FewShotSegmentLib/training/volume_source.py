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
from ..synthetic.draw import Draw
from ..synthetic.implant import implant
from .batches import SequenceBatch
from .few_shot_task import EpisodeBatch
from .seeds import seed_of
from .settings import TrainSettings
from .synthetic_source import OWN_PRIOR

_QUERIES = 2
"""Slices of the second patient, as many as a synthetic one has."""


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
        chosen = [self._volumes[int(rng.integers(len(self._volumes)))] for _ in range(settings.per_part)]
        if rng.random() < settings.other_patient:
            pairs = [two_patients_episode(v, rng, 1, _QUERIES, VolumetricSettings(absent=0.2)) for v in chosen]
            rows = [(torch.cat([e.support_images[:, 0], e.query_images[:, 0]]),
                     torch.cat([e.support_masks, e.query_masks]), torch.ones(_QUERIES + 1)) for e in pairs]  # fmt: skip
            return _batch(rows, settings.size, True, rng)
        shortest = min(len(v.slices) for v in chosen)
        length = min(int(rng.integers(settings.length[0], settings.length[1] + 1)), shortest - 1)
        drawn = [sequence(v, rng, length + 1, _sequence_settings(v, length + 1)) for v in chosen]
        rows = [(s.images, s.masks, s.known.float()) for s in drawn]
        if rng.random() < settings.implants:
            draw = Draw(seed_of(settings.seed, "implants", step, part))
            rows = [(*implant(draw, s.images), torch.ones(length + 1)) for s in drawn]
        return _batch(rows, settings.size, False, rng)


def _sequence_settings(volume: TrainingVolume, length: int) -> SequenceSettings:
    """Steps of up to 3 slices where the volume has so many."""
    return SequenceSettings(steps=(1, max(1, min(3, (len(volume.slices) - 1) // (length - 1)))))


def _batch(
    rows: Sequence[tuple[Tensor, Tensor, Tensor]], size: int, other_patient: bool, rng: np.random.Generator
) -> SequenceBatch:
    """Sequences (images and masks [T+1, h, w], known [T+1]) as one batch."""
    images, masks = (torch.stack([_on_square(row[i], size) for row in rows]) for i in (0, 1))
    known = torch.stack([row[2] for row in rows])
    own = torch.from_numpy(rng.random(images.shape[1] - 1) < OWN_PRIOR)
    return SequenceBatch(images[:, :1], masks[:, :1], images[:, 1:], masks[:, 1:], other_patient, own, known[:, 1:])


def _on_square(slices: Tensor, size: int) -> Tensor:
    """[n, h, w] in the middle of [n, size, size], zeros (an image's mean) around it."""
    height, width = slices.shape[-2:]
    top, left = (size - height) // 2, (size - width) // 2
    out = slices.new_zeros(len(slices), size, size)
    out[:, top : top + height, left : left + width] = slices
    return out


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
