"""A network, a task and a source so small that a step of training takes a millisecond."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from FewShotSegmentLib.episodes import TrainingVolume
from FewShotSegmentLib.training.propagator_task import Losses
from FewShotSegmentLib.training.seeds import seed_of
from FewShotSegmentLib.training.settings import TrainSettings

TINY = TrainSettings(
    iterations=12, per_part=4, size=32, learning_rate=0.01, warm_up=2, precision="float32", average=0.9, seed=5
)


class TinyBatch(NamedTuple):
    """Vectors and what is to be said of them."""

    x: torch.Tensor
    y: torch.Tensor

    @property
    def number(self):
        return len(self.x)

    @property
    def weight(self):
        return float(len(self.x))

    @property
    def slices(self):
        return len(self.x)

    def to(self, device):
        return TinyBatch(self.x.to(device), self.y.to(device))

    def pieces(self, number):
        number = min(number, self.number)
        return [TinyBatch(*both) for both in zip(self.x.tensor_split(number), self.y.tensor_split(number), strict=True)]


class TinyTask(nn.Module):
    """Two layers that learn a product."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, batch):
        errors = (self.network(batch.x)[:, 0] - batch.y).square()
        return Losses(errors.mean(), {"dice": errors.detach().mean()})


class TinySource:
    """Batches drawn from (step, part); `asked` is what was asked for."""

    def __init__(self, settings=TINY, spoiled=None):
        self.settings, self.spoiled, self.asked = settings, spoiled, []

    def part(self, step, part):
        self.asked.append((step, part))
        rng = np.random.default_rng(seed_of(self.settings.seed, "tiny", step, part))
        x = torch.from_numpy(rng.standard_normal((self.settings.per_part, 3))).float()
        if step == self.spoiled:
            x[0, 0] = torch.nan
        return TinyBatch(x, x[:, 0] * x[:, 1])


class Watch:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.rows, self.resumes, self.saved = [], [], []

    def resumed(self, step):
        self.resumes.append(step)

    def told(self, row):
        self.rows.append(row)

    def checkpoint(self, step, weights):
        self.saved.append(step)


def make_volume(name, seed, depth=9, modality="mr", size=64):
    """Five ellipsoids that begin and end, with supervoxels that are the truth."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(np.arange(depth), np.arange(size), np.arange(size), indexing="ij")
    labels = np.ones((depth, size, size), np.int32)
    for number in range(2, 7):
        cz, cy, cx = rng.uniform(0, depth), *rng.uniform(12, size - 12, 2)
        labels[((z - cz) / 3) ** 2 + ((y - cy) / 9) ** 2 + ((x - cx) / 9) ** 2 < 1] = number
    labels[:, :4] = 0
    labels = np.searchsorted(np.unique(labels), labels).astype(np.int32)
    image = labels + 0.2 * rng.standard_normal(labels.shape)
    image = (image - image.mean()) / image.std()
    return TrainingVolume(
        name, modality, torch.from_numpy(image).float(), torch.from_numpy(labels), (3.0, 1.0, 1.0), dimensions=3
    )
