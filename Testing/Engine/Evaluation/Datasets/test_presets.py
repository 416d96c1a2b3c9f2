"""Published preprocessing: exact sizes, values and places."""

import pickle

import numpy as np
import pytest
from small_cases import direction, to_image

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.case import Scan
from FewShotSegmentLib.evaluation.datasets import names, presets
from FewShotSegmentLib.images import Geometry


def scan(image, labels=None, modality="ct", **geometry):
    labels = np.zeros(image.shape, np.uint8) if labels is None else labels
    return Scan(image, labels, Geometry.of_image(to_image(image, **geometry)), modality)


def world(geometry, z, y, x):
    return (geometry.ijk_to_lps @ (x, y, z, 1))[:3]


def test_sabs_of_a_slice_of_512():
    image = np.zeros((2, 512, 512), np.int16)
    image[:] = np.arange(512) * 2 - 500
    image[1, 0, 0] = 3000
    before = scan(image, spacing=(0.7, 0.7, 3.0), matrix=direction(oblique=True))
    after = presets.sabs(before)
    assert (after.image.shape, after.image.dtype, after.labels.shape) == ((2, 256, 256), np.float32, (2, 256, 256))
    assert after.spacing == pytest.approx((3.0, 1.225, 1.225))
    np.testing.assert_allclose(world(after.geometry, 1, 4, 8), world(before.geometry, 1, 32 + 7, 32 + 14), atol=1e-6)
    ramp = 2 * (32 + 1.75 * np.arange(256)) - 500
    # on a straight line wherever the window's corner is not between two old pixels
    sure = (np.abs(ramp + 125) > 2) & (np.abs(ramp - 275) > 2)
    expected = (np.clip(ramp, -125, 275) + 125) / 400 * 255
    np.testing.assert_allclose(after.image[0, 10, sure], expected[sure], atol=1e-3)
    assert (after.image.min(), after.image.max()) == (0.0, 255.0)


def test_sabs_stretches_each_volume_to_255():
    image = np.full((1, 100, 100), 25, np.int16)
    image[0, 50:] = 75
    after = presets.sabs(scan(image))
    # 36 pixels are left of 100, and int(36 / 1.75 + 1) = 21
    assert after.image.shape == (1, 21, 21)
    assert (after.image[0, 0, 0], after.image[0, 20, 0]) == (0.0, 255.0)
    assert not presets.sabs(scan(np.full((1, 100, 100), 25, np.int16))).image.any()


def test_sabs_labels():
    labels = np.zeros((1, 134, 134), np.uint8)
    labels[0, 32:67, 32:67] = 6
    labels[0, 67:102, 32:67] = 13
    after = presets.sabs(scan(np.zeros(labels.shape, np.int16), labels))
    # new pixel n lies on old 1.75 n: 6 has 0…34, 13 has 35…69, and the last of 41 is beyond the image
    assert after.labels.dtype == np.uint8
    assert after.labels[0, :, 0].tolist() == [6] * 20 + [13] * 20 + [0]
    assert after.labels[0, 0].tolist() == [6] * 20 + [0] * 21


def test_half_of_two_classes_is_neither():
    # rint makes 0 of one half: as in the published code
    labels = np.zeros((1, 100, 100), np.uint8)
    labels[0, :, :50] = 9
    labels[0, :, 50:] = 2
    after = presets.sabs(scan(np.zeros(labels.shape, np.int16), labels))
    # the tenth new pixel lies on old 49.5
    assert after.labels[0, 3].tolist() == [9] * 10 + [0] + [2] * 10


@pytest.mark.parametrize(("name", "thickness"), [("chaos", 7.7), ("cmr", 7.99)])
def test_mr_sizes_and_places(name, thickness):
    rng = np.random.default_rng(0)
    image = rng.integers(10, 1000, (3, 256, 200)).astype(np.uint16)
    before = scan(image, modality="mr", spacing=(1.5625, 1.25, 10.0), matrix=direction(oblique=True))
    after = presets.preset(name)(before)
    # z: int(3 × 10 / thickness + 1); y: int(256 + 1) = 257; x: int(200 × 1.25 + 1) = 251
    assert after.image.shape == after.labels.shape == (int(30 / thickness + 1), 256, 256)
    assert after.spacing == pytest.approx((thickness, 1.25, 1.25))
    # the middle 128 of 257 rows goes to 128; the middle 125 of 251 columns too, so that 3 are filled up before
    np.testing.assert_allclose(world(after.geometry, 0, 0, 3), world(before.geometry, 0, 0, 0), atol=1e-6)
    assert after.image[0, 0, 3] == image[0, 0, 0]
    assert after.image[0, 40, 3 + 5] == image[0, 40, 4]
    fill = after.image.min()
    assert (after.image[:, :, :3] == fill).all()
    assert (after.image[:, :, 254:] == fill).all()


