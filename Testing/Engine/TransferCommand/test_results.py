"""`fewshotsegment transfer`: annotated volumes and others in, a segmentation of each and a report out."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import dice, make_organ, to_image, write, write_series
from transfer_command import CT, TERM, transfer

from FewShotSegmentLib import version
from FewShotSegmentLib.images import Geometry, read_annotation, read_volume
from FewShotSegmentLib.images.seg_nrrd import SegNrrd, read_seg_nrrd, write_seg_nrrd
from FewShotSegmentLib.weights import find_weights


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
