"""CHAOS: each PNG belongs to the DICOM slice of its name, whatever order positions have."""

import numpy as np
import pytest
import SimpleITK as sitk

from FewShotSegmentLib import InputError

GREY = np.array([0, 63, 126, 189, 252], np.uint8)


def png(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(picture), str(path))


@pytest.fixture
def patient(tmp_path, write_slice):
    """Writes a patient's folder; the files are numbered from the head down, against the axis."""

    def put(number="1", place="Train_Sets/MR", names="IMG-0002-{:05}", ground="IMG-0002-{:05}"):
        folder = tmp_path / place / number / "T2SPIR"
        rng = np.random.default_rng(int(number))
        image = rng.integers(0, 900, (11, 6, 8)).astype(np.uint16)
        labels = rng.integers(0, 5, image.shape)
        for z in range(len(image)):
            name = len(image) - z
            # each file with a series of its own, as after some anonymisers
            write_slice(folder / "DICOM_anon" / (names.format(name) + ".dcm"), image[z], 50 + 7.7 * z, f"1.2.3.{z + 1}")
            png(folder / "Ground" / (ground.format(name) + ".png"), GREY[labels[z]])
        return folder, image, labels

    return put


@pytest.mark.parametrize("place", ["Train_Sets/MR", "MR", "", "CHAOS_Train_Sets/Train_Sets/MR"])
@pytest.mark.parametrize("ground", ["IMG-0002-{:05}", "other_{}"])
def test_a_patient(cases, patient, place, ground):
    _, image, labels = patient(place=place, ground=ground)
    (case,), notes = cases("chaos")
    assert (case.name, case.patient, case.modality, case.group, notes) == ("chaos_1", "1", "mr", "", [])
    assert dict(case.organs) == {"liver": 1, "right kidney": 2, "left kidney": 3, "spleen": 4}
    scan = case.read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(scan.labels, labels)
    assert scan.geometry.spacing == pytest.approx((7.7, 1.25, 1.5))
    np.testing.assert_allclose(scan.geometry.ijk_to_lps[:3, 3], (-20, -15, 50))
    np.testing.assert_allclose(scan.geometry.ijk_to_lps[:3, 2], (0, 0, 7.7))


def test_patients_by_number(cases, patient):
    for number in ("10", "2", "39"):
        patient(number)
    found, _ = cases("chaos")
    assert [case.patient for case in found] == ["2", "10", "39"]


def test_grey_values_near_the_nominal_ones(cases, patient):
    folder, _, _ = patient()
    first = folder / "Ground" / "IMG-0002-00011.png"
    picture = np.zeros((6, 8), np.uint8)
    picture[0, :5] = 0, 70, 110, 200, 240
    png(first, picture)
    (case,), _ = cases("chaos")
    assert case.read().labels[0, 0].tolist() == [0, 1, 2, 3, 4, 0, 0, 0]
    picture[1, 1] = 90
    png(first, picture)
    with pytest.raises(InputError, match="IMG-0002-00011.png has the grey value 90, which stands for no organ"):
        case.read()


def test_what_is_missing(cases, patient):
    folder, _, _ = patient()
    (case,), _ = cases("chaos")
    (folder / "Ground" / "IMG-0002-00004.png").unlink()
    with pytest.raises(InputError, match="holds 11 DICOM files but 10 PNGs"):
        case.read()
    (folder / "DICOM_anon" / "IMG-0002-00004.dcm").unlink()
    with pytest.raises(InputError, match="not evenly spaced .* a slice may be missing"):
        case.read()
    for path in (folder / "Ground").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"There is no Ground/\*.png in .*T2SPIR; CHAOS .* wants Train_Sets/MR"):
        cases("chaos")


def test_damaged_files(cases, patient):
    folder, _, _ = patient()
    (case,), _ = cases("chaos")
    picture = folder / "Ground" / "IMG-0002-00004.png"
    png(picture, np.zeros((6, 9), np.uint8))
    with pytest.raises(InputError, match="not of the size of the DICOM slices"):
        case.read()
    picture.write_bytes(b"no png")
    with pytest.raises(InputError, match="IMG-0002-00004.png cannot be read"):
        case.read()
    (folder / "DICOM_anon" / "IMG-0002-00004.dcm").write_bytes(b"no dicom")
    with pytest.raises(InputError, match="IMG-0002-00004.dcm cannot be read"):
        case.read()
