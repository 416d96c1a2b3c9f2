"""The command: files in, files out, a report; and one plain sentence, exit code 2 and nothing written for bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import dice, direction, to_image, write, write_series

from FewShotSegmentLib import version
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.images import Geometry, read_annotation, read_volume
from FewShotSegmentLib.images.seg_nrrd import SegNrrd, read_seg_nrrd, write_seg_nrrd
from FewShotSegmentLib.weights import find_weights


def propagate(*arguments):
    return main(["propagate", *(str(a) for a in arguments)])


def test_one_slice_in_the_organ_out(case, organ, capsys):
    volume, annotation, out = case
    confidence = out.with_name("confidence.nii.gz")
    assert propagate(volume, annotation, "-o", out, "--modality", "ct", "--json", "--confidence", confidence) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    weights = find_weights()
    assert report["engine_version"] == version.__version__
    assert report["weights"] == {"name": weights.name, "sha256": weights.sha256}
    assert (report["device"], report["modality"]) == ("cpu", {"used": "ct", "source": "given"})
    (segment,) = report["segments"]
    result = read_annotation(out)
    mask = result.segments[0].mask
    np.testing.assert_array_equal(mask[7], organ.mask[7])
    assert dice(mask, organ.mask) > 0.85
    own = np.flatnonzero(mask.any((1, 2)))
    assert (segment["anchors"], segment["first_slice"], segment["last_slice"]) == ([7], own[0], own[-1])
    assert segment["voxels"] == mask.sum()
    assert segment["ml"] == pytest.approx(mask.sum() * 3.0 / 1000)
    assert list(segment["slice_confidence"]) == [str(i) for i in range(own[0], own[-1] + 1)]
    assert segment["slice_confidence"]["7"] == 1
    assert 0 < segment["seconds"] <= report["seconds"]
    probability = sitk.ReadImage(str(confidence))
    assert probability.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(sitk.GetArrayFromImage(probability) > 0.5, mask)
    np.testing.assert_allclose(Geometry.of_image(probability).ijk_to_lps, result.geometry.ijk_to_lps, atol=1e-4)


def test_names_colours_tags_and_order_are_carried_over_from_a_cropped_overlapping_seg_nrrd(tmp_path, organ, capsys):
    matrix = direction(oblique=True, left_handed=True)
    volume = write(tmp_path / "v.nrrd", organ.image, matrix=matrix)
    inner = organ.mask[7] & np.roll(organ.mask[7], 4, 1)
    layers = [np.zeros(organ.mask.shape, np.uint8) for _ in range(2)]
    layers[0][7], layers[1][7] = organ.mask[7], inner
    image = to_image(np.zeros(organ.mask.shape, np.uint8), matrix=matrix)
    part = image[10:45, 8:44, 6:9]  # as Slicer crops
    cropped = [layer[6:9, 8:44, 10:45] for layer in layers]
    segments = [
        {"ID": "A", "Name": "Leber ö", "Color": "0.1 0.2 0.3", "LabelValue": "1", "Layer": "0", "Tags": "x:y|"},
        {
            "ID": "B",
            "Name": "Tumor",
            "Color": "1 0 0",
            "LabelValue": "1",
            "Layer": "1",
            "Tags": "TerminologyEntry:a~b|",
        },
    ]
    with (tmp_path / "a.seg.nrrd").open("wb") as file:
        write_seg_nrrd(file, SegNrrd(cropped, Geometry.of_image(part), segments, {"Segmentation_Foo": "bar"}))
    out = tmp_path / "o.seg.nrrd"
    confidence = tmp_path / "c.nrrd"
    assert propagate(volume, tmp_path / "a.seg.nrrd", "-o", out, "--modality", "ct", "--confidence", confidence) == 0
    assert "Leber ö" in capsys.readouterr().out
    read = read_seg_nrrd(out)
    for before, after in zip(segments, read.segments, strict=True):
        assert {k: after[k] for k in ("ID", "Name", "Color", "Tags")} == {
            k: before[k] for k in ("ID", "Name", "Color", "Tags")
        }
    assert read.fields["Segmentation_Foo"] == "bar"
    annotation = read_annotation(out)
    np.testing.assert_array_equal(annotation.segments[0].mask[7], organ.mask[7])
    np.testing.assert_array_equal(annotation.segments[1].mask[7], inner)
    np.testing.assert_allclose(annotation.geometry.ijk_to_lps, Geometry.of_image(image).ijk_to_lps, atol=1e-9)
    assert sitk.ReadImage(str(confidence)).GetSize() == (56, 48, 14, 2)
    # only one of them, and into a labelmap
    only = tmp_path / "only.nii.gz"
    assert (
        propagate(volume, tmp_path / "a.seg.nrrd", "-o", only, "--segment", "Tumor", "--modality", "ct", "--quiet") == 0
    )
    assert capsys.readouterr() == ("", "")
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(only)))
    np.testing.assert_array_equal(labels[7] == 2, inner)
    assert set(np.unique(labels)) == {0, 2}


def test_sagittal_annotation_and_a_range(tmp_path, organ, capsys):
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[:, :, 28] = organ.mask[:, :, 28]
    volume, annotation = write(tmp_path / "v.nii.gz", organ.image), write(tmp_path / "a.nii.gz", labels)
    out = tmp_path / "o.nrrd"
    assert propagate(volume, annotation, "-o", out, "--modality", "ct", "--slices", "24:30", "--json") == 0
    segment = json.loads(capsys.readouterr().out)["segments"][0]
    assert (segment["axis"], segment["first_slice"], segment["last_slice"]) == (2, 24, 30)
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(out)))
    np.testing.assert_array_equal(found[:, :, 28], labels[:, :, 28])
    assert dice(found[:, :, 24:31] > 0, organ.mask[:, :, 24:31]) > 0.7


def test_a_dicom_folder_annotated_in_slicer_whose_slices_run_the_other_way(tmp_path, organ, capsys):
    folder = write_series(tmp_path / "dicom", organ.image)
    image = read_volume(folder)
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[7] = organ.mask[7]
    grid = sitk.GetImageFromArray(labels)
    image.geometry.apply_to(grid)
    sitk.WriteImage(sitk.Flip(grid, (False, True, True)), str(tmp_path / "a.nrrd"))
    assert propagate(folder, tmp_path / "a.nrrd", "-o", tmp_path / "o.seg.nrrd", "--slices", "5:9", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["modality"] == {"used": "ct", "source": "file"}
    assert report["segments"][0]["anchors"] == [7]
    result = read_annotation(tmp_path / "o.seg.nrrd")
    np.testing.assert_array_equal(result.segments[0].mask[7], organ.mask[7])
    np.testing.assert_allclose(result.geometry.ijk_to_lps, image.geometry.ijk_to_lps, atol=1e-9)


def bad_volume(name, array):
    def make(folder, volume, annotation):
        if array.ndim == 3:
            return [write(folder / name, array), annotation]
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=False), str(folder / name))
        return [folder / name, annotation]

    return make


def bad_annotation(**change):
    def make(folder, volume, annotation):
        labels = np.zeros((14, 48, 56), np.uint8)
        labels[7, 20:30, 20:30] = change.pop("value", 1)
        return [volume, write(folder / "other.nii.gz", labels, **change)]

    return make


def swapped(folder, volume, annotation):
    return [volume, write(folder / "mr.nrrd", np.random.default_rng(0).integers(0, 241, (14, 48, 56)).astype(np.uint8))]


def text_file(folder, volume, annotation):
    (folder / "text.nii.gz").write_text("this is not an image")
    return [folder / "text.nii.gz", annotation]


def truncated(folder, volume, annotation):
    volume.write_bytes(volume.read_bytes()[:2000])
    return [volume, annotation]


def existing(folder, volume, annotation):
    (folder / "out.seg.nrrd").write_text("precious")
    return [volume, annotation]


NAN = np.where(np.arange(14 * 48 * 56).reshape(14, 48, 56) == 99, np.nan, 1.0).astype(np.float32)

BAD = {
    "volume missing": (lambda f, v, a: ["nowhere.nii.gz", a], "no file or folder nowhere.nii.gz"),
    "annotation missing": (lambda f, v, a: [v, "nowhere.nii.gz"], "no file or folder nowhere.nii.gz"),
    "not an image": (text_file, "cannot be read as an image"),
    "cut short": (truncated, "is damaged or not complete"),
    "2D": (bad_volume("flat.nrrd", np.zeros((48, 56), np.int16)), "2 dimensions"),
    "4D": (bad_volume("series.nrrd", np.zeros((3, 14, 48, 56), np.int16)), "a series of 3 volumes"),
    "NaN": (bad_volume("nan.nrrd", NAN), "NaN, infinite or over"),
    "constant": (bad_volume("flat.nrrd", np.full((14, 48, 56), 5, np.int16)), "same value everywhere"),
    "shifted": (bad_annotation(origin=(-40.0, 25.4, 300.0)), r"off by up to 0.4 mm"),
    "other spacing": (bad_annotation(spacing=(1.0, 1.0, 2.0)), "voxels of 1 × 1 × 2 mm"),
    "empty": (bad_annotation(value=0), "is empty; draw the structure"),
    "unknown segment": (lambda f, v, a: [v, a, "--segment", "liver"], "no segment “liver” .* there are: Segment_1"),
    "range without the annotation": (lambda f, v, a: [v, a, "--slices", "8:10"], "leaves out annotated slice 7"),
    "range outside": (lambda f, v, a: [v, a, "--slices", "0:99"], "do not lie within"),
    "range in words": (lambda f, v, a: [v, a, "--slices", "all"], "FIRST:LAST"),
    "no folder": (lambda f, v, a: [v, a, "-o", f / "no" / "out.seg.nrrd"], "no folder"),
    "unknown ending": (lambda f, v, a: [v, a, "-o", f / "out.png"], "no known ending"),
    "exists": (existing, "exists already; .* --force"),
    "over the volume": (lambda f, v, a: [v, a, "-o", v, "--force"], "one of the inputs"),
    "over the annotation": (lambda f, v, a: [v, a, "-o", a, "--force"], "one of the inputs"),
    "confidence over the result": (
        lambda f, v, a: [v, a, "-o", f / "a.nrrd", "--confidence", f / "a.nrrd"],
        "cannot be both the result and the confidence",
    ),
    "unknown device": (lambda f, v, a: [v, a, "--device", "tpu"], "no device “tpu”"),
    "range backwards": (lambda f, v, a: [v, a, "--slices", "9:5"], "runs backwards"),
    "range below zero": (lambda f, v, a: [v, a, "--slices", "-1:8"], "do not lie within"),
    "across another axis": (lambda f, v, a: [v, a, "--axis", "1"], r"drawn across z .axis 0., not across y"),
    "volume as annotation": (swapped, "different values all over the volume; give the annotation, not the image"),
    "folder as annotation": (lambda f, v, a: [v, f / "empty"], "is a folder; give the annotation's file"),
    "result is a folder": (lambda f, v, a: [v, a, "-o", f / "empty"], "is a folder; give the name of a file"),
    "name too long": (lambda f, v, a: [v, a, "-o", f / ("x" * 300 + ".nrrd")], "name too long"),
    "confidence as segmentation": (lambda f, v, a: [v, a, "--confidence", f / "c.seg.nrrd"], "no known ending"),
    "unknown choice": (lambda f, v, a: [v, a, "--axis", "z"], "Argument --axis: invalid choice"),
    "unknown option": (lambda f, v, a: [v, a, "--slcies", "1:2"], "[Uu]nrecognized arguments: --slcies"),
    "no DICOM": (lambda f, v, a: [f / "empty", a], "no DICOM images"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_exit_2_and_nothing_written(case, tmp_path, capfd, what):
    (tmp_path / "empty").mkdir()
    volume, annotation, out = case
    make, words = BAD[what]
    arguments = make(tmp_path, volume, annotation)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    if "-o" not in arguments:
        arguments += ["-o", out]
    try:
        code = propagate(*arguments, "--modality", "mr")
    except SystemExit as end:  # argparse's way
        code = end.code
    assert code == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("fewshotsegment: ") and lines[0].endswith(".")
    import re

    assert re.search(words, lines[0]), lines[0]
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_folder_that_is_not_writable(case, tmp_path, capsys, monkeypatch):
    """Asked of the system, not tried: as root, as in most containers, every folder is writable."""
    closed = tmp_path / "closed"
    closed.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and access(path, mode))
    assert propagate(case[0], case[1], "-o", closed / "o.seg.nrrd") == 2
    assert "Nothing can be written to the folder" in capsys.readouterr().err
    assert list(closed.iterdir()) == []


def test_cuda_where_there_is_none(case, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert propagate(case[0], case[1], "-o", case[2], "--device", "cuda") == 2
    assert "CUDA device was asked for" in capsys.readouterr().err
    assert not case[2].exists()


def test_damaged_weights(case, capsys, monkeypatch, tmp_path):
    import shutil

    from FewShotSegmentLib.weights import manifest

    folder = shutil.copytree(manifest.weights_folder(), tmp_path / "weights")
    with find_weights(folder=folder).path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0" * 100)
    monkeypatch.setattr(manifest, "weights_folder", lambda: folder)
    assert propagate(case[0], case[1], "-o", case[2]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert not case[2].exists()


def test_force_replaces(case):
    case[2].write_text("old")
    assert propagate(case[0], case[1], "-o", case[2], "--modality", "ct", "--slices", "6:8", "--force", "--quiet") == 0
    assert len(read_annotation(case[2]).segments) == 1


def test_a_blob_and_a_guess_are_said(tmp_path, organ, capsys):
    volume = write(tmp_path / "v.nii.gz", organ.image)
    annotation = write(tmp_path / "a.nii.gz", organ.mask.astype(np.uint8))
    assert propagate(volume, annotation, "-o", tmp_path / "o.seg.nrrd", "--json") == 0
    printed = capsys.readouterr()
    notes = json.loads(printed.out)["notes"]
    assert "annotated on neighbouring slices in all directions" in notes[0]
    assert "look like MR" in notes[1] or "look like CT" in notes[1]
    assert all(f"Note: {note}" in printed.err for note in notes)


def wait_for_torch(process):
    """Until the process has begun to compute, as far as can be seen from outside."""
    maps = Path(f"/proc/{process.pid}/maps")
    if not maps.exists():
        time.sleep(8)
        return
    end = time.monotonic() + 60
    while time.monotonic() < end and "libtorch_cpu" not in maps.read_text():
        time.sleep(0.1)


def test_a_structure_found_from_end_to_end_is_pointed_out(tmp_path, capsys):
    image = np.random.default_rng(0).integers(0, 40, (5, 48, 48)).astype(np.int16)
    image[:, 16:32, 16:32] += 150
    labels = np.zeros(image.shape, np.uint8)
    labels[2, 16:32, 16:32] = 1
    files = write(tmp_path / "v.nrrd", image), write(tmp_path / "a.nrrd", labels)
    for extra, said in (((), True), (("--slices", "0:4"), False)):
        out = tmp_path / f"o{said}.seg.nrrd"
        assert propagate(*files, "-o", out, "--modality", "mr", "--json", *extra) == 0
        notes = json.loads(capsys.readouterr().out)["notes"]
        assert any("from the first slice of the volume to the last: Segment_1" in note for note in notes) is said


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_behind(tmp_path, which):
    image = np.random.default_rng(0).integers(0, 40, (400, 64, 64)).astype(np.int16)
    image[:, 20:40, 20:40] += 150  # goes through all slices: there is half a minute of work
    labels = np.zeros(image.shape, np.uint8)
    labels[200, 20:40, 20:40] = 1
    volume, annotation = write(tmp_path / "v.nrrd", image), write(tmp_path / "a.nrrd", labels)
    command = [sys.executable, "-m", "FewShotSegmentLib.cli.main", "propagate", volume, annotation]
    command += ["-o", tmp_path / "o.seg.nrrd", "--modality", "mr"]
    process = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for_torch(process)
    time.sleep(2)
    process.send_signal(which)
    out, err = process.communicate(timeout=60)
    # -SIGINT, which a shell calls 130 as well: Python ends so where the signal met it in an exec() within an import
    assert process.returncode in {130, -signal.SIGINT}
    assert err.strip() == "fewshotsegment: Cancelled: nothing was written."
    assert out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nrrd", "v.nrrd"]


def damaged_mha(folder):
    path = write(folder / "cut.mha", np.zeros((14, 48, 56), np.int16) + np.arange(56, dtype=np.int16))
    path.write_bytes(path.read_bytes()[:3000])
    return path


def header_without_data(folder):
    path = write(folder / "lonely.mhd", np.zeros((14, 48, 56), np.int16))
    path.with_suffix(".raw").unlink()
    return path


def hdf5_junk(folder):
    path = folder / "junk.nii.gz"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    return path


@pytest.mark.parametrize("make", [damaged_mha, header_without_data, hdf5_junk])
def test_the_libraries_own_messages_do_not_reach_the_user(case, tmp_path, capfd, make):
    assert propagate(make(tmp_path), case[1], "-o", case[2]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("fewshotsegment: ")


@pytest.mark.parametrize("reader", ["| true", "> /dev/full", "2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="redirections of a Unix shell")
def test_nobody_listens(case, reader):
    volume, annotation, out = case
    command = f"'{sys.executable}' -m FewShotSegmentLib.cli.main propagate '{volume}' '{annotation}' -o '{out}' "
    command += f"--modality ct --slices 6:8 --json {reader}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert len(read_annotation(out).segments) == 1


def test_version_without_waiting_for_torch():
    code = (
        "import sys; from FewShotSegmentLib.cli.main import main\n"
        "try: main(['--version'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"fewshotsegment {version.__version__}"
