"""Sunnybrook: contours become masks on the right image of the right phase."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.datasets.sunnybrook import polygon_mask

PHASES, PLACES, SHAPE = 5, 4, (16, 20)
ED, ES = 0, 2


def square(low, high):
    """Contour around pixels low…high − 1 in x and y."""
    a, b = low - 0.5, high - 0.5
    return f"{a} {a}\n{b} {a}\n{b} {b}\n{a} {b}\n"


def number(place, phase):
    return 1 + place * PHASES + phase


@pytest.fixture
def heart(tmp_path, write_slice):
    """A patient: phases 0 (large) and 2 (small) have contours, the base at systole has none."""

    def put(images="SCD_IMAGES_01/SCD0000101/CINESAX_300/IM-0003-{:04}.dcm", owner="SC-HF-I-01", table=True, skip=()):
        folder = tmp_path / "SCD_ManualContours" / owner / "contours-manual" / "IRCCI-expert"
        folder.mkdir(parents=True)
        for place in range(PLACES):
            for phase in range(PHASES):
                n = number(place, phase)
                # from base to apex, against the axis
                write_slice(tmp_path / images.format(n), np.full(SHAPE, n, np.int16), 100 - 8 * place, number=n)
        for place in (1, 2, 3):
            contour(folder, place, ED, "i", square(4, 10))
            contour(folder, place, ED, "o", square(3, 12))
        for place in (2, 3):
            contour(folder, place, ES, "i", square(5, 8))
        if table:
            (tmp_path / "scd_patientdata.csv").write_text("PatientID,OriginalID\nSCD0000101,SC-HF-I-1\n", "utf-8-sig")
        return folder

    return put


def contour(folder, place, phase, wall, text):
    (folder / f"IM-0001-{number(place, phase):04}-{wall}contour-manual.txt").write_text(text)


@pytest.mark.parametrize(
    ("images", "owner", "table"),
    [
        ("SCD_IMAGES_01/SCD0000101/CINESAX_300/IM-0003-{:04}.dcm", "SC-HF-I-01", True),
        ("challenge_training/SC-HF-I-1/IM-0004-{:04}.dcm", "SC-HF-I-01", False),
        ("dicoms/SCD0000101/{}.dcm", "SC-HF-I-1", True),
    ],
)
def test_both_phases(cases, heart, images, owner, table):
    heart(images, owner, table)
    found, notes = cases("sunnybrook")
    assert [(c.name, c.patient, c.modality) for c in found] == [
        ("SC-HF-I-1_ed", "SC-HF-I-1", "mr"),
        ("SC-HF-I-1_es", "SC-HF-I-1", "mr"),
    ]
    assert (dict(found[0].organs), notes) == ({"LV cavity": 1, "myocardium": 2}, [])
    diastole, systole = (case.read() for case in found)
    # the apex, the last place, lies lowest
    assert diastole.image[:, 0, 0].tolist() == [number(place, ED) for place in (3, 2, 1, 0)]
    assert systole.image[:, 0, 0].tolist() == [number(place, ES) for place in (3, 2, 1, 0)]
    cavity, wall = np.zeros((2, PLACES, *SHAPE), bool)
    cavity[:3, 4:10, 4:10] = True
    wall[:3, 3:12, 3:12] = True
    np.testing.assert_array_equal(found[0].mask(diastole, "LV cavity"), cavity)
    np.testing.assert_array_equal(found[0].mask(diastole, "myocardium"), wall & ~cavity)
    small = np.zeros((PLACES, *SHAPE), bool)
    small[:2, 5:8, 5:8] = True
    np.testing.assert_array_equal(found[1].mask(systole, "LV cavity"), small)
    assert not found[1].mask(systole, "myocardium").any()
    assert diastole.spacing == pytest.approx((8.0, 1.25, 1.5))
    np.testing.assert_allclose(diastole.geometry.ijk_to_lps[:3, 3], (-20, -15, 76))


def test_x_is_the_column():
    points = np.array([(1.5, 0.5), (4.5, 0.5), (4.5, 1.5), (1.5, 1.5)])
    assert np.argwhere(polygon_mask(points, (4, 6))).tolist() == [[1, 2], [1, 3], [1, 4]]


def test_a_slice_drawn_one_phase_off(cases, heart):
    folder = heart()
    for wall in "io":
        (folder / f"IM-0001-{number(1, ED):04}-{wall}contour-manual.txt").unlink()
    # the phase before the first one is the last one
    contour(folder, 1, PHASES - 1, "i", square(4, 9))
    found, _ = cases("sunnybrook")
    scan = found[0].read()
    assert scan.image[2, 0, 0] == number(1, PHASES - 1)
    assert [int((scan.labels[z] == 1).sum()) for z in range(PLACES)] == [36, 36, 25, 0]


def test_other_series_of_the_patient(tmp_path, cases, heart, write_slice):
    heart()
    for n in range(1, 30):
        path = tmp_path / f"SCD_IMAGES_01/SCD0000101/CINELAX_301/IM-0004-{n:04}.dcm"
        write_slice(path, np.zeros(SHAPE, np.int16), 5.0 * n, description="CINELAX")
    write_slice(tmp_path / "SCD_IMAGES_01/SCD0000201/CINESAX_1/IM-0001-0001.dcm", np.zeros(SHAPE, np.int16), 0)
    table = tmp_path / "scd_patientdata.csv"
    table.write_text(table.read_text("utf-8-sig") + "SCD0000201,SC-N-2\n", "utf-8-sig")
    found, notes = cases("sunnybrook")
    assert len(found) == 2
    assert found[0].read().image.shape == (PLACES, *SHAPE)
    assert notes == ["sunnybrook: patients without contours left out (SC-N-2)."]


def test_what_is_missing(tmp_path, cases, heart):
    folder = heart()
    images = tmp_path / "SCD_IMAGES_01/SCD0000101/CINESAX_300"
    (images / f"IM-0003-{number(2, ES):04}.dcm").rename(tmp_path / "kept")
    with pytest.raises(InputError, match="For SC-HF-I-1, no DICOM series has images for all its contours"):
        cases("sunnybrook")
    (tmp_path / "kept").rename(images / f"IM-0003-{number(2, ES):04}.dcm")
    (images / f"IM-0003-{number(1, 1):04}.dcm").write_bytes(b"no dicom")
    with pytest.raises(InputError, match=r"IM-0003-0007.dcm cannot be read"):
        cases("sunnybrook")[0][0].read()
    for path in images.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="There is no DICOM file of a patient in .*; Sunnybrook Cardiac Data wants"):
        cases("sunnybrook")
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="There is no file like IM-0001-0048-icontour-manual.txt"):
        cases("sunnybrook")


@pytest.mark.parametrize(
    ("text", "why"), [("1 2\nx y\n", "cannot be read as a contour"), ("1 2\n3 4\n", "holds no contour")]
)
def test_a_damaged_contour(cases, heart, text, why):
    contour(heart(), 2, ED, "i", text)
    with pytest.raises(InputError, match=why):
        cases("sunnybrook")[0][0].read()


def test_one_phase_only(cases, heart):
    folder = heart()
    for place in (2, 3):
        (folder / f"IM-0001-{number(place, ES):04}-icontour-manual.txt").unlink()
    with pytest.raises(InputError, match="Only one phase of the heart has contours"):
        cases("sunnybrook")[0][1].read()
