"""What fine-tuning is trained on: windows along a few annotated slices, as the refiner will meet them.

In use, a mask is handed on from slice to slice, starting from an anchor. So a sequence walks from one annotated slice
to another over the slices between, which nobody has drawn (they count in no loss, and what the network makes of them is
handed on). A slice alone is carried to bent copies of itself. Some parts are of generated anatomies, where structures
end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..episodes.transforms import change_intensity
from ..settings import Settings
from ..training.seeds import seed_of
from ..training.settings import preset
from ..training.sources import make_source
from ..training.trainer import Source
from ..training.windows import WindowBatch
from .cases import AnnotatedVolume
from .settings import FinetuneSettings
from .windows import Walk, plan_walks, walk_windows

_ITSELF = 0.15
"""Share of walks to bent copies of the slice, where there are others."""

_WINDOWS = 3
"""Windows that a walk is seen through: as in use, and two others."""

_KEPT = 128
"""Registered walks that are kept; one takes up to 3 MB."""

_GAMMA = 0.15
"""Deviation of the logarithm of the exponent that grey values are bent by."""

_OWN_PRIOR = 0.8
"""Share of slices from which the network's own mask is handed on where the true one is known."""

_REHEARSED_SIZE = 128
"""Pixels of generated slices, as the refiner was trained with."""

_REHEARSED_WINDOWS = 4
"""Windows of a generated sequence, all of them known."""


class AnnotatedWindows:
    """Parts of batches from annotated slices, a sequence each; the same (step, part) gives the same bits.

    Args:
        volumes: annotated; nothing of their `hidden` slices is ever used.
        settings: share of generated anatomies.
        engine: how the engine looks at volumes.
        seed: of this training.
    """

    def __init__(self, volumes: Sequence[AnnotatedVolume], settings: FinetuneSettings, engine: Settings, seed: int):
        self._settings, self._engine, self._seed = settings, engine, seed
        self._structures = [
            (volume, segment, walks)
            for volume in volumes
            for segment in volume.anchors
            if (walks := plan_walks(volume, segment))
        ]
        self._kept: OrderedDict[tuple[int, Walk, int], WindowBatch] = OrderedDict()
        self._generated: Source | None = None
        if settings.rehearsal:
            generated = preset("refiner").changed(
                data="synthetic",
                parts=settings.sequences,
                per_part=1,
                size=_REHEARSED_SIZE,
                size_of_window=max(32, engine.refiner_size),
                windows=_REHEARSED_WINDOWS,
                seed=seed,
            )
            self._generated = make_source(generated, [], torch.device("cpu"))

    def part(self, step: int, part: int) -> WindowBatch:
        """Part `part` of the batch of step `step`."""
        rng = np.random.default_rng(seed_of(self._seed, "finetune", step, part))
        if self._generated is not None and rng.random() < self._settings.rehearsal:
            generated: WindowBatch = self._generated.part(step, part)  # type: ignore[assignment]
            return generated
        number = int(rng.integers(len(self._structures)))
        walks = self._structures[number][2]
        between = [walk for walk in walks if walk.slices]
        itself = [walk for walk in walks if not walk.slices]
        chosen = itself if not between or rng.random() < _ITSELF else between
        walk = chosen[int(rng.integers(len(chosen)))]
        batch = self._windows(number, walk, int(rng.integers(_WINDOWS)))
        return _varied(batch, rng)

    def _windows(self, number: int, walk: Walk, variant: int) -> WindowBatch:
        """Windows of a walk, made once: registration is the dearest part of a step."""
        key = number, walk, variant
        if key not in self._kept:
            volume, segment, _ = self._structures[number]
            rng = np.random.default_rng(seed_of(self._seed, "walk", number, walk.anchor, *walk.slices, variant))
            self._kept[key] = walk_windows(volume, segment, walk, self._engine, rng, as_in_use=variant == 0)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _varied(batch: WindowBatch, rng: np.random.Generator) -> WindowBatch:
    """The same with other grey values, mirrored and turned, and with masks handed on that are true or the network's."""
    images = change_intensity(torch.cat([batch.anchor_image, batch.images], 1), float(np.exp(rng.normal(0, _GAMMA))))
    first = images[:, :1]
    images = (images - first.mean()) / (first.std() + 1e-3)
    own = torch.from_numpy(rng.random(batch.images.shape[1]) < _OWN_PRIOR)
    batch = batch._replace(anchor_image=images[:, :1], start_image=images[:, :1], images=images[:, 1:], own_prior=own)
    columns, rows, turned = (bool(rng.random() < 0.5) for _ in range(3))
    return WindowBatch._make(
        _oriented(value, columns, rows, turned, "displacement" in name) if value.ndim > 2 else value
        for name, value in batch._asdict().items()
    )


def _oriented(x: Tensor, columns: bool, rows: bool, turned: bool, moves: bool) -> Tensor:
    """[…, h, w] mirrored along columns and rows, then transposed; `moves` for displacements, [… 2, h, w]."""
    sign = x.new_ones(2)
    if columns:
        x, sign[0] = x.flip(-1), -1
    if rows:
        x, sign[1] = x.flip(-2), -1
    if moves:
        x = x * sign.view(2, 1, 1)
    if turned:
        x = x.transpose(-1, -2)
        if moves:
            x = x.flip(-3)  # what went along columns goes along rows
    return x.contiguous()
