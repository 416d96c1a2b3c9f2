"""`fewshotsegment superpixels`: files, what is kept, what is refused, several at a time."""

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
from small_cases import write, write_series
from superpixel_cases import SPACING, make_body, superpixels

from FewShotSegmentLib.superpixels import SuperpixelSettings, make_superpixels

pytest.importorskip("matplotlib")
CT = ("--modality", "ct")


def tree(folder):
    return {p: (p.read_bytes() if p.is_file() else None, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def error_of(capfd):
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fewshotsegment: ")]
    assert line.endswith(".")
    return line


def test_labels_description_and_picture(volume, tmp_path, body_ct, capsys):
    out = tmp_path / "out"
    assert superpixels(volume, "-o", out, "--min-size-mm", 200, "--json", *CT) == 0
    report = json.loads(capsys.readouterr().out)
    assert sorted(p.name for p in out.iterdir()) == [f"ct_superpixels.{e}" for e in ("json", "nii.gz", "png")]
    image, source = sitk.ReadImage(str(out / "ct_superpixels.nii.gz")), sitk.ReadImage(str(volume))
    assert np.allclose(image.GetOrigin(), source.GetOrigin()) and np.allclose(image.GetSpacing(), source.GetSpacing())
    settings = SuperpixelSettings(min_size_mm=200)
    right = make_superpixels(body_ct, SPACING, "ct", settings)
    assert (sitk.GetArrayFromImage(image) == right.labels).all()
    about = json.loads((out / "ct_superpixels.json").read_text())
    assert about["digest"] == settings.digest() == report["digest"] and about["smallest"] == 89
    assert about["superpixels"] == list(right.counts) and about["source"]["file"] == "ct.nii.gz"
    sizes = np.concatenate(right.sizes())
    assert about["size_px"] == {k: np.percentile(sizes, q) for k, q in (("p10", 10), ("median", 50), ("p90", 90))}
    assert about["size_mm2"]["median"] == pytest.approx(2.25 * about["size_px"]["median"])
    assert (out / "ct_superpixels.png").read_bytes().startswith(b"\x89PNG")
    (entry,) = report["volumes"]
    assert entry["made"] and entry["modality"] == {"used": "ct", "source": "given"} and "seconds" in entry


def test_the_picture_shows_them(body_ct):
    from io import BytesIO

    from matplotlib.image import imread

    from FewShotSegmentLib.superpixels.picture import draw

    for settings in (SuperpixelSettings(min_size=60), SuperpixelSettings(dimensions=3)):
        found = make_superpixels(body_ct, SPACING, "ct", settings)
        drawn = draw(body_ct, "ct", found)
        picture = imread(BytesIO(drawn))[..., :3]
        yellow = (np.abs(picture - (1, 0.85, 0.1)) < 0.05).all(-1)
        assert yellow.mean() > 0.003 and picture.shape[1] > 600
    assert drawn == draw(body_ct, "ct", found)


def test_what_is_there_is_kept_or_refused(volume, tmp_path, capfd, body_ct):
    out = tmp_path / "out"
    assert superpixels(volume, "-o", out, *CT) == 0
    before = tree(out)
    capfd.readouterr()
    assert superpixels(volume, "-o", out, *CT) == 0
    assert "already made" in capfd.readouterr().out and tree(out) == before
    assert superpixels(volume, "-o", out, "--min-size", 50, *CT) == 2
    assert "made with other settings (min size not given instead of 50); write to another folder" in error_of(capfd)
    assert superpixels(volume, "-o", out, "--modality", "mr") == 2
    assert "was made as CT" in error_of(capfd)
    write(volume, body_ct + np.int16(1), spacing=(1.5, 1.5, 4.0))
    assert superpixels(volume, "-o", out, *CT) == 2
    assert "from another image" in error_of(capfd)
    assert tree(out) == before
    assert superpixels(volume, "-o", out, "--min-size", 50, "--force", *CT) == 0
    assert json.loads((out / "ct_superpixels.json").read_text())["smallest"] == 50
    # changed or taken away by somebody
    (out / "ct_superpixels.nii.gz").write_bytes(b"other")
    assert superpixels(volume, "-o", out, "--min-size", 50, *CT) == 2
    assert "has been changed since" in error_of(capfd)
    (out / "ct_superpixels.json").write_text("[]")
    assert superpixels(volume, "-o", out, "--min-size", 50, *CT) == 2
    assert "no description of superpixels" in error_of(capfd)
    (out / "ct_superpixels.json").unlink()
    assert superpixels(volume, "-o", out, "--min-size", 50, *CT) == 2
    assert "not all that belongs to it" in error_of(capfd)


def test_a_bad_volume_does_not_keep_the_others_from_theirs_and_two_at_a_time_give_the_same(volume, tmp_path, capfd):
    (tmp_path / "text.nii.gz").write_text("no image")
    other = write(tmp_path / "other.nii.gz", make_body(seed=3), spacing=(1.5, 1.5, 4.0))
    given = (volume, tmp_path / "text.nii.gz", tmp_path / "none.nii", other, "--json", *CT)
    for jobs, folder in ((1, "a"), (2, "b")):
        assert superpixels(*given, "-o", tmp_path / folder, "--jobs", jobs) == 2
        printed = capfd.readouterr()
        good, text, missing, last = json.loads(printed.out)["volumes"]
        assert good["made"] and last["made"] and "error" in text and "no file or folder" in missing["error"]
        assert "2 of 4 volumes could not be used. text.nii.gz: " in printed.err
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in "ab")
    assert len(first) == 6 and first == second


def test_folders(tmp_path, body_ct, capfd):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.nii.gz", "a_labels.nii.gz", "b.nrrd", "c.seg.nrrd", "d_superpixels.nii.gz", ".hidden.nii.gz"):
        write(images / name, body_ct, spacing=(1.5, 1.5, 4.0))
    (images / "cases.json").write_text("[]")
    series = write_series(tmp_path / "series", body_ct)
    out = tmp_path / "out"
    assert superpixels(images, images / "a.nii.gz", series, "-o", out, "--jobs", 1, "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert [os.path.basename(entry["volume"]) for entry in report["volumes"]] == ["a.nii.gz", "b.nrrd", "series"]
    assert [entry["modality"]["source"] for entry in report["volumes"]] == ["guessed", "guessed", "file"]
    assert (out / "series_superpixels.nii.gz").is_file()
    # two of one name
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "a.nii.gz").write_bytes((images / "a.nii.gz").read_bytes())
    assert superpixels(images / "a.nii.gz", twin / "a.nii.gz", "-o", tmp_path / "o2", "--jobs", 1, *CT) == 0
    assert {p.name for p in (tmp_path / "o2").glob("*.png")} == {"a_superpixels.png", "twin_a_superpixels.png"}


def test_ct_and_mr_together_are_said(volume, tmp_path, body_ct, capfd):
    mr = write(tmp_path / "mr.nii.gz", (body_ct + 1000).clip(0), spacing=(1.5, 1.5, 4.0))
    assert superpixels(volume, mr, "-o", tmp_path / "out", "--jobs", 1) == 0
    said = capfd.readouterr().err
    assert "There are CT and MR volumes" in said and "ct.nii.gz: Nothing says whether" in said


def test_bad_input_is_one_sentence_and_nothing_is_written(volume, tmp_path, capfd, body_ct):
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "file").write_text("")
    write(tmp_path / "labels" / "x_labels.nii.gz", body_ct)
    flat = write(tmp_path / "flat.nii.gz", np.full((3, 9, 9), 7, np.int16))
    before = tree(tmp_path)
    out = tmp_path / "out"
    for given, words in [
        (["none.nii.gz", "-o", out], "no file or folder none.nii.gz"),
        ([tmp_path / "empty", "-o", out], "no image in the folder"),
        ([tmp_path / "labels", "-o", out], "holds labels only"),
        ([flat, "-o", out], "no contrast"),
        ([volume, "-o", tmp_path / "file"], "is a file; name a folder"),
        ([volume, "-o", tmp_path / "file" / "x"], "cannot be written to"),
        ([volume, "-o", out, "--method", "quickshift", "--dimensions", "3"], "slices only"),
        ([volume, "-o", out, "--min-size", "9", "--min-size-mm", "9"], "not allowed with"),
        ([volume, "-o", out, "--jobs", "0"], "[At] least one"),
        ([volume, "-o", out, "--scale", "nan"], "scale"),
    ]:
        assert superpixels(*given, "--modality", "mr") == 2, given
        line = error_of(capfd)
        assert words.strip("[At] ") in line, line
        assert tree(tmp_path).keys() == before.keys()


