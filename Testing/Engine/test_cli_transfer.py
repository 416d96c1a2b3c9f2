"""`fewshotsegment transfer`: annotated volumes and others in, a segmentation of each out; and what cannot be done."""

import json
import os
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from small_cases import dice, make_organ, to_image, write, write_series

from FewShotSegmentLib import Cancelled, Engine, version
from FewShotSegmentLib.cli import transfer as command
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.images import Geometry, read_annotation, read_volume
from FewShotSegmentLib.images.seg_nrrd import SegNrrd, read_seg_nrrd, write_seg_nrrd
from FewShotSegmentLib.transfer import METHODS
from FewShotSegmentLib.transfer_job import TransferJob
from FewShotSegmentLib.weights import find_weights

TERM = "TerminologyEntry:Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~^^|"


@pytest.fixture(autouse=True)
def quick(monkeypatch, engine, tmp_path):
    """The engine of all these tests, at a third of the usual size and loaded once; and nobody's own library."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(Engine, "load", lambda device="auto": engine)
    monkeypatch.setenv("FEWSHOTSEGMENT_LIBRARY", str(tmp_path / "own" / "library.fsslib"))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def other():
    """Four slices of another patient: the organ goes through all of them."""
    organ = make_organ(seed=5, center=(7.5, 26, 25), radii=(4.2, 10, 12.5))
    organ.image, organ.mask = organ.image[5:9], organ.mask[5:9]
    return organ


@pytest.fixture
def files(case, other, tmp_path):
    """(annotated volume, its annotation, query, folder for results)."""
    volume, annotation, _ = case
    return volume, annotation, write(tmp_path / "query.nii.gz", other.image), tmp_path / "out"


def transfer(*arguments):
    return main(["transfer", *(str(a) for a in arguments)])


def library(*arguments):
    assert main(["library", *(str(a) for a in arguments)]) == 0


def code_of(*arguments):
    try:
        return transfer(*arguments)
    except SystemExit as end:  # argparse's way
        return end.code


def tree(folder):
    """All that is in a folder, folders too."""
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


CT = ("--modality", "ct", "--support-modality", "ct")


def test_two_volumes_and_a_report(files, other, tmp_path, capsys):
    volume, annotation, query, out = files
    flipped = sitk.Flip(to_image(other.image), (True, False, True))
    sitk.WriteImage(flipped, str(tmp_path / "second.nrrd"))
    arguments = ["--support", volume, annotation, query, tmp_path / "second.nrrd", "-o", out, "--json", *CT]
    assert transfer(*arguments) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    weights = find_weights()
    assert report["engine_version"] == version.__version__
    assert report["weights"] == {"name": weights.name, "sha256": weights.sha256}
    assert (report["device"], report["method"], report["propagated"]) == ("cpu", "dspnet", True)
    assert report["checkpoint"] is None and report["notes"] == []
    assert report["supports"] == [
        {"segment": "Segment_1", "number": 0, "modality": "ct", "source": "volume.nii.gz", "slices": [7]}
    ]
    assert [entry["volume"] for entry in report["queries"]] == [str(query), str(tmp_path / "second.nrrd")]
    assert sorted(p.name for p in out.iterdir()) == ["query.seg.nrrd", "second.seg.nrrd"]
    for entry, name in zip(report["queries"], ("query.seg.nrrd", "second.seg.nrrd"), strict=True):
        assert entry["output"] == str((out / name).resolve()) and entry["confidence"] is None
        assert entry["modality"] == {"used": "ct", "source": "given"}
        assert 0 < entry["seconds"] <= report["seconds"]
        (segment,) = entry["segments"]
        assert (segment["name"], segment["label"], segment["found"], segment["axis"]) == ("Segment_1", 1, True, 0)
        assert 0.5 <= segment["confidence"] <= 1
        drawn = read_annotation(out / name)
        mask = drawn.segments[0].mask
        own = np.flatnonzero(mask.any((1, 2)))
        assert (segment["first_slice"], segment["last_slice"], segment["slices_found"]) == (own[0], own[-1], len(own))
        assert segment["voxels"] == mask.sum() and segment["ml"] == pytest.approx(mask.sum() * 3.0 / 1000)
        assert list(segment["slice_confidence"]) == ["0", "1", "2", "3"]
        assert all(0 <= c <= segment["confidence"] for c in segment["slice_confidence"].values())
        assert segment["anchors"] and all(
            (a["support"], a["support_slice"]) == (0, 7) and 0 <= a["slice"] < 4 for a in segment["anchors"]
        )
        source = read_volume(entry["volume"]).geometry
        np.testing.assert_allclose(drawn.geometry.ijk_to_lps, source.ijk_to_lps, atol=1e-6)
        truth = other.mask if name.startswith("query") else other.mask[::-1, :, ::-1]
        assert dice(mask, truth) > 0.9


def test_names_colours_and_terminology_are_carried_over(files, organ, tmp_path, capsys):
    volume, _, query, out = files
    layer = np.zeros(organ.mask.shape, np.uint8)
    layer[7] = organ.mask[7]
    second = np.zeros(organ.mask.shape, np.uint8)
    second[6] = np.roll(organ.mask[6], 8, 1)
    segments = [
        {"ID": "A", "Name": "Leber ö", "Color": "0.1 0.2 0.3", "LabelValue": "1", "Layer": "0", "Tags": TERM},
        {"ID": "B", "Name": "Tumor", "Color": "1 0 0", "LabelValue": "1", "Layer": "1", "Tags": "Who:Mustermann|"},
    ]
    grid = Geometry.of_image(to_image(layer))
    with (tmp_path / "a.seg.nrrd").open("wb") as file:
        write_seg_nrrd(file, SegNrrd([layer, second], grid, segments, {"Segmentation_Foo": "bar"}))
    given = ["--support", volume, tmp_path / "a.seg.nrrd", query, "-o", out, "--no-propagation", *CT]
    assert transfer(*given) == 0
    assert "Leber ö" in capsys.readouterr().out
    written = read_seg_nrrd(out / "query.seg.nrrd")
    assert [{k: s[k] for k in ("ID", "Name", "Color")} for s in written.segments] == [
        {k: s[k] for k in ("ID", "Name", "Color")} for s in segments
    ]
    assert written.segments[0]["Tags"] == TERM
    assert "Mustermann" not in str(written.segments) and "Segmentation_Foo" not in written.fields
    # as a labelmap, and one of them only, in any capitals
    assert transfer(*given, "--format", "nii.gz", "--segment", "leber Ö", "--segment", "Leber ö", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "query.nii.gz")))
    mask = read_annotation(out / "query.seg.nrrd").segments[0].mask
    assert set(np.unique(labels)) == {0, 1}
    np.testing.assert_array_equal(labels == 1, mask)


def test_labels_are_the_same_in_all_results_whatever_is_found(files, organ, tmp_path, capsys):
    volume, _, query, out = files
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[7][organ.mask[7]] = 5
    labels[4, 40:44, 40:44] = 2
    annotation = write(tmp_path / "two.nrrd", labels)
    noise = np.random.default_rng(0).normal(0, 50, (4, 48, 56)).astype(np.int16)
    write(tmp_path / "noise.nrrd", noise)
    given = ["--support", volume, annotation, tmp_path / "noise.nrrd", query, "-o", out, "--format", "nrrd", "--json"]
    assert transfer(*given, *CT) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    for entry in report["queries"]:
        assert [(s["name"], s["label"]) for s in entry["segments"]] == [("Segment_2", 1), ("Segment_5", 2)]
    nothing, something = report["queries"]
    assert [s["found"] for s in nothing["segments"]] == [False, False]
    assert not sitk.GetArrayFromImage(sitk.ReadImage(nothing["output"])).any()
    for segment, note in zip(nothing["segments"], nothing["notes"], strict=True):
        assert note == (
            f"{segment['name']} was probably not found in this volume (confidence {segment['confidence']:.2f}); "
            "annotate it here on one slice if it is there."
        )
        assert segment["confidence"] < 0.5 and segment["voxels"] == 0 and segment["anchors"] == []
        assert segment["first_slice"] is segment["last_slice"] is None
        assert f"Note: noise.nrrd: {note}" in printed.err
    found = sitk.GetArrayFromImage(sitk.ReadImage(something["output"]))
    assert (found == 2).sum() == something["segments"][1]["voxels"] > 0


def test_a_labelmaps_segments_by_value(files, organ, tmp_path, capsys):
    volume, _, query, out = files
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[7][organ.mask[7]] = 5
    labels[4, 40:44, 40:44] = 2
    given = ["--support", volume, write(tmp_path / "two.nrrd", labels), query, "-o", out, "--json", *CT]
    assert transfer(*given, "--segment", "5", "--no-propagation") == 0
    assert [s["segment"] for s in json.loads(capsys.readouterr().out)["supports"]] == ["Segment_5"]
    assert transfer(*given, "--segment", "5", "--segment", "3", "--force") == 2
    assert "There is no segment “3” in the supports; there are: Segment_2, Segment_5." in capsys.readouterr().err


def test_the_table_says_what_was_not_found(files, tmp_path, capsys):
    volume, annotation, _, out = files
    write(tmp_path / "noise.nrrd", np.random.default_rng(0).normal(0, 50, (2, 48, 56)).astype(np.int16))
    assert transfer("--support", volume, annotation, tmp_path / "noise.nrrd", "-o", out, *CT) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 3 and "not found" in lines[1] and lines[1].startswith("noise.nrrd  Segment_1")
    assert lines[2].startswith(f"1 written to {out.resolve()} in ") and "with dspnet" in lines[2]
    assert printed.err.startswith("Note: noise.nrrd: Segment_1 was probably not found")


def test_ids_of_two_patients_do_not_meet(files, organ, tmp_path):
    """Slicer calls the first segment of every segmentation Segment_1, and keeps one segment of an ID."""
    volume, _, query, out = files
    pairs = []
    for name in ("Liver", "Spleen"):
        layer = np.zeros(organ.mask.shape, np.uint8)
        layer[7] = organ.mask[7]
        segment = {"ID": "Segment_1", "Name": name, "Color": "1 0 0", "LabelValue": "1", "Layer": "0"}
        with (tmp_path / f"{name}.seg.nrrd").open("wb") as file:
            write_seg_nrrd(file, SegNrrd([layer], Geometry.of_image(to_image(layer)), [segment], {}))
        pairs += ["--support", volume, tmp_path / f"{name}.seg.nrrd"]
    assert transfer(*pairs, query, "-o", out, "--no-propagation", "--quiet", *CT) == 0
    written = read_seg_nrrd(out / "query.seg.nrrd").segments
    assert [(s["ID"], s["Name"]) for s in written] == [("Segment_1", "Liver"), ("Segment_1_1", "Spleen")]


def test_confidence(files, capsys):
    volume, annotation, query, out = files
    given = ["--support", volume, annotation, query, "-o", out, "--confidence", "--format", "mha", "--json", *CT]
    assert transfer(*given) == 0
    entry = json.loads(capsys.readouterr().out)["queries"][0]
    assert sorted(p.name for p in out.iterdir()) == ["query.confidence.nii.gz", "query.mha"]
    assert entry["confidence"] == str((out / "query.confidence.nii.gz").resolve())
    probability, labels = (sitk.ReadImage(entry[key]) for key in ("confidence", "output"))
    assert probability.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(sitk.GetArrayFromImage(probability) > 0.5, sitk.GetArrayFromImage(labels) > 0)
    np.testing.assert_allclose(
        Geometry.of_image(probability).ijk_to_lps, Geometry.of_image(labels).ijk_to_lps, atol=1e-4
    )


def test_shots_of_two_patients_are_one_segment(files, tmp_path, capsys):
    volume, annotation, query, out = files
    second = make_organ(seed=8)
    labels = np.zeros(second.mask.shape, np.uint8)
    labels[[5, 8]] = second.mask[[5, 8]]
    pair = write(tmp_path / "v2.nii.gz", second.image), write(tmp_path / "a2.nii.gz", labels)
    given = ["--support", volume, annotation, "--support", *pair, query, "-o", out, "--no-propagation", "--json", *CT]
    assert transfer(*given) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(s["segment"], s["number"], s["source"], s["slices"]) for s in report["supports"]] == [
        ("Segment_1", 0, "volume.nii.gz", [7]),
        ("Segment_1", 1, "v2.nii.gz", [5, 8]),
    ]
    assert not report["propagated"]
    assert [s["name"] for s in report["queries"][0]["segments"]] == ["Segment_1"]
    assert report["queries"][0]["segments"][0]["anchors"] == []


def test_a_dicom_folder_says_its_modality_and_is_called_by_its_name(files, other, tmp_path, capsys, monkeypatch):
    volume, annotation, _, out = files
    folder = write_series(tmp_path / "study", other.image)
    monkeypatch.chdir(folder)
    given = ["--support", volume, annotation, ".", "-o", out, "--no-propagation", "--json"]
    assert transfer(*given, "--support-modality", "mr") == 0
    report = json.loads(capsys.readouterr().out)
    (entry,) = report["queries"]
    assert entry["modality"] == {"used": "ct", "source": "file"}
    assert [p.name for p in out.iterdir()] == ["study.seg.nrrd"]
    assert any("is MR, the volume is CT" in note for note in entry["notes"])


def test_a_link_is_called_by_its_own_name(files, tmp_path):
    volume, annotation, query, out = files
    link = tmp_path / "patient.nii.gz"
    try:
        link.symlink_to(query)
    except OSError:
        pytest.skip("no links here")
    assert transfer("--support", volume, annotation, link, "-o", out, "--no-propagation", "--quiet", *CT) == 0
    assert [p.name for p in out.iterdir()] == ["patient.seg.nrrd"]


# --- the library -----------------------------------------------------------------------------------------------------


def test_supports_from_a_library(files, tmp_path, capsys):
    volume, annotation, query, out = files
    mine = tmp_path / "mine.fsslib"
    library("add", volume, annotation, "--modality", "ct", "--library", mine)
    capsys.readouterr()
    given = [query, "-o", out, "--no-propagation", "--json", "--modality", "ct"]
    assert transfer(*given, "--library", mine, "--segment", "SEGMENT_1") == 0
    report = json.loads(capsys.readouterr().out)
    assert [(s["segment"], s["source"], s["slices"]) for s in report["supports"]] == [("Segment_1", None, [7])]
    assert report["queries"][0]["segments"][0]["name"] == "Segment_1"
    before = (out / "query.seg.nrrd").read_bytes()
    # the same bytes as from the files, and from the user's own library
    assert transfer("--support", volume, annotation, *given, *CT[2:], "--force") == 0
    assert (out / "query.seg.nrrd").read_bytes() == before
    library("add", volume, annotation, "--modality", "ct")
    assert transfer(*given, "--force") == 0
    assert (out / "query.seg.nrrd").read_bytes() == before


def test_library_and_files_together_are_shots(files, tmp_path, capsys):
    volume, annotation, query, out = files
    second = make_organ(seed=8)
    pair = [write(tmp_path / "v2.nrrd", second.image), write(tmp_path / "a2.nrrd", second.mask.astype(np.uint8))]
    library("add", *pair, "--modality", "ct", "--library", tmp_path / "m.fsslib", "--axis", "0")
    capsys.readouterr()
    given = ["--support", volume, annotation, "--library", tmp_path / "m.fsslib", query, "-o", out, "--json", *CT]
    assert transfer(*given, "--no-propagation") == 0
    assert [(s["segment"], s["source"]) for s in json.loads(capsys.readouterr().out)["supports"]] == [
        ("Segment_1", "volume.nii.gz"),
        ("Segment_1", None),
    ]


def damaged(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 255
    path.write_bytes(data)


def newer(path):
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    index = json.loads(content["library.json"]) | {"version": 99}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in (content | {"library.json": json.dumps(index).encode()}).items():
            new.writestr(name, data)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damaged, "is damaged or not complete"),
        (newer, "written by a newer version of FewShotSegment; update FewShotSegment"),
        (lambda path: path.write_bytes(b"junk"), "is not a library"),
        (lambda path: path.unlink(), "There is no library"),
    ],
)
def test_a_library_that_cannot_be_used(files, tmp_path, capsys, spoil, words):
    volume, annotation, query, out = files
    mine = tmp_path / "mine.fsslib"
    library("add", volume, annotation, "--modality", "ct", "--library", mine)
    spoil(mine)
    before = tree(tmp_path)
    capsys.readouterr()
    assert transfer(query, "-o", out, "--library", mine, "--modality", "ct") == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1 and words in printed.err
    assert tree(tmp_path) == before


# --- outputs ---------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unless_asked(files, capsys):
    volume, annotation, query, out = files
    out.mkdir()
    (out / "query.seg.nrrd").write_text("precious")
    given = ["--support", volume, annotation, query, "-o", out, "--no-propagation", "--quiet", *CT]
    assert transfer(*given) == 2
    assert "exists already; choose another name, or allow it with --force." in capsys.readouterr().err
    assert (out / "query.seg.nrrd").read_text() == "precious"
    assert transfer(*given, "--force") == 0
    assert len(read_annotation(out / "query.seg.nrrd").segments) == 1


def test_inputs_are_never_overwritten(files, tmp_path, capsys):
    volume, annotation, query, _ = files
    before = tree(tmp_path)
    given = ["--support", volume, annotation, query, "-o", tmp_path, "--format", "nii.gz", "--force", *CT]
    assert transfer(*given) == 2
    assert "one of the inputs, which are never overwritten" in capsys.readouterr().err
    # nor a support, by a query of its name
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = elsewhere / "annotation.nii.gz"
    copy.write_bytes(query.read_bytes())
    assert transfer(*[copy if a is query else a for a in given]) == 2
    assert "one of the inputs" in capsys.readouterr().err
    copy.unlink()
    elsewhere.rmdir()
    assert tree(tmp_path) == before


def test_files_of_one_name_in_two_folders(files, other, tmp_path, capsys):
    volume, annotation, _, out = files
    queries = []
    for folder in ("anna", "berta"):
        (tmp_path / folder).mkdir()
        queries.append(write(tmp_path / folder / "ct.nii.gz", other.image))
    given = ["--support", volume, annotation, *queries, "-o", out, "--no-propagation", "--quiet", *CT]
    assert transfer(*given) == 0
    assert sorted(p.name for p in out.iterdir()) == ["berta_ct.seg.nrrd", "ct.seg.nrrd"]
    before = tree(tmp_path)
    again = ["--support", volume, annotation, *queries, queries[0], "-o", tmp_path / "new", *CT]
    assert transfer(*again) == 2
    assert "is given twice; name it once." in capsys.readouterr().err
    deeper = tmp_path / "deeper" / queries[1].parent.name
    deeper.mkdir(parents=True)
    write(deeper / "ct.nii.gz", other.image)
    before = tree(tmp_path)
    again = ["--support", volume, annotation, *queries, deeper / "ct.nii.gz", "-o", tmp_path / "new", *CT]
    assert transfer(*again) == 2
    assert "Two volumes are called ct.nii.gz; carry them to two folders." in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_a_volume_called_like_anothers_confidence(files, other, tmp_path, capsys):
    volume, annotation, query, out = files
    second = write(tmp_path / "query.confidence.nii.gz", other.image)
    given = ["--support", volume, annotation, query, second, "-o", out, "--format", "nii.gz", "--confidence", "--json"]
    assert transfer(*given, "--no-propagation", *CT) == 0
    entries = json.loads(capsys.readouterr().out)["queries"]
    written = [entry[key] for entry in entries for key in ("output", "confidence")]
    assert len(set(written)) == 4
    assert sitk.ReadImage(entries[0]["confidence"]).GetPixelID() == sitk.sitkFloat32


def test_folders_are_made_where_needed_and_not_left_behind(files, tmp_path, capsys):
    volume, annotation, query, _ = files
    deep = tmp_path / "a" / "b"
    given = ["--support", volume, annotation, query, "-o", deep, "--no-propagation", "--quiet", *CT]
    assert transfer(*given, "--segment", "Liver") == 2
    assert not (tmp_path / "a").exists()
    assert transfer(*given) == 0
    assert [p.name for p in deep.iterdir()] == ["query.seg.nrrd"]
    capsys.readouterr()
    assert transfer("--support", volume, annotation, query, "-o", query, *CT) == 2
    assert "query.nii.gz is a file; name a folder for the results." in capsys.readouterr().err
    assert transfer("--support", volume, annotation, query, "-o", tmp_path / ("x" * 300), *CT) == 2
    assert re.search(r"The folder .*xxx cannot be made: .*; write elsewhere\.", capsys.readouterr().err)


# --- what cannot be done ---------------------------------------------------------------------------------------------


def test_a_bad_volume_does_not_keep_the_others_from_theirs(files, tmp_path, capsys):
    volume, annotation, query, out = files
    flat = tmp_path / "flat.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((48, 56), np.int16)), str(flat))
    given = ["--support", volume, annotation, flat, query, tmp_path / "missing.nrrd", "-o", out, "--json", *CT]
    assert transfer(*given, "--no-propagation") == 2
    printed = capsys.readouterr()
    bad, good, missing = json.loads(printed.out)["queries"]
    assert "2 dimensions" in bad["error"] and bad["output"] is None
    assert "no file or folder" in missing["error"]
    assert "error" not in good and [p.name for p in out.iterdir()] == ["query.seg.nrrd"]
    (line,) = [line for line in printed.err.splitlines() if line.startswith("fewshotsegment: ")]
    assert line.startswith("fewshotsegment: 2 of 3 volumes could not be used. flat.nrrd: ")
    assert "missing.nrrd: " in line
    # as a table
    assert transfer(*[a for a in given if a != "--json"], "--no-propagation", "--force") == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3 and "query.nii.gz" in printed.out and "flat" not in printed.out


def swapped(f, v, a, q):
    return [["--support", a, v], q]


def other_grid(f, v, a, q):
    labels = np.zeros((14, 48, 56), np.uint8)
    labels[7, 20:30, 20:30] = 1
    return [["--support", v, write(f / "shifted.nii.gz", labels, origin=(-40.0, 25.4, 300.0))], q]


def empty(f, v, a, q):
    return [["--support", v, write(f / "empty.nii.gz", np.zeros((14, 48, 56), np.uint8))], q]


def image_of(array):
    def make(f, v, a, q):
        return [["--support", v, a], write(f / "odd.nrrd", array)]

    return make


def text(f, v, a, q):
    (f / "text.nii.gz").write_text("this is not an image")
    return [["--support", v, a], f / "text.nii.gz"]


NAN = np.where(np.arange(4 * 48 * 56).reshape(4, 48, 56) == 99, np.nan, 1.0).astype(np.float32)

BAD = {
    "support missing": (lambda f, v, a, q: [["--support", "no.nii", a], q], "no file or folder no.nii"),
    "annotation missing": (lambda f, v, a, q: [["--support", v, "no.nii"], q], "no file or folder no.nii"),
    "query missing": (lambda f, v, a, q: [["--support", v, a], "no.nii"], "no file or folder no.nii"),
    "swapped": (swapped, "is not a labelmap|give the annotation, not the image"),
    "annotation of another volume": (other_grid, r"off by up to 0.4 mm"),
    "empty annotation": (empty, "is empty; draw the structure"),
    "not an image": (text, "cannot be read as an image"),
    "NaN": (image_of(NAN), "NaN, infinite or over"),
    "constant": (image_of(np.full((4, 48, 56), 5, np.int16)), "same value everywhere"),
    "4D": (image_of(np.zeros((4, 48, 56, 3), np.uint8)), "channels|components|dimensions|colour"),
    "unknown segment": (
        lambda f, v, a, q: [["--support", v, a, "--segment", "liver"], q],
        "no segment “liver” in the supports; there are: Segment_1",
    ),
    "no support at all": (lambda f, v, a, q: [q], "There is nothing to find: give an annotated volume with --support"),
    "checkpoint of the wrong method": (
        lambda f, v, a, q: [["--support", v, a, "--checkpoint", "c.pth"], q],
        "A checkpoint goes with the methods dspnet-published and alpnet, not with dspnet",
    ),
    "no checkpoint": (
        lambda f, v, a, q: [["--support", v, a, "--checkpoint", "c.pth", "--method", "alpnet"], q],
        "There is no checkpoint file c.pth",
    ),
    "across another axis": (lambda f, v, a, q: [["--support", v, a, "--axis", "1"], q], r"drawn across z .axis 0."),
    "unknown method": (lambda f, v, a, q: [["--support", v, a, "--method", "unet"], q], "--method: invalid choice"),
    "unknown format": (lambda f, v, a, q: [["--support", v, a, "--format", "png"], q], "--format: invalid choice"),
    "unknown option": (lambda f, v, a, q: [["--support", v, a, "--slcies", "1"], q], "[Uu]nrecognized arguments"),
    "support without annotation": (lambda f, v, a, q: [["--support", v], "-o", f / "x"], "expected 2 arguments"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence_exit_2_and_nothing_written(files, tmp_path, capfd, what):
    volume, annotation, query, out = files
    make, words = BAD[what]
    made = make(tmp_path, volume, annotation, query)
    arguments = [part for item in made for part in (item if isinstance(item, list) else [item])]
    if "-o" not in arguments:
        arguments += ["-o", out]
    before = tree(tmp_path)
    assert code_of(*arguments, "--modality", "mr", "--support-modality", "ct") == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("fewshotsegment: ") and lines[0].endswith(".")
    assert re.search(words, lines[0]), lines[0]
    assert tree(tmp_path) == before


def test_no_query_and_no_folder(files, capsys):
    volume, annotation, query, out = files
    assert code_of("--support", volume, annotation, "-o", out) == 2
    assert "QUERY" in capsys.readouterr().err
    assert code_of("--support", volume, annotation, query) == 2
    assert "-o/--output" in capsys.readouterr().err


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_not_run(files, tmp_path, capsys, writer):
    volume, annotation, query, out = files
    path, trace = tmp_path / "c.pth", tmp_path / "trace"
    content = {"encoder.localconv.weight": torch.zeros(2), "x": Evil(trace)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Evil(trace)))
    before = tree(tmp_path)
    given = ["--support", volume, annotation, query, "-o", out, "--method", "dspnet-published", "--checkpoint", path]
    assert transfer(*given, *CT) == 2
    assert "c.pth is refused: it holds more than tensors and could run code" in capsys.readouterr().err
    assert tree(tmp_path) == before


@pytest.fixture
def small_checkpoints(monkeypatch):
    """Published checkpoints, but of a ResNet-18: a ResNet-101 takes seconds to make."""
    from FewShotSegmentLib import networks

    published = networks.from_reference_checkpoint
    monkeypatch.setattr(
        networks, "from_reference_checkpoint", lambda path, method: published(path, method, encoder="resnet18")
    )
    torch.manual_seed(0)
    return networks.build("alpnet", "resnet18").state_dict()


def test_a_checkpoint_is_used_or_what_does_not_fit_is_named(files, tmp_path, capsys, small_checkpoints):
    volume, annotation, query, out = files
    path = tmp_path / "c.pth"
    given = ["--support", volume, annotation, query, "-o", out, "--method", "alpnet", "--checkpoint", path]
    missing = {name: t for name, t in small_checkpoints.items() if name != "encoder.localconv.weight"}
    for state, words in (
        (missing, "it lacks 1 entry: encoder.localconv.weight."),
        ({**small_checkpoints, "decoder.weight": torch.zeros(1)}, "it has unknown 1 entry: decoder.weight."),
    ):
        torch.save(state, path)
        assert transfer(*given, *CT) == 2
        assert f"The checkpoint does not fit the network: {words}" in capsys.readouterr().err
        assert not out.exists()
    torch.save({"state_dict": small_checkpoints}, path)
    assert transfer(*given, "--no-propagation", "--json", *CT) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["method"], report["checkpoint"]) == ("alpnet", str(path))
    assert (out / "query.seg.nrrd").exists()
    path.write_bytes(path.read_bytes()[:1000])
    assert transfer(*given, "--force", *CT) == 2
    assert "c.pth is damaged or not a checkpoint" in capsys.readouterr().err


def test_cancelling_keeps_what_was_written(files, other, tmp_path):
    volume, annotation, query, out = files
    second = write(tmp_path / "second.nrrd", other.image)
    seen = []
    job = TransferJob(
        [query, second], out, [(volume, annotation)], modality="ct", support_modality="ct", propagate=False
    )
    with pytest.raises(Cancelled):
        job.run(lambda *step: seen.append(step), lambda: bool(seen) and seen[-1][0] >= 1000)
    assert [p.name for p in out.iterdir()] == ["query.seg.nrrd"]
    with pytest.raises(Cancelled):
        TransferJob([query], tmp_path / "none", [(volume, annotation)]).run(cancelled=lambda: True)
    assert not (tmp_path / "none").exists()


def test_progress_of_two_volumes_is_monotone_and_ends_at_the_total(files, other, tmp_path):
    volume, annotation, query, out = files
    seen = []
    queries = [tmp_path / "missing.nrrd", query]
    TransferJob(queries, out, [(volume, annotation)], modality="ct", support_modality="ct").run(
        lambda *step: seen.append(step)
    )
    done, total = zip(*seen, strict=True)
    assert list(done) == sorted(done) and set(total) == {2000} and done[-1] == 2000


# --- without torch ---------------------------------------------------------------------------------------------------


def test_methods_are_those_of_the_engine():
    assert command._METHODS == METHODS


@pytest.mark.parametrize(
    "arguments", [["--help"], ["q.nii", "-o", "{out}", "--support", "no.nii", "no.nii"], ["q.nii"]]
)
def test_quick_answers_do_not_wait_for_torch(tmp_path, arguments):
    given = [a.format(out=tmp_path / "out") for a in arguments]
    code = (
        "import sys; from FewShotSegmentLib.cli.main import main\n"
        f"try: main(['transfer', *{given!r}])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
