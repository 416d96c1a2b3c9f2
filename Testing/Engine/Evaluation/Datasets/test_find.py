"""DATASET:FOLDER: what is understood, and what is refused in one sentence."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation import datasets
from FewShotSegmentLib.evaluation.datasets import explain, find, generic, names
from FewShotSegmentLib.evaluation.datasets.adapter import files_below, natural


def test_every_name_is_explained():
    assert names() == ("chaos", "sabs", "mscmr", "abdomenct1k", "msd", "sunnybrook", "generic")
    for name in names():
        text = explain(name)
        assert text.startswith(f"{name}: ")
        assert " wants " in text
    assert "T2SPIR with DICOM_anon/*.dcm and Ground/*.png" in explain("chaos")
    with pytest.raises(InputError, match="no data set brats; there are chaos, sabs"):
        explain("brats")


@pytest.mark.parametrize("spec", ["chaos", "brats:/data", "generic:", ":/data", "/data"])
def test_a_spec_that_names_no_data(spec):
    with pytest.raises(InputError, match="write DATASET:FOLDER, with one of chaos, sabs"):
        find(spec, [])


def test_a_windows_path_keeps_its_drive(monkeypatch):
    asked = []
    monkeypatch.setattr(Path, "is_dir", lambda self: asked.append(str(self)))
    with pytest.raises(InputError, match="There is no folder"):
        find("generic:C:\\x", [])
    assert asked == ["C:\\x"]


@pytest.mark.parametrize("name", names())
def test_no_folder_and_an_empty_one(tmp_path, name):
    with pytest.raises(InputError, match="There is no folder .*away; .* wants "):
        find(f"{name}:{tmp_path / 'away'}", [])
    with pytest.raises(InputError, match="^There is .*; .* wants .*\\.$"):
        find(f"{name}:{tmp_path}", [])


@pytest.mark.parametrize("name", names())
def test_a_file_is_no_folder(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="There is no folder"):
        find(f"{name}:{tmp_path / 'file'}", [])


def test_names_are_unique(tmp_path, pair):
    pair("a_image.nii.gz", "a_labels.nii.gz")
    entry = '{"case": "a", "modality": "CT", "labels": {"1": "liver"}}'
    (tmp_path / "cases.json").write_text(f"[{entry}, {entry}]")
    with pytest.raises(InputError, match="2 cases in .* are called a"):
        find(f"generic:{tmp_path}", [])


def test_order_is_natural_and_hidden_files_are_left_out(tmp_path):
    for name in ("b10.nii", "b9.nii", "._b9.nii", "__MACOSX/b1.nii", "a/b2.NII", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in files_below(tmp_path, ".nii")] == [
        "a/b2.NII",
        "b9.nii",
        "b10.nii",
    ]
    assert sorted(["img10", "img9", "img09"], key=natural) == ["img9", "img09", "img10"]


def test_cases_travel_to_other_processes(tmp_path, pair, cases):
    image, labels = pair("a_image.nii.gz", "a_labels.nii.gz")
    (tmp_path / "cases.json").write_text('[{"case": "a", "modality": "MR", "labels": {"1": "liver"}}]')
    (case,), notes = cases("generic")
    scan = pickle.loads(pickle.dumps(case)).read()
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(case.mask(scan, "liver"), labels == 1)
    assert (scan.spacing, scan.modality, scan.labels.dtype, notes) == ((3.0, 1.0, 1.0), "mr", np.uint8, [])


def test_public_parts():
    assert set(datasets.presets.PRESETS) == {"sabs", "chaos", "cmr"}
    assert generic.ADAPTER.name == "generic"