def test_a_full_disk_leaves_what_was_there(volume, tmp_path, capfd, monkeypatch):
    from FewShotSegmentLib.superpixels import files

    out = tmp_path / "out"
    assert superpixels(volume, "-o", out, *CT) == 0
    before = tree(out)
    monkeypatch.setattr(files, "is_whole", lambda path: False)
    capfd.readouterr()
    assert superpixels(volume, "-o", out, "--force", *CT) == 2
    assert "the disk is full" in error_of(capfd) and tree(out) == before


def test_a_wrong_name_is_answered_without_torch_or_skimage(tmp_path):
    code = (
        "import sys; from FewShotSegmentLib.cli.main import main; rc = main(sys.argv[1:]); "
        "assert not {'torch', 'skimage', 'scipy', 'matplotlib'} & set(sys.modules); sys.exit(rc)"
    )
    call = [sys.executable, "-c", code, "superpixels", "no.nii.gz", "-o", str(tmp_path / "o")]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("fewshotsegment: There is no file or folder no.nii.gz")


def children(pid):
    """Processes of a process, and theirs."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            text = Path(f"/proc/{entry}/stat").read_text() if entry.isdigit() else ""
        except OSError:
            continue
        if text and int(text.rsplit(")", 1)[1].split()[1]) == pid:
            found += [int(entry), *children(int(entry))]
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(tmp_path, how):
    files = [write(tmp_path / f"{n}.nii.gz", make_body((120, 200, 220), n)) for n in range(2)]
    out = tmp_path / "out"
    call = [sys.executable, "-m", "FewShotSegmentLib.cli.main", "superpixels", *map(str, files), "-o", str(out)]
    call += ["--jobs", "2", "--modality", "ct", "--method", "quickshift"]
    process = subprocess.Popen(call, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 120  # a busy machine takes long to start three processes
    while len(children(process.pid)) < 3 and time.monotonic() < end:  # two workers and multiprocessing's tracker
        time.sleep(0.1)
    time.sleep(0.5)
    workers = children(process.pid)
    assert len(workers) >= 3
    os.killpg(process.pid, how) if how == signal.SIGINT else process.kill()
    _, said = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == 130 and said == "fewshotsegment: Cancelled: nothing was written.\n"
        assert not out.exists()
    end = time.monotonic() + 15
    while any(os.path.exists(f"/proc/{pid}") and not zombie(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}") and not zombie(pid)]


def zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_real_images(shared, tmp_path):
    images = sorted((shared / "data" / "pretrain").glob("scd_*_es_image.nii.gz"))[:1]
    if not images:
        pytest.skip("the image is not here")
    assert superpixels(*images, "-o", tmp_path / "out", "--modality", "mr") == 0
    about = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert 5 < np.mean(about["superpixels"]) < 60 and 400 < about["size_px"]["median"] < 3000
