"""Supports and rewritten libraries, for the tests of the library."""

import hashlib

import numpy as np
from small_cases import direction, to_image

from FewShotSegmentLib.images import Geometry
from FewShotSegmentLib.preprocessing.intensity import IntensityScale
from FewShotSegmentLib.support import Support, SupportSlice, slice_geometry


def make_support(name="Leber größe 肝", seed=0, indices=(2, 5), source=None, shape=(9, 20, 24)):
    rng = np.random.default_rng(seed)
    image = rng.normal(40, 60, shape).astype(np.float32)
    grid = Geometry.of_image(to_image(image, spacing=(0.71, 0.83, 2.5), matrix=direction(oblique=True)))
    slices = []
    for index in indices:
        mask = np.zeros(shape[1:], bool)
        mask[4:12, 6 : 12 + index % 5] = True
        slices.append(SupportSlice(image[index], mask, slice_geometry(grid, 0, index), index, shape[0]))
    return Support(
        name=name,
        color=(0.86, 0.4, 0.31),
        fields={"ID": "S1", "Name": name, "Tags": "TerminologyEntry:a~b^ö|"},
        modality="ct",
        intensity=IntensityScale(-160.0, 240.0, 1 / 3, 61.7),
        slices=tuple(slices),
        volume_id=hashlib.sha256(image.tobytes()).hexdigest()[:16],
        source=source,
        added="2024-05-06",
    )


def assert_same(a, b):
    for key in ("name", "color", "fields", "modality", "intensity", "volume_id", "source", "added"):
        assert getattr(a, key) == getattr(b, key)
    assert len(a.slices) == len(b.slices)
    for mine, theirs in zip(a.slices, b.slices, strict=True):
        assert (mine.index, mine.count, mine.geometry.shape) == (theirs.index, theirs.count, theirs.geometry.shape)
        assert (mine.image.dtype, mine.mask.dtype) == (theirs.image.dtype, theirs.mask.dtype)
        np.testing.assert_array_equal(mine.image, theirs.image)
        np.testing.assert_array_equal(mine.mask, theirs.mask)
        np.testing.assert_array_equal(mine.geometry.ijk_to_lps, theirs.geometry.ijk_to_lps)
