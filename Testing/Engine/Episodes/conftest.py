"""Small volumes whose structures are known exactly."""

import numpy as np
import pytest
import torch

from FewShotSegmentLib.episodes import TrainingVolume


def volume_of(labels, dimensions=3, name="small", modality="ct", seed=0):
    """A volume in which every superpixel has its own grey value."""
    noise = np.random.default_rng(seed).normal(0, 0.05, labels.shape)
    slices = (labels * 0.9 - 1 + noise).astype(np.float32)
    slices = (slices - slices.mean()) / slices.std()
    return TrainingVolume(
        name, modality, torch.from_numpy(slices), torch.from_numpy(labels.astype(np.int32)), (5.0, 1.0, 1.0), dimensions
    )


@pytest.fixture
def blocks():
    """[10, 48, 64]: supervoxel 1 on slices 0 to 9, 2 on slices 3 to 6."""
    labels = np.zeros((10, 48, 64), np.int32)
    labels[:, 8:24, 8:28] = 1
    labels[3:7, 26:42, 32:56] = 2
    return labels


@pytest.fixture
def volume(blocks):
    return volume_of(blocks)


@pytest.fixture
def make_volume():
    return volume_of
