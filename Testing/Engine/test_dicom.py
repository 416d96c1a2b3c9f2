"""DICOM folders: read where they make a regular volume, refused with a reason where they do not."""

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import make_organ, write_series

from FewShotSegmentLib import InputError
from FewShotSegmentLib.images import read_volume


@pytest.fixture
def image():
    return make_organ((6, 20, 24)).image


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_series_is_a_volume(tmp_path, image, modality):
    volume = read_volume(write_series(tmp_path / "d", image, modality=modality))
    np.testing.assert_array_equal(volume.array, image)
    assert volume.geometry.spacing == pytest.approx((2.0, 0.8, 0.8))
    np.testing.assert_allclose(volume.geometry.ijk_to_lps[:3, 3], (-20, -15, 100))
    assert volume.modality == modality.lower()


def test_a_missing_slice(tmp_path, image):
    folder = write_series(tmp_path / "d", image)
    (folder / "a003.dcm").unlink()
    with pytest.raises(InputError, match="not evenly spaced: 4 mm after image 3, usually 2 mm; a slice may be missing"):
        read_volume(folder)


@pytest.mark.parametrize("name", ["a001.dcm", "a003.dcm", "a006.dcm"])
def test_a_damaged_slice_at_an_end_or_within(tmp_path, image, name):
    folder = write_series(tmp_path / "d", image)
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"{name} is damaged or not complete"):
        read_volume(folder)


def test_a_tilted_gantry(tmp_path, image):
    with pytest.raises(InputError, match="tilted gantry"):
        read_volume(write_series(tmp_path / "d", image, shift=0.5))


def test_two_series_must_be_chosen_from(tmp_path, image):
    folder = write_series(tmp_path / "d", image)
    write_series(folder, image + 1, uid="1.2.826.0.1.3680043.2.1125.2", prefix="b")
    with pytest.raises(InputError, match="holds 2 DICOM series; choose one with --series UID: .*series a, 6 images"):
        read_volume(folder)
    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    volumes = {int(read_volume(folder, uid).array[0, 0, 0]) for uid in uids}
    assert volumes == {int(image[0, 0, 0]), int(image[0, 0, 0]) + 1}
    with pytest.raises(InputError, match="no series 9.9"):
        read_volume(folder, "9.9")


def test_no_dicom_there(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match="no DICOM images in the folder"):
        read_volume(tmp_path)
