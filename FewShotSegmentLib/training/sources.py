"""Which material a network is trained on: synthetic, volumes, or parts of both by turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..episodes import Episode, TrainingVolume
from ..errors import InputError
from .batches import SequenceBatch
from .few_shot_task import EpisodeBatch
from .seeds import seed_of
from .settings import SEQUENCES, TrainSettings
from .synthetic_source import SyntheticSource
from .trainer import Source
from .volume_source import VolumeEpisodes, VolumeSequences
from .windows import WindowSource

_WHOLE_STRUCTURES: dict[str, Any] = {"regions": 0.03}
"""Regions come in scattered pieces; the refiner is for structures that a window can hold."""


def make_source(settings: TrainSettings, volumes: Sequence[TrainingVolume], device: torch.device) -> Source:
    """The source that the settings ask for.

    Args:
        settings: network, data and shares.
        volumes: those read; may be empty for synthetic data alone.
        device: where synthetic anatomies are made.

    Raises:
        InputError: volumes are asked for and there is none to use.
    """
    if settings.data != "synthetic" and not volumes:
        raise InputError("Training on volumes needs an image; name a folder of images, or use --data synthetic.")
    sequences = settings.network in SEQUENCES
    real: Any = None
    if settings.data != "synthetic":
        real = VolumeSequences(volumes, settings) if sequences else VolumeEpisodes(volumes, settings)
    made: Any = None
    if settings.data != "volumes":
        made = SyntheticSource(settings, device, **(_WHOLE_STRUCTURES if settings.network == "refiner" else {}))
        if not sequences:
            made = AsEpisodes(made)
    source: Any = made or real if made is None or real is None else ByTurns(made, real, settings)
    return WindowSource(source, settings) if settings.network == "refiner" else source


class ByTurns:
    """Parts of two sources, drawn by `volumes_share`."""

    def __init__(self, made: Source, real: Source, settings: TrainSettings):
        self._made, self._real, self._settings = made, real, settings

    def part(self, step: int, part: int) -> Any:
        """Part `part` of the batch of step `step`."""
        rng = np.random.default_rng(seed_of(self._settings.seed, "turn", step, part))
        source = self._real if rng.random() < self._settings.volumes_share else self._made
        return source.part(step, part)


class AsEpisodes:
    """Sequences as episodes for few-shot networks: the support, and the slices that have the structure or lack it."""

    def __init__(self, sequences: SyntheticSource):
        self._sequences = sequences

    def part(self, step: int, part: int) -> EpisodeBatch:
        """Part `part` of the batch of step `step`."""
        batch: SequenceBatch = self._sequences.part(step, part)
        return EpisodeBatch(
            Episode(
                batch.support_images[b, :, None],
                batch.support_masks[b],
                batch.images[b, :_MOST_QUERIES, None],
                batch.masks[b, :_MOST_QUERIES],
            )
            for b in range(batch.number)
        )


_MOST_QUERIES = 2
"""Queries of an episode; further slices of a sequence say little more about the same support."""
