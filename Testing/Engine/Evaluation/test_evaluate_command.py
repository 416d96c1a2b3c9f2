"""The command, from a folder of scans to the report: what is done stays done, and numbers repeat."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from FewShotSegmentLib.cli.evaluate import PROTOCOLS
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.errors import Cancelled, InputError
from FewShotSegmentLib.evaluation import methods, protocols, runner
from FewShotSegmentLib.evaluation.datasets import find
from FewShotSegmentLib.evaluation.job import EvaluateJob
from FewShotSegmentLib.evaluation.store import RowStore, file_name

CASES = 3


def write_case(folder: Path, number: int) -> None:
    """A ball of 9 slices that lies elsewhere in each patient, in noise of a fixed seed."""
    z, y, x = np.mgrid[:12, :40, :44]
    ball = ((z - 6) / 4.6) ** 2 + ((y - 18 - number) / 9) ** 2 + ((x - 20 + number) / 10) ** 2 < 1
    noise = np.random.default_rng(number).normal(0, 6, ball.shape)
    for kind, array in (("image", (ball * 120 + noise).astype(np.int16)), ("labels", ball.astype(np.uint8))):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((1.5, 1.5, 4.0))
        sitk.WriteImage(image, str(folder / f"p{number}_{kind}.nii.gz"))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for number in range(CASES):
        write_case(folder, number)
    cases = [{"case": f"p{number}", "modality": "MR", "labels": {"1": "ball"}} for number in range(CASES)]
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    return folder


@pytest.fixture
def command(scans, tmp_path, capsys):
    def run(protocol, *arguments, name="report"):
        given = [protocol, "--data", f"generic:{scans}", "-o", str(tmp_path / name), "--jobs", "1", *arguments]
        code = main(["evaluate", *given])
        return code, capsys.readouterr(), tmp_path / name

    return run


def numbers(folder):
    """All of a report's rows but what is measured in time and memory."""
    rows = RowStore(folder).all_rows()
    return [{k: v for k, v in row.to_json().items() if k not in ("seconds", "peak_mb")} for row in rows]


def test_the_help_names_all_protocols():
    assert protocols.names() == PROTOCOLS


def test_a_report_of_one_protocol(command):
    code, said, folder = command("one-slice", "--methods", "copy,demons", "--anchors", "1,3")
    assert code == 0, said.err
    assert "copy" in said.out and "demons" in said.out and "report.html" in said.out
    rows = list(csv.DictReader((folder / "cases.csv").open(encoding="utf-8")))
    assert len(rows) == CASES * 2 * 2
    assert {row["method"] for row in rows} == {"copy", "demons"}
    by = {(row["case"], row["method"], row["setting"]): float(row["dice"]) for row in rows}
    # a ball shrinks towards its ends: repeating its middle slice runs on past them
    assert all(by[f"p{n}", "copy", "1 slice"] < by[f"p{n}", "demons", "1 slice"] for n in range(CASES))
    assert (folder / "report.html").read_text("utf-8").lower().startswith("<!doctype html>")
    assert json.loads((folder / "summary.json").read_text("utf-8"))


def test_slicers_tools_are_said_to_be_for_one_volume_only(scans, tmp_path, monkeypatch):
    from FewShotSegmentLib.evaluation import job

    monkeypatch.setattr(job, "evaluate", lambda *_, **__: runner.Outcome([], [], 0, 0.0))
    told, _ = EvaluateJob("whole-volume", [f"generic:{scans}"], tmp_path / "r").run()
    assert {"Grow from seeds", "Fill between slices", "engine"} <= set(told["missing"])
    assert told["missing"]["Grow from seeds"] == "It needs annotated slices of the volume itself."
    assert "It needs annotated slices of the volume itself." in (tmp_path / "r" / "report.html").read_text("utf-8")


def test_what_is_done_is_not_done_again(command, monkeypatch):
    asked = []
    real = methods.make

    def counted(recipe):
        asked.append(recipe.name)
        return real(recipe)

    monkeypatch.setattr(methods, "make", counted)
    runner._MADE.clear()
    assert command("one-slice", "--methods", "copy", "--anchors", "1")[0] == 0
    first = numbers(command("one-slice", "--methods", "copy", "--anchors", "1")[2])
    assert asked == ["copy"]
    # another method joins; the first one's rows stay
    runner._MADE.clear()
    code, _, folder = command("one-slice", "--methods", "copy,demons", "--anchors", "1")
    assert code == 0 and asked == ["copy", "demons"]
    assert [row for row in numbers(folder) if row["method"] == "copy"] == first


def test_numbers_repeat_whatever_the_number_of_processes(command):
    one = command("robustness", "--methods", "copy", "--disturbances", "noise")[2]
    two = command("robustness", "--methods", "copy", "--disturbances", "noise", "--jobs", "2", name="other")[2]
    assert numbers(one) == numbers(two) and len(numbers(one)) >= 2 * CASES


def test_other_settings_do_not_mix_in_one_folder(command):
    assert command("one-slice", "--methods", "copy", "--anchors", "1")[0] == 0
    code, said, folder = command("one-slice", "--methods", "copy", "--anchors", "1,3")
    assert code == 2 and "other settings (options)" in said.err and "--restart" in said.err
    before = len(numbers(folder))
    assert command("one-slice", "--methods", "copy", "--anchors", "1,3", "--restart")[0] == 0
    assert len(numbers(folder)) == 2 * before


