"""A folder of one's own: cases.json, or images and labels."""

import json

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.datasets.generic import patient_of


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("sts027_mr_t1", "sts027"),
        ("sts028_ct", "sts028"),
        ("scd_scn05_ed", "scd_scn05"),
        ("scd_scn05_es", "scd_scn05"),
        ("fetal_run12", "fetal"),
        ("hippocampus_001", "hippocampus_001"),
        ("kbp_validation_pt_201", "kbp_validation_pt_201"),
    ],
)
def test_whose_case_it_is(name, patient):
    assert patient_of(name) == patient


@pytest.fixture
def listed(tmp_path):
    def put(*entries):
        (tmp_path / "cases.json").write_text(json.dumps(entries), encoding="utf-8")

    return put


def test_a_list(cases, pair, listed):
    image, labels = pair("b_ed_image.nii.gz", "b_ed_labels.nii.gz", values=(1, 3))
    pair("in/x.nii.gz", "in/y.nii.gz")
    listed(
        {"case": "b_ed", "modality": "MR", "labels": {"1": "LV cavity", "3": "Leber ö"}, "region": "heart"},
        {
            "case": "a",
            "modality": "ct",
            "labels": {"0": "background", "1": "liver"},
            "image": "in/x.nii.gz",
            "segmentation": "in/y.nii.gz",
            "patient": "p1",
            "group": "limb tumour CT",
        },
    )
    found, notes = cases("generic")
    assert [(c.dataset, c.name, c.patient, c.modality, c.group) for c in found] == [
        ("generic", "b_ed", "b", "mr", ""),
        ("generic", "a", "p1", "ct", "limb tumour CT"),
    ]
    assert [dict(c.organs) for c in found] == [{"LV cavity": 1, "Leber ö": 3}, {"liver": 1}]
    scan = found[0].read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(found[0].mask(scan, "Leber ö"), labels == 3)
    assert notes == []


GOOD = {"case": "a", "modality": "CT", "labels": {"1": "liver"}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"case": ""}, "Entry 1 of .*cases.json has no name “case”; a generic folder wants"),
        ({"modality": "US"}, "modality of a in .* is 'US'; it must be “CT” or “MR”"),
        ({"modality": None}, "modality of a in .* is None"),
        ({"labels": ["liver"]}, "not written as"),
        ({"labels": {"one": "liver"}}, "not written as"),
        ({"labels": {"1": "x", "2": "x"}}, "each name once"),
        ({"labels": {"0": "background"}}, "at least one name"),
        ({"labels": {"-1": "x"}}, "numbers above 0"),
        ({"image": "gone.nii.gz"}, "There is no gone.nii.gz in .*, a file of a"),
    ],
)
def test_a_wrong_entry(cases, pair, listed, change, why):
    pair("a_image.nii.gz", "a_labels.nii.gz")
    listed({**GOOD, **change})
    with pytest.raises(InputError, match=why):
        cases("generic")


@pytest.mark.parametrize(
    ("text", "why"), [("{", "cannot be read as JSON"), ("{}", "is no list of cases"), ("[]", "no case in")]
)
def test_no_list(tmp_path, cases, text, why):
    (tmp_path / "cases.json").write_text(text)
    with pytest.raises(InputError, match=why):
        cases("generic")


def test_two_folders(tmp_path, cases, pair):
    image, labels = pair("images/p10_ed.nii.gz", "labels/p10_ed.nii.gz")
    pair("images/p9_image.nii.gz", "labels/p9_labels.nii.gz")
    (tmp_path / "labels.json").write_text('{"modality": "MR", "labels": {"1": "liver"}}')
    found, _ = cases("generic")
    assert [(c.name, c.patient, c.modality) for c in found] == [("p9", "p9", "mr"), ("p10_ed", "p10", "mr")]
    scan = found[1].read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(found[1].mask(scan, "liver"), labels == 1)


def test_two_folders_with_names_only(tmp_path, cases, pair):
    pair("images/p1_ct.nii.gz", "labels/p1_ct.nii.gz")
    (tmp_path / "labels.json").write_text('{"1": "liver"}')
    assert [c.modality for c in cases("generic")[0]] == ["ct"]
    pair("images/p2.nii.gz", "labels/p2.nii.gz")
    with pytest.raises(InputError, match="The modality of p2 is not known; write labels.json as"):
        cases("generic")
    (tmp_path / "labels" / "p1_ct.nii.gz").unlink()
    with pytest.raises(InputError, match="There is no file for p1_ct in .*labels"):
        cases("generic")
    (tmp_path / "labels.json").unlink()
    with pytest.raises(InputError, match="There is no labels.json in"):
        cases("generic")
