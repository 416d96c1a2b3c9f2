"""Preprocessing: what the network sees, the same way for every volume."""

import numpy as np
import pytest
import torch
from small_cases import make_organ

from FewShotSegmentLib import InputError, Settings
from FewShotSegmentLib.preprocessing import guess_modality, normalise

SETTINGS = Settings(long_side=64)


def test_zero_mean_unit_deviation_square_pixels():
    image = make_organ((9, 40, 50)).image
    volume = normalise(image, (1.0, 1.0), "mr", SETTINGS)
    assert volume.slices.shape == (9, 48, 64)
    assert abs(float(volume.slices.mean())) < 1e-4
    assert abs(float(volume.slices.std()) - 1) < 1e-3


def test_thick_rows_are_stretched_to_square_pixels():
    volume = normalise(make_organ((5, 16, 64)).image, (4.0, 1.0), "mr", SETTINGS)
    assert volume.slices.shape[1:] == (64, 64)


def test_same_as_the_prototype_did():
    """`infer.py` of the prototype: quantile clip, bilinear resampling, z-score over the volume."""
    image = make_organ((6, 70, 90)).image
    v = torch.from_numpy(image.astype(np.float32))
    low, high = torch.quantile(v.flatten(), torch.tensor([0.005, 0.995]))
    size = (round(70 * 64 / 90 / 16) * 16, 64)
    x = torch.nn.functional.interpolate(
        v.clamp(low, high)[:, None], size=size, mode="bilinear", align_corners=False, antialias=True
    )
    x = (x - x.mean()) / (x.std() + 1e-5)
    torch.testing.assert_close(normalise(image, (1, 1), "mr", SETTINGS).slices, x[:, 0], rtol=1e-4, atol=1e-4)


def test_ct_window_hides_what_lies_outside_it():
    image = make_organ().image
    other = image.copy()
    other[0, 0, 0], other[0, 0, 1] = 3000, -1024
    image[0, 0, 0], image[0, 0, 1] = 240, -160
    a, b = (normalise(i, (1, 1), "ct", SETTINGS).slices for i in (image, other))
    torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_volume_is_not_changed_and_views_give_the_same():
    image = make_organ().image
    before = image.copy()
    along = normalise(np.moveaxis(image, 2, 0), (1, 1), "mr", SETTINGS).slices
    copy = normalise(np.ascontiguousarray(np.moveaxis(image, 2, 0)), (1, 1), "mr", SETTINGS).slices
    np.testing.assert_array_equal(image, before)
    torch.testing.assert_close(along, copy, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_any_type_of_voxel(kind):
    image = make_organ().image
    image = (image - image.min()) // 2
    expected = normalise(image, (1, 1), "mr", SETTINGS).slices
    torch.testing.assert_close(normalise(image.astype(kind), (1, 1), "mr", SETTINGS).slices, expected, rtol=0, atol=0)


def test_no_contrast_and_no_number():
    with pytest.raises(InputError, match="same value everywhere"):
        normalise(np.full((4, 20, 20), 7, np.int16), (1, 1), "mr", SETTINGS)
    with pytest.raises(InputError, match="no contrast within the soft-tissue window"):
        normalise(np.random.default_rng(0).integers(1000, 2000, (4, 20, 20)), (1, 1), "ct", SETTINGS)
    holey = make_organ().image.astype(np.float32)
    holey[2, 3, 4] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        normalise(holey, (1, 1), "mr", SETTINGS)


def test_a_small_bright_structure_in_an_empty_volume_is_contrast():
    image = np.zeros((4, 64, 64), np.int16)
    image[2, 30:33, 30:33] = 500
    assert float(normalise(image, (1, 1), "mr", SETTINGS).slices.max()) > 1


def test_modality_from_values():
    assert guess_modality(np.array([-1000, 40, 300], np.int16)) == "ct"
    assert guess_modality(np.array([0, 40, 3000], np.int16)) == "mr"
    assert guess_modality(np.array([-3.1, 0.2, 5.0])) == "mr"