def test_a_folder_with_other_files_is_left_alone(command, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.txt").write_text("mine")
    code, said, folder = command("one-slice", "--methods", "copy", "--restart")
    assert code == 2 and "holds other files" in said.err
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_stop_keeps_what_is_done(scans, tmp_path):
    cases = find(f"generic:{scans}", [])
    plan = runner.Plan("one-slice", {"anchors": "1"}, methods.recipes(["copy"], "within", {}))
    done = []
    with pytest.raises(Cancelled):
        runner.evaluate(
            plan, cases, tmp_path / "r", progress=lambda n, _: done.append(n), cancelled=lambda: done[-1] == 2
        )
    assert len(RowStore(tmp_path / "r").all_rows()) == 2
    outcome = runner.evaluate(plan, cases, tmp_path / "r")
    assert outcome.before == 2 and len(outcome.rows) == CASES


def test_ctrl_c_says_that_the_work_is_kept(command, monkeypatch):
    def stopped(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(EvaluateJob, "run", stopped)
    code, said, _ = command("one-slice", "--methods", "copy")
    assert code == 130 and said.err.endswith("is kept, and the same command goes on from there.\n")


def test_a_scan_that_cannot_be_read_is_said_and_the_others_are_measured(scans, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for path in scans.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "p1_image.nii.gz").write_bytes(b"no image")
    told, rows = EvaluateJob("one-slice", [f"generic:{folder}"], tmp_path / "r", ["copy"], {"anchors": "1"}).run()
    assert {row.case for row in rows} == {"p0", "p2"}
    assert len(told["left out"]) == 1 and told["left out"][0].startswith("p1 was not measured: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "magic"], "magic"),
        (["--organs", "heart"], "heart"),
        (["--jobs", "0"], "--jobs takes a whole number from 1"),
        (["--preset", "lung"], "no preset lung"),
        (["--subtask", "1"], "--baseline"),
        (["--data", "chaos"], "DATASET:FOLDER"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(command, arguments, words):
    code, said, folder = command("one-slice", *arguments)
    assert code == 2 and words in said.err
    assert said.err.count("\n") == 1 and "Traceback" not in said.err
    assert not folder.exists()


def test_a_full_disk_is_a_sentence_and_what_was_done_stays(command, monkeypatch):
    from FewShotSegmentLib.evaluation.report import files

    replace, left = files.os.replace, [2]

    def full(part, path):
        if str(path).endswith(".json") and "rows" in str(path):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
        replace(part, path)

    monkeypatch.setattr(files.os, "replace", full)
    code, said, folder = command("one-slice", "--methods", "copy", "--anchors", "1")
    assert code == 2 and "No space left on device" in said.err and said.err.count("\n") == 1
    assert len(numbers(folder)) == 2
    monkeypatch.undo()
    assert command("one-slice", "--methods", "copy", "--anchors", "1")[0] == 0 and len(numbers(folder)) == CASES


def test_what_a_method_could_not_take_is_told(tmp_path, capsys):
    write_case(tmp_path, 0)
    flat = sitk.ReadImage(str(tmp_path / "p0_image.nii.gz")) * 0
    sitk.WriteImage(flat, str(tmp_path / "p0_image.nii.gz"))
    cases = [{"case": "p0", "modality": "MR", "labels": {"1": "ball"}}]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    given = ["--data", f"generic:{tmp_path}", "--methods", "engine", "--anchors", "1", "-o", str(tmp_path / "r")]
    assert main(["evaluate", "one-slice", *given, "--jobs", "1"]) == 0
    assert "engine found nothing of p0 ball: The volume has the same value everywhere" in capsys.readouterr().err


def test_how_a_folder_has_to_look_is_told(capsys):
    assert main(["evaluate", "published", "--data", "sabs:help"]) == 0
    assert "label0001.nii.gz" in capsys.readouterr().out


def test_names_of_files_are_safe_and_differ():
    names = [file_name(key) for key in ("a/b", "a:b", "a b", "ä" * 300)]
    assert len(set(names)) == 4 and all(len(name) < 140 and "/" not in name and ":" not in name for name in names)


def test_training_images_of_the_published_protocol(scans, tmp_path, capsys):
    from FewShotSegmentLib.episodes.sources import find_sources

    folder = tmp_path / "training"
    arguments = ["--data", f"generic:{scans}", "--setting", "2", "--organs", "ball", "--folds", "3"]
    assert main(["evaluate", "published", *arguments, "--export-training", str(folder)]) == 0
    fold = json.loads((folder / "fold0.json").read_text("utf-8"))
    (entry,) = fold["train"]
    assert entry["case"] not in (*fold["test"], *fold["support"])
    image = sitk.ReadImage(str(folder / entry["image"]))
    # of 12 slices the ball's are cut out
    assert image.GetSize()[2] == 12 - len(entry["left_out_slices"]) == 3
    sources, _ = find_sources([folder / "fold0.json"])
    assert [(s.name, s.modality) for s in sources] == [(entry["case"], "mr")]
    assert main(["evaluate", "published", *arguments, "--export-training", str(folder)]) == 2
    assert "is not empty" in capsys.readouterr().err
    with pytest.raises(InputError, match="not a fold's list"):
        find_sources([scans / "cases.json"])