def test_mr_clips_the_brightest():
    image = np.arange(1000, dtype=np.int16).reshape(1, 25, 40)
    after = presets.chaos(scan(image, modality="mr", spacing=(1.25, 1.25, 7.7)))
    top = float(np.percentile(image, 99.5))
    assert after.image.max() == pytest.approx(top) == 994.005
    # 26 × 41 rows and columns: middle 13 and 20 go to 128
    np.testing.assert_allclose(after.image[0, 115:140, 108:148], np.minimum(image[0], np.float32(top)))
    # the voxel beyond the image is 0, and so is the minimum that fills up
    assert after.image[1:].max(initial=0) == 0


def test_mr_labels_and_cropping():
    labels = np.zeros((2, 300, 300), np.uint16)
    labels[0, 100:200, 120:180] = 500
    labels[1, 0, 0] = 600
    after = presets.cmr(scan(labels.astype(np.float32), labels, "mr", spacing=(1.25, 1.25, 7.99)))
    # 301 rows: middle 150 goes to 128
    expected = np.zeros(after.labels.shape, np.uint16)
    expected[0, 78:178, 98:158] = 500
    np.testing.assert_array_equal(after.labels, expected)


def test_wrong_scans():
    image = np.zeros((1, 70, 70), np.int16)
    with pytest.raises(InputError, match="preset sabs is for CT, and the scan is MR"):
        presets.sabs(scan(image, modality="mr"))
    with pytest.raises(InputError, match="preset cmr is for MR, and the scan is CT"):
        presets.cmr(scan(image))
    with pytest.raises(InputError, match="cuts 32 pixels off each side"):
        presets.sabs(scan(image[:, :64]))
    with pytest.raises(InputError, match="no preset brats; there are sabs, chaos, cmr"):
        presets.preset("brats")


def test_a_prepared_case_travels(tmp_path, pair, cases):
    _, labels = pair("a_image.nii.gz", "a_labels.nii.gz", spacing=(1.25, 1.25, 7.7))
    entry = '{"case": "a", "modality": "MR", "labels": {"1": "liver"}, "group": "g"}'
    (tmp_path / "cases.json").write_text(f"[{entry}]")
    (case,), _ = cases("generic")
    ready = pickle.loads(pickle.dumps(presets.prepared(case, "chaos")))
    assert (ready.name, ready.group, ready.organs, ready.modality) == ("a", "g", {"liver": 1}, "mr")
    after = ready.read()
    # NIfTI keeps 7.7 as 7.6999998, so that nothing is added along z
    assert after.image.shape == (4, 256, 256)
    # middle 5 of 11 rows and 6 of 13 columns go to 128
    np.testing.assert_array_equal(ready.mask(after, "liver")[:, 123:133, 122:134], labels == 1)
    with pytest.raises(InputError, match="no preset brats"):
        presets.prepared(case, "brats")


def test_published_ones():
    assert presets.PUBLISHED == {"sabs": "sabs", "chaos": "chaos", "mscmr": "cmr"}
    assert set(presets.PUBLISHED) <= set(names())
    assert set(presets.PUBLISHED.values()) == set(presets.PRESETS)


def test_normalising():
    parts = [np.array([[[1, 2, 3, 4]]], np.int16), np.array([[[250.0, 252.0]]], np.float32)]
    mean, std = presets.training_statistics(parts)
    everything = np.array([1, 2, 3, 4, 250, 252], float)
    assert (mean, std) == (pytest.approx(everything.mean()), pytest.approx(everything.std()))
    np.testing.assert_allclose(presets.z_score(parts[0], mean, std), (parts[0] - mean) / std, rtol=1e-6)
    own = presets.z_score(parts[0])
    assert (own.dtype, float(own.mean()), float(own.std())) == (
        np.float32,
        pytest.approx(0, abs=1e-6),
        pytest.approx(1),
    )
    assert not presets.z_score(np.full((2, 2), 7)).any()
    with pytest.raises(InputError, match="no volume"):
        presets.training_statistics([])
