"""Superpixels of arrays: numbering, body, sizes, every method, every axis, repeatable, bad input."""

import numpy as np
import pytest
from superpixel_cases import SPACING, make_body

from FewShotSegmentLib import Cancelled, InputError
from FewShotSegmentLib.superpixels import SuperpixelSettings, body_mask, make_superpixels
from FewShotSegmentLib.superpixels.methods import _fill

ALL = [
    SuperpixelSettings(min_size=60),
    SuperpixelSettings(method="slic", min_size=60),
    SuperpixelSettings(method="quickshift", min_size=60, kernel_size=2, max_dist=6),
    SuperpixelSettings(dimensions=3, min_size_mm=2000),
    SuperpixelSettings(dimensions=3, method="slic", min_size_mm=2000),
]


def parts(found):
    return [found.labels] if found.settings.dimensions == 3 else list(np.moveaxis(found.labels, found.axis, 0))


@pytest.mark.parametrize("settings", ALL, ids=lambda s: f"{s.method}{s.dimensions}")
@pytest.mark.parametrize("axis", [0, 2])
def test_every_body_voxel_is_in_one_and_none_is_empty(body_ct, settings, axis):
    image = np.moveaxis(body_ct, 0, axis)
    spacing = np.moveaxis(np.array(SPACING), 0, 0)[[0, 1, 2] if axis == 0 else [1, 2, 0]]
    found = make_superpixels(image, spacing, "ct", settings, axis)
    assert found.labels.dtype == np.int32 and found.labels.shape == image.shape
    assert ((found.labels > 0) == found.body).all() and (found.body == body_mask(image, "ct", axis)).all()
    for part, count, sizes in zip(parts(found), found.counts, found.sizes(), strict=True):
        assert set(np.unique(part)) - {0} == set(range(1, count + 1))
        assert list(sizes) == [np.count_nonzero(part == n + 1) for n in range(count)]
    assert min(found.counts) > 3
    again = make_superpixels(image, spacing, "ct", settings, axis)
    assert (again.labels == found.labels).all()


@pytest.mark.parametrize("settings", ALL, ids=lambda s: f"{s.method}{s.dimensions}")
def test_they_keep_to_the_organs(body_ct, settings):
    found = make_superpixels(body_ct, SPACING, "ct", settings)
    organ = (np.abs(body_ct - 140) < 40) & found.body
    own = np.unique(np.where(organ[3], found.labels[3], 0))[1:]
    covered = [
        np.count_nonzero(organ[3] & (found.labels[3] == n)) / np.count_nonzero(found.labels[3] == n) for n in own
    ]
    best = np.array(own)[np.array(covered) > 0.8]
    assert np.isin(found.labels[3], best)[organ[3]].mean() > 0.75


def test_the_published_method_is_scikit_images(body_ct):
    from skimage.segmentation import felzenszwalb

    found = make_superpixels(body_ct, SPACING, "ct")
    grey = np.clip(body_ct.astype(float), -125, 275)
    grey = (grey - grey.min()) / np.ptp(grey) * 255
    for z in (0, 4):
        raw = felzenszwalb(grey[z], scale=1, sigma=1, min_size=400)
        pairs = set(zip(raw[found.body[z]].tolist(), found.labels[z][found.body[z]].tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == found.counts[z]


@pytest.mark.parametrize("settings", [s for s in ALL if (s.method, s.dimensions) != ("felzenszwalb", 2)], ids=repr)
def test_none_is_smaller_than_the_smallest(body_ct, settings):
    found = make_superpixels(body_ct, SPACING, "ct", settings)
    assert min(int(sizes.min()) for sizes in found.sizes()) >= settings.smallest(SPACING)


def test_a_size_in_mm_is_one_size_whatever_the_pixels(body_ct):
    settings = SuperpixelSettings(method="slic", min_size_mm=135)
    coarse = make_superpixels(body_ct, (4.0, 1.5, 1.5), "ct", settings)
    fine = make_superpixels(body_ct, (4.0, 0.75, 0.75), "ct", settings)
    assert min(s.min() for s in coarse.sizes()) >= 60 and min(s.min() for s in fine.sizes()) >= 240
    assert sum(coarse.counts) > 2 * sum(fine.counts)
    assert coarse.voxel_mm == 2.25


def test_the_number_of_segments_is_heeded(body_ct):
    few, many = (
        make_superpixels(body_ct, SPACING, "ct", SuperpixelSettings(method="slic", min_size=1, segments=n)).counts[2]
        for n in (5, 60)
    )
    assert 2 <= few <= 8 and 30 <= many <= 70


def test_progress_and_stopping(body_ct):
    said = []
    make_superpixels(body_ct, SPACING, "ct", progress=lambda *step: said.append(step))
    assert said == [(n + 1, 6) for n in range(6)]
    with pytest.raises(Cancelled):
        make_superpixels(body_ct, SPACING, "ct", cancelled=lambda: True)
    asked = iter([False] * 3 + [True] * 9)
    said.clear()
    with pytest.raises(Cancelled):
        make_superpixels(
            body_ct, SPACING, "ct", progress=lambda *step: said.append(step), cancelled=lambda: next(asked)
        )
    assert len(said) == 2


def test_slices_without_body_and_single_rows():
    image = make_body()
    image[2] = -1000
    found = make_superpixels(image, SPACING, "ct", SuperpixelSettings(min_size=60))
    assert found.counts[2] == 0 and not found.labels[2].any() and found.counts[3] > 3
    for settings in ALL:
        thin = make_superpixels(image[:, :1, :] + np.int16(900), SPACING, "ct", settings)
        assert ((thin.labels > 0) == thin.body).all() and thin.body.any()


def test_what_slic_leaves_out_goes_to_the_nearest():
    body = np.ones((4, 9), bool)
    found = np.zeros((4, 9), int)
    found[:, 1], found[:, 7] = 1, 2
    filled = _fill(found, body)
    assert (filled[:, :4] == 1).all() and (filled[:, 5:] == 2).all()
    assert (_fill(np.zeros((4, 9), int), body) == 1).all()


NAN = np.full((2, 8, 8), np.nan, np.float32)
BAD = [
    ((np.zeros((8, 8)), SPACING, "mr"), "3 dimensions"),
    ((np.zeros((0, 8, 8)), SPACING, "mr"), "3 dimensions"),
    ((NAN, SPACING, "mr"), "no numbers"),
    ((np.zeros((2, 8, 8)), SPACING, "mr"), "no contrast"),
    ((np.full((2, 8, 8), -1000), SPACING, "ct"), "no contrast between −125 and 275 HU"),
    ((np.zeros((2, 8, 8), complex), SPACING, "mr"), "real numbers"),
    ((np.zeros((2, 8, 8)), (1.0, 1.0), "mr"), "three lengths"),
    ((np.zeros((2, 8, 8)), (1.0, 0.0, 1.0), "mr"), "three lengths"),
    ((np.zeros((2, 8, 8)), SPACING, "pet"), "ct or mr"),
    ((np.zeros((2, 8, 8)), SPACING, "mr", None, 3), "axis must be"),
]


@pytest.mark.parametrize(("given", "words"), BAD)
def test_bad_input_is_said(given, words):
    with pytest.raises(InputError, match=words):
        make_superpixels(*given)


def test_a_missing_package_is_said(body_ct, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(InputError, match=r"need scipy; install it with “pip install 'fewshotsegment\[training\]'”"):
        make_superpixels(body_ct, SPACING, "ct")
