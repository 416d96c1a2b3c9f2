"""`fewshotsegment transfer`: supports from a library, and what is written where."""

import json
import re
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from small_cases import make_organ, write
from transfer_command import CT, library, transfer, tree

from FewShotSegmentLib.images import read_annotation


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
