"""MS-CMRSeg: C0 images and their labels, beside each other or apart."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError


@pytest.mark.parametrize(
    "label",
    [
        "patient{}_C0_manual.nii.gz",
        "C0/patient{}_C0_manual.nii.gz",
        "c0gt/patient{}_C0_manual.nii.gz",
        "c0gt/patient{}_C0.nii.gz",
    ],
)
def test_pairs(cases, pair, label):
    for number in (10, 2):
        image, labels = pair(f"C0/patient{number}_C0.nii.gz", label.format(number), values=(200, 500, 600), seed=number)
    pair("C0/patient3_C0.nii.gz", "notes.nii.gz")
    pair("C0/patient2_LGE.nii.gz", "C0/patient2_LGE_manual.nii.gz")
    found, notes = cases("mscmr")
    assert [(c.name, c.patient, c.modality) for c in found] == [
        ("patient2", "patient2", "mr"),
        ("patient10", "patient10", "mr"),
    ]
    assert notes == ["mscmr: 1 image without labels left out (patient3)."]
    scan = found[0].read()
    np.testing.assert_array_equal(scan.image, image)
    organs = dict(found[0].organs)
    assert organs == {"myocardium": 200, "left ventricle": 500, "right ventricle": 600}
    np.testing.assert_array_equal(found[0].mask(scan, "right ventricle"), labels == 600)


def test_without_a_partner(tmp_path, cases, pair):
    pair("patient1_C0.nii.gz", "patient2_C0_manual.nii.gz")
    with pytest.raises(InputError, match="patient2_C0_manual.nii.gz has no image patient2_C0.nii.gz; MS-CMRSeg"):
        cases("mscmr")
    (tmp_path / "patient2_C0_manual.nii.gz").unlink()
    with pytest.raises(InputError, match="There is no file like patient1_C0_manual.nii.gz"):
        cases("mscmr")
