"""Slicer's own tools: in their process where slicer-core is installed, and what they are given."""

import importlib.util
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation.method import Within
from FewShotSegmentLib.evaluation.methods import slicer_effects, slicer_process
from FewShotSegmentLib.evaluation.methods.slicer_effects import FillBetweenSlices, GrowFromSeeds
from FewShotSegmentLib.evaluation.methods.slicer_process import SlicerProcess

installed = pytest.mark.skipif(not importlib.util.find_spec("slicer"), reason="slicer-core is not installed")


class Faked:
    """Keeps what it is given; fills and grows everything."""

    def start(self):
        pass

    def fill(self, labels):
        self.labels = labels
        return np.ones_like(labels)

    def grow(self, image, painted, spacing):
        self.image, self.painted, self.spacing = image, painted, spacing
        return np.where(painted == 2, 2, 1).astype(np.uint8)


@pytest.fixture
def faked(monkeypatch):
    process = Faked()
    monkeypatch.setattr(slicer_effects, "PROCESS", process)
    return process


@pytest.fixture
def block(make_volume):
    """(volume, mask): a bright block on slices 1 to 5 of 7."""
    mask = np.zeros((7, 24, 26), bool)
    mask[1:6, 6:16, 8:18] = True
    return make_volume(np.where(mask, 700, -300).astype(np.int16), "ct"), mask


def test_grow_is_given_seeds_as_a_user_paints_them(faked, recipe, block):
    volume, mask = block
    ends = {0: np.zeros(mask.shape[1:], bool), 6: mask[3]}
    GrowFromSeeds(recipe("grow", "within")).within(Within(volume, {3: mask[3]}, None, ends))
    painted = faked.painted
    assert (painted[0] == 2).all()
    assert painted[6, 10, 10] == painted[6, 3, 10] == 0  # the organ, and 3 pixels about it
    assert painted[6, 2, 10] == painted[6, 10, 4] == 2
    assert (painted[3] == 1).sum() == 100 and (painted[3] == 0).sum() == 40
    assert not painted[[1, 2, 4, 5]].any()
    assert faked.spacing == (3.0, 1.0, 1.0)


def test_grow_takes_no_organ_on_the_ends_where_nothing_is_said(faked, recipe, block):
    volume, mask = block
    GrowFromSeeds(recipe("grow", "within")).within(Within(volume, {3: mask[3]}))
    assert (faked.painted[[0, 6]] == 2).all()


def test_grow_sees_unclipped_whole_numbers(faked, recipe, block, make_volume):
    volume, mask = block
    grow = GrowFromSeeds(recipe("grow", "within"))
    grow.within(Within(volume, {3: mask[3]}))
    assert (faked.image.dtype, faked.image.min(), faked.image.max()) == (np.int16, -300, 700)
    for image, expected in (
        (volume.image.astype(np.float64), np.int16),
        (volume.image.astype(np.int32) * 1000, np.int32),
        (volume.image / np.float32(1000), np.float32),
    ):
        grow.within(Within(make_volume(image), {3: mask[3]}))
        assert faked.image.dtype == expected
        assert faked.image.max() == image.max()


def test_anchors_and_range_are_kept(faked, recipe, block):
    volume, mask = block
    nothing = np.zeros(mask.shape[1:], bool)
    question = Within(volume, {2: mask[2], 4: mask[4], 5: nothing}, (2, 5))
    for method in (GrowFromSeeds(recipe("grow", "within")), FillBetweenSlices(recipe("fill", "within"))):
        found = method.within(question).mask
        assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [2, 3, 4]
        assert (found[2] == mask[2]).all() and (found[4] == mask[4]).all()
        assert found[3].all()


def test_one_annotated_slice_is_all_that_fill_has(faked, recipe, block):
    volume, mask = block
    found = FillBetweenSlices(recipe("fill", "within")).within(Within(volume, {3: mask[3]})).mask
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [3]
    assert (found[3] == mask[3]).all()
    assert not hasattr(faked, "labels")


def test_grow_without_a_seed_says_so(faked, recipe, block):
    volume, mask = block
    answer = GrowFromSeeds(recipe("grow", "within")).within(Within(volume, {3: np.zeros_like(mask[3])}))
    assert not answer.mask.any()
    assert "nothing can grow" in answer.note


def test_a_process_without_slicer_is_a_sentence(monkeypatch):
    monkeypatch.setattr(slicer_process, "ProcessPoolExecutor", lambda *arguments: Broken())
    with pytest.raises(InputError, match="need the package slicer-core"):
        SlicerProcess().start()


@installed
def test_slicers_own_filters(recipe, block):
    volume, mask = block
    grown = GrowFromSeeds(recipe("grow", "within")).within(Within(volume, {3: mask[3]})).mask
    assert (grown == mask).all()
    ends = {1: mask[1], 5: np.roll(mask[5], 4, axis=1)}
    filled = FillBetweenSlices(recipe("fill", "within")).within(Within(volume, ends)).mask
    assert np.flatnonzero(filled.any(axis=(1, 2))).tolist() == [1, 2, 3, 4, 5]
    assert (filled[1] == ends[1]).all() and (filled[5] == ends[5]).all()
    # halfway, the block has moved by 2 of 4 pixels
    assert np.count_nonzero(filled[3] ^ np.roll(mask[3], 2, axis=1)) <= 20


class Broken:
    """A pool whose process has died."""

    def submit(self, *arguments):
        raise BrokenProcessPool


def test_a_crash_is_a_sentence_and_another_process_follows():
    process = SlicerProcess()
    process._pool = Broken()
    with pytest.raises(InputError, match="ended unexpectedly"):
        process.fill(np.zeros((3, 8, 8), np.int16))
    assert process._pool is None
