"""`fewshotsegment library`: annotated slices in, a library out, and nothing in it that says whose they are."""

import json
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import write, write_series

from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.images import read_volume
from FewShotSegmentLib.support import SupportLibrary


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The user's library, which is not there yet."""
    path = tmp_path / "data" / "library.fsslib"
    monkeypatch.setenv("FEWSHOTSEGMENT_LIBRARY", str(path))
    return path


def library(*arguments):
    return main(["library", *(str(a) for a in arguments)])


def test_add_list_show_remove(case, organ, path, capsys):
    volume, annotation, _ = case
    assert library("list") == 0
    assert capsys.readouterr().out == f"The library {path} is empty; add to it with “fewshotsegment library add”.\n"
    assert library("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"library": str(path), "entries": []}
    assert not path.parent.exists()

    assert library("add", volume, annotation, "--modality", "ct") == 0
    printed = capsys.readouterr()
    (entry,) = SupportLibrary().entries()
    assert printed.out == f"Segment_1 added as {entry.id} (1 slice, CT).\n"
    assert printed.err == ""
    (support,) = SupportLibrary().load()
    (piece,) = support.slices
    assert (piece.index, piece.count, support.modality, support.source) == (7, 14, "ct", None)
    np.testing.assert_array_equal(piece.image, organ.image[7])
    np.testing.assert_array_equal(piece.mask, organ.mask[7])

    assert library("add", volume, annotation, "--modality", "ct") == 0
    printed = capsys.readouterr()
    assert printed.out == "Nothing was added.\n"
    assert printed.err.startswith("Note: Segment_1 is in the library already")

    assert library("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith(f"{entry.id}  Segment_1  CT ") and "1 × 1" in lines[1]
    assert library("list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["entries"]
    assert (listed["id"], listed["name"], listed["slices"], listed["spacing"]) == (entry.id, "Segment_1", 1, [3, 1, 1])

    assert library("show", "segment_1") == 0
    shown = capsys.readouterr().out
    assert "7 of 14" in shown and "48 × 56 of 1 × 1 mm, slices 3 mm apart" in shown and "not kept" in shown
    assert library("show", entry.id, "--json") == 0
    details = json.loads(capsys.readouterr().out)
    assert (details["indices"], details["count"], details["shape"]) == ([7], 14, [48, 56])
    assert details["intensity"]["high"] == support.intensity.high

    assert library("remove", "segment_1") == 0
    assert capsys.readouterr().out == f"Segment_1 ({entry.id}) removed.\n"
    assert library("remove", "segment_1") == 2
    assert capsys.readouterr().err == (
        f"fewshotsegment: The library {path} is empty; add to it with “fewshotsegment library add”.\n"
    )


def everything_in(path):
    """The file's bytes and, unpacked, those of all its members."""
    with zipfile.ZipFile(path) as file:
        members = [file.read(name) for name in file.namelist()]
    return b"\0".join([path.read_bytes(), *members, *(zlib.decompress(m, 31) for m in members if m[:2] == b"\x1f\x8b")])


def test_nothing_says_whose_it_is_unless_asked(tmp_path, organ, path, capsys):
    folder = tmp_path / "MUSTERMANN"
    write_series(folder, organ.image, prefix="MUSTERMANN")  # also the series description
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[7] = organ.mask[7]
    image = sitk.GetImageFromArray(labels)
    read_volume(folder).geometry.apply_to(image)
    sitk.WriteImage(image, str(tmp_path / "Mustermann labels.nrrd"))
    assert library("add", folder, tmp_path / "Mustermann labels.nrrd") == 0
    content = everything_in(path).lower()
    assert b"segment_1" in content
    for word in (b"mustermann", b"1.2.826", str(tmp_path).lower().encode()):
        assert word not in content
    assert SupportLibrary().entries()[0].modality == "ct"  # the file says so
    library("remove", "Segment_1")
    assert library("add", folder, tmp_path / "Mustermann labels.nrrd", "--keep-source") == 0
    assert SupportLibrary().entries()[0].source == "MUSTERMANN"
    assert str(tmp_path).lower().encode() not in everything_in(path).lower()
    capsys.readouterr()
    library("list")
    assert "MUSTERMANN" in capsys.readouterr().out


def test_segments_axis_and_notes(tmp_path, organ, path, capsys):
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[:, :, 28][organ.mask[:, :, 28]] = 2
    labels[:, :, 20][organ.mask[:, :, 20] & (labels[:, :, 20] == 0)] = 1
    volume, annotation = write(tmp_path / "v.nii.gz", organ.image), write(tmp_path / "a.nii.gz", labels)
    assert library("add", volume, annotation, "--segment", "2", "--json") == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert [entry["name"] for entry in report["added"]] == ["Segment_2"]
    assert report["notes"] == [printed.err.removeprefix("Note: ").strip()]
    assert report["notes"][0].startswith("Nothing says whether the volume is CT or MR")
    (support,) = SupportLibrary().load()
    assert (support.slices[0].index, support.slices[0].image.shape) == (28, (14, 48))
    assert library("add", volume, annotation, "--segment", "1", "--axis", "0") == 2
    assert "is drawn across x (axis 2), not across z (axis 0)" in capsys.readouterr().err


def test_export_and_import(case, path, tmp_path, capsys):
    volume, annotation, _ = case
    library("add", volume, annotation, "--modality", "ct", "--library", tmp_path / "mine.fsslib")
    assert not path.exists()
    handed = tmp_path / "handed.fsslib"
    capsys.readouterr()
    assert library("export", handed, "--library", tmp_path / "mine.fsslib") == 0
    assert capsys.readouterr().out == f"1 entry written to {handed}.\n"
    assert library("export", handed, "--library", tmp_path / "mine.fsslib") == 2
    assert "exists already" in capsys.readouterr().err
    assert library("export", handed, "Segment_1", "--force", "--library", tmp_path / "mine.fsslib") == 0
    capsys.readouterr()
    assert library("import", handed) == 0
    (entry,) = SupportLibrary(path).entries()
    assert capsys.readouterr().out == f"Segment_1 imported as {entry.id} (1 slice, CT).\n"
    assert library("import", handed, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["imported"] == [] and len(report["notes"]) == 1


def test_a_name_of_several_entries_is_not_shown(case, organ, path, tmp_path, capsys):
    volume, annotation, _ = case
    other = np.zeros(organ.mask.shape, np.uint8)
    other[6] = organ.mask[6]
    library("add", volume, annotation, "--modality", "ct")
    library("add", volume, write(tmp_path / "b.nii.gz", other), "--modality", "ct")
    capsys.readouterr()
    assert library("show", "Segment_1") == 2
    ids = ", ".join(entry.id for entry in SupportLibrary().entries())
    assert capsys.readouterr().err == (
        f"fewshotsegment: There are 2 entries called “Segment_1”; give one's id: {ids}.\n"
    )
    assert library("remove", "Segment_1") == 0
    assert SupportLibrary().entries() == []


def test_picture(case, path, tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    volume, annotation, _ = case
    library("add", volume, annotation, "--modality", "ct")
    picture = tmp_path / "p.png"
    assert library("show", "Segment_1", "--picture", picture) == 0
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(picture)))
    assert pixels.ndim == 3 and len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50
    assert library("show", "Segment_1", "--picture", picture) == 2
    assert "exists already" in capsys.readouterr().err
    assert library("show", "Segment_1", "--picture", tmp_path / "p.jpg") == 2
    assert "use one of .png" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert library("show", "Segment_1", "--picture", tmp_path / "q.png") == 2
    assert capsys.readouterr().err.startswith("fewshotsegment: A picture needs matplotlib; install it")
    assert not (tmp_path / "q.png").exists()


def test_bad_input_is_one_sentence_and_nothing_is_written(case, path, tmp_path, capsys):
    volume, annotation, _ = case
    junk = tmp_path / "junk.fsslib"
    junk.write_text("junk")
    for arguments, words in (
        (["add", tmp_path / "none.nii", annotation], "There is no file or folder"),
        (["add", volume, tmp_path / "none.nii"], "There is no file or folder"),
        (["add", volume, annotation, "--segment", "Liver"], "There is no segment “Liver” in annotation.nii.gz"),
        (["add", tmp_path / "none.nii", annotation, "--library", junk], "junk.fsslib is not a library"),
        (["list", "--library", junk], "junk.fsslib is not a library"),
        (["import", tmp_path / "none.fsslib"], "There is no library"),
        (["import", junk], "junk.fsslib is not a library"),
        (["export", tmp_path / "e.fsslib"], "is empty"),
        (["show", "Liver"], "is empty"),
    ):
        assert library(*arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("fewshotsegment: ") and words in lines[0]
    assert not path.parent.exists() and junk.read_text() == "junk"
    with pytest.raises(SystemExit) as stopped:
        library("add", volume)
    assert stopped.value.code == 2
    assert "The following arguments are required: ANNOTATION" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["list"], ["add", "none.nii", "none.seg.nrrd"], ["show", "Liver"]])
def test_quick_answers_do_not_wait_for_torch(tmp_path, arguments):
    code = (
        "import sys; from FewShotSegmentLib.cli.main import main\n"
        f"main(['library', *{arguments!r}, '--library', {str(tmp_path / 'a.fsslib')!r}])\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
