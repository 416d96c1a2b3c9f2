"""SABS and AbdomenCT-1K: pairs by number."""

import numpy as np
import pytest

from FewShotSegmentLib import InputError


def test_sabs(cases, pair):
    pair("RawData/Training/img/img0010.nii.gz", "RawData/Training/label/label0010.nii.gz", seed=1)
    image, labels = pair(
        "RawData/Training/img/img0002.nii.gz", "RawData/Training/label/label0002.nii.gz", values=range(1, 14)
    )
    pair("RawData/Testing/img/img0061.nii.gz", "elsewhere.nii.gz")
    found, notes = cases("sabs")
    assert [(c.name, c.patient, c.modality) for c in found] == [
        ("img0002", "img0002", "ct"),
        ("img0010", "img0010", "ct"),
    ]
    assert notes == ["sabs: 1 image of the test set left out, since their labels are secret."]
    scan = found[0].read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(scan.labels, labels)
    organs = dict(found[0].organs)
    assert list(organs.values()) == list(range(1, 14))
    assert [organs[n] for n in ("spleen", "right kidney", "left kidney", "liver", "pancreas")] == [1, 2, 3, 6, 11]
    assert [len(cases("sabs", p)[0]) for p in ("RawData", "RawData/Training")] == [2, 2]


def test_sabs_averaged(cases, pair):
    pair("averaged-training-images/DET0000101_avg.nii.gz", "averaged-training-labels/DET0000101_avg_seg.nii.gz")
    found, notes = cases("sabs")
    assert ([c.name for c in found], notes) == (["DET0000101"], [])
    pair("img/img0001.nii.gz", "label/label0001.nii.gz")
    found, notes = cases("sabs")
    assert [c.name for c in found] == ["img0001"]
    assert "averaged images are not used" in notes[0]


def test_sabs_without_a_partner(tmp_path, cases, pair):
    pair("img/img0001.nii.gz", "label/label0001.nii.gz")
    pair("img/img0002.nii.gz", "label/label0002.nii.gz")
    (tmp_path / "label" / "label0002.nii.gz").rename(tmp_path / "label" / "label0003.nii.gz")
    with pytest.raises(InputError, match="label0003.nii.gz has no image img0003.nii.gz; SABS"):
        cases("sabs")
    (tmp_path / "label" / "label0003.nii.gz").unlink()
    with pytest.raises(InputError, match=r"img0002.nii.gz has no labels label0002.nii.gz; SABS .* wants img/img0001"):
        cases("sabs")
    with pytest.raises(InputError, match="There is no file like label/label0001.nii.gz"):
        cases("sabs", "img")


def test_sabs_twice(cases, pair):
    pair("a/img0001.nii.gz", "a/label0001.nii.gz")
    pair("b/img0001.nii.gz", "b/label0001.nii.gz")
    with pytest.raises(InputError, match="two files for img0001 .* name the folder of only one"):
        cases("sabs")


@pytest.fixture
def abdomen(pair):
    for number, part in ((1, 1), (297, 1), (928, 3)):
        pair(f"ImagePart{part}/Case_{number:05}_0000.nii.gz", f"Mask/Case_{number:05}.nii.gz", values=(1, 2, 3, 4))


def test_abdomenct1k_without_sources(tmp_path, cases, pair, abdomen):
    pair("ImagePart2/Case_00500_0000.nii.gz", "other.nii.gz")
    found, notes = cases("abdomenct1k")
    assert [(c.name, c.patient, c.group) for c in found] == [
        ("Case_00001", "Case_00001", ""),
        ("Case_00297", "Case_00297", ""),
        ("Case_00928", "Case_00297", ""),
    ]
    assert dict(found[0].organs) == {"liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4}
    assert notes[0] == "abdomenct1k: 1 image without a mask left out; not all are published."
    assert "source of 3 cases is unknown" in notes[1]
    assert sorted(np.unique(found[2].read().labels)) == [0, 1, 2, 3, 4]


def test_abdomenct1k_with_sources(tmp_path, cases, abdomen):
    table = tmp_path / "sources.csv"
    table.write_text("case,source\nCase_00001,KiTS\nCase_00297,lits\n", encoding="utf-8-sig")
    found, notes = cases("abdomenct1k")
    assert [c.group for c in found] == ["kits", "lits", ""]
    assert "source of 1 case is unknown" in notes[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("case,source\nCase_00001,brats\n", "has the row Case_00001,brats; .* sources are lits, kits"),
        ("name,from\nCase_00001,lits\n", "should have the columns case,source"),
        ("case,source\nCase_00001,lits\nCase_00001,kits\n", "two sources for Case_00001"),
    ],
)
def test_a_wrong_table(tmp_path, cases, abdomen, text, why):
    (tmp_path / "sources.csv").write_text(text)
    with pytest.raises(InputError, match=why):
        cases("abdomenct1k")


def test_abdomenct1k_without_a_partner(tmp_path, cases, abdomen):
    (tmp_path / "ImagePart1" / "Case_00001_0000.nii.gz").unlink()
    with pytest.raises(InputError, match=r"Case_00001.nii.gz has no image Case_00001_0000.nii.gz; AbdomenCT-1K wants"):
        cases("abdomenct1k")
    with pytest.raises(InputError, match=r"no file like Case_00001.nii.gz \(mask\)"):
        cases("abdomenct1k", "ImagePart1")
