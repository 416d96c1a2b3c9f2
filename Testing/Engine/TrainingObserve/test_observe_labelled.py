"""Which labelled volumes are taken, and what is said where there are none."""

import numpy as np
import pytest
from small_cases import write

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.training.observe.labelled import LabelledFiles, choose, find_labelled, read_labelled


def _case(name, group="", slices=10):
    return LabelledFiles(name, group, "mr", {}, None, None, slices)


def test_pairs_of_a_folder_with_what_cases_json_says(labelled):
    found = find_labelled(labelled)
    assert [case.name for case in found] == ["heart_01", "heart_02", "liver_01"]
    assert found[0].group == "heart MR"
    assert found[0].modality == "mr"
    assert found[0].names == {3: "organ"}
    assert found[0].slices == 8


def test_images_without_labels_are_passed_over(tmp_path):
    for name in ("a_image", "b_image", "b_labels", "c_labels"):
        write(tmp_path / f"{name}.nii.gz", np.arange(27, dtype=np.int16).reshape(3, 3, 3))
    assert [(case.name, case.modality, case.group) for case in find_labelled(tmp_path)] == [("b", "auto", "")]


def test_a_folder_without_pairs(tmp_path):
    write(tmp_path / "a_image.nii.gz", np.zeros((3, 3, 3), np.int16))
    with pytest.raises(InputError, match="pairs of files called NAME_image and NAME_labels"):
        find_labelled(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        find_labelled(tmp_path / "nowhere")


def test_a_broken_file_or_list_is_named(tmp_path):
    for name in ("a_image.nii.gz", "a_labels.nii.gz"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(InputError, match="a_image"):
        find_labelled(tmp_path)
    (tmp_path / "cases.json").write_text("[{")
    with pytest.raises(InputError, match=r"cases\.json"):
        find_labelled(tmp_path)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("scd_a05_ed", "scd_a05"),
        ("scd_a05_es", "scd_a05"),
        ("x_run2", "x"),
        ("brain_001", "brain_001"),
        ("case_a", "case_a"),
    ],
)
def test_whose_a_volume_is(name, patient):
    assert _case(name).patient == patient


def test_each_group_has_its_share_and_each_patient_one_volume():
    found = [_case(f"h{i}_{phase}", "heart") for i in range(5) for phase in ("ed", "es")]
    found += [_case("l1", "liver"), _case("l2", "liver", slices=100), _case("s1", "spleen")]
    chosen = [case.name for case in choose(found, 4, 1, 64)]
    assert chosen == ["h0_ed", "h1_ed", "l1", "s1"]
    assert [case.name for case in choose(found, 5, 2, 64)] == ["h0_ed", "h1_ed", "h2_ed", "h3_ed"]
    assert [case.name for case in choose(found, 2, 2, 200)] == ["h0_ed", "h1_ed"]


def test_structures_on_too_few_slices_are_left_out(tmp_path):
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[1:5, 2:4, 2:4] = 1
    labels[2:4, 5:7, 5:7] = 2
    write(tmp_path / "a_image.nii.gz", np.random.default_rng(0).normal(size=labels.shape).astype(np.float32))
    write(tmp_path / "a_labels.nii.gz", labels)
    (files,) = find_labelled(tmp_path)
    case = read_labelled(files, 5)
    assert list(case.masks) == ["label 1"]
    assert case.middle("label 1") == 3
    write(tmp_path / "a_labels.nii.gz", (labels == 2).astype(np.uint8))
    assert read_labelled(files, 5) is None
