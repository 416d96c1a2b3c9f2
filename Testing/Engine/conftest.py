"""What the engine's tests share: a loaded engine and a small case, in memory and as files."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from small_cases import make_organ, write

from FewShotSegmentLib import Engine, Settings

# slices are so small here that threads would mostly wait for each other, 30 times as long on a busy machine
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def engine():
    """The bundled weights at half of the usual size or less: the same code in a quarter of the time."""
    return Engine.load("cpu", settings=Settings(long_side=96, window_size=64, refiner_size=48))


@pytest.fixture(scope="session")
def shared():
    """The folder with real images; skips where it is absent."""
    folder = Path(os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared"))
    if not (folder / "data").is_dir():
        pytest.skip("real images (shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def organ():
    return make_organ()


@pytest.fixture
def case(tmp_path, organ):
    """A volume and a labelmap with one annotated slice, as files."""
    annotation = np.zeros(organ.mask.shape, np.uint8)
    annotation[7] = organ.mask[7]
    return (
        write(tmp_path / "volume.nii.gz", organ.image),
        write(tmp_path / "annotation.nii.gz", annotation),
        tmp_path / "out.seg.nrrd",
    )
