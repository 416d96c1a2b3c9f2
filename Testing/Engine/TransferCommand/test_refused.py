"""`fewshotsegment transfer`: what cannot be done is said in one sentence, and nothing is written."""

import json
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from small_cases import write
from transfer_command import CT, code_of, transfer, tree

from FewShotSegmentLib import Cancelled
from FewShotSegmentLib.cli import transfer as command
from FewShotSegmentLib.transfer import METHODS
from FewShotSegmentLib.transfer_job import TransferJob


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
