"""The bench measures what it says: cases, scores, columns and checks, on generated volumes."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from unittest import mock

import ablation
import accuracy
import methods
import numpy as np
import pytest
import run
import shared_prototype
import SimpleITK as sitk
from cases import SOURCES, evaluated_cases, read_cases, small_supports
from methods import BY_KEY, METHODS
from scores import Score, dice, mean, score

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation import methods as catalogue
from FewShotSegmentLib.evaluation.method import Answer, Recipe, Volume, Within
from FewShotSegmentLib.evaluation.methods.base import Base
from FewShotSegmentLib.images import Geometry

SHARED = Path(os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared"))


def _moving_disc() -> np.ndarray:
    """Moves by a pixel and a half a slice, on slices 2 to 12."""
    z, rows, columns = np.mgrid[:15, :48, :48]
    disc = (rows - 24) ** 2 + (columns - 15 - 1.5 * (z - 2)) ** 2 < 49
    disc[:2] = disc[13:] = False
    return disc


DISC = _moving_disc()


def write_cases(shared: Path, *names: str, labels: np.ndarray | None = None) -> None:
    """A data/dev of MR cases with the disc (label 1) and a speck on two slices (label 2)."""
    folder = shared / "data" / "dev"
    folder.mkdir(parents=True)
    if labels is None:
        labels = DISC.astype(np.uint8)
        labels[5:7, :4, :4] = 2
    image = np.rint(60 + 100 * (labels == 1) + np.random.default_rng(0).normal(0, 4, labels.shape)).astype(np.int16)
    for name in names:
        for kind, array in (("image", image), ("labels", labels)):
            sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}_{kind}.nii.gz"))
    entries = [{"case": name, "modality": "MR", "labels": {"1": "disc", "2": "speck"}} for name in names]
    (folder / "cases.json").write_text(json.dumps(entries), encoding="utf-8")


class Nearest(Base):
    """Stands in for the engine: each slice has the mask of the nearest annotated one, of two the lower."""

    def within(self, question: Within) -> Answer:
        return Answer(nearest(question.anchors, len(question.volume.image)), np.linspace(1, 0.5, 15))


def nearest(anchors, count: int) -> np.ndarray:
    return np.stack([anchors[min(sorted(anchors), key=lambda a: abs(a - z))] for z in range(count)])


def make_nearest(recipe: Recipe) -> Nearest:
    return Nearest(recipe)


@pytest.fixture
def stand_in(monkeypatch):
    """`Nearest` instead of the engine."""
    catalogue.register("stand-in", make_nearest)
    (recipe,) = catalogue.recipes(["stand-in"], "within")
    made = Recipe("engine", "engine", ("within",), "", recipe.options)
    monkeypatch.setattr(methods, "recipes", lambda wanted, shared: ({"engine": made}, {}))
    return made


def test_dice():
    left, right = np.zeros(8, bool), np.zeros(8, bool)
    left[:4] = right[2:6] = True
    assert dice(left, right) == 0.5
    assert math.isnan(dice(left, np.zeros(8, bool)))


def test_scores_leave_the_given_slices_out():
    reference = np.zeros((6, 4, 4), dtype=bool)
    reference[1:5, :2] = True
    only_the_given = np.zeros_like(reference)
    only_the_given[2] = reference[2]
    assert score(only_the_given, reference, [2]) == Score(0.0, 0.0)
    all_but_the_given = reference.copy()
    all_but_the_given[2] = False
    assert score(all_but_the_given, reference, [2]) == Score(1.0, 1.0)


def test_extent_does_not_count_what_runs_past_the_ends():
    reference = np.zeros((6, 4, 4), dtype=bool)
    reference[1:4, :2] = True
    everywhere = np.repeat(reference[2][None], 6, axis=0)
    found = score(everywhere, reference, [2])
    assert found.extent == 1.0
    assert found.whole == pytest.approx(2 * 2 / (2 + 5))


def test_mean_passes_over_what_has_no_score():
    assert mean([Score(0.5, math.nan), Score(1.0, 0.25)]) == Score(0.75, 0.25)
    assert math.isnan(mean([]).whole)


def test_methods_have_keys_of_their_own_and_known_settings():
    assert len(BY_KEY) == len(METHODS)
    assert {method.setting for method in METHODS} == {"1 slice", "3 slices", "5 slices", "5 slices, range"}
    asked = {(method.name, method.anchors) for method in METHODS}
    assert asked == {
        ("copy", "1"),
        *((name, "1,3") for name in ("demons", "flow", "prototype-shared", "grow", "engine", "fill")),
        *((name, "5") for name in ("engine", "fill")),
    }
    assert {BY_KEY[key].name for key in methods.IN_THREE} == {
        *("engine", "demons", "flow", "prototype-shared", "grow", "fill")
    }


def test_cases_are_the_first_of_each_source_with_the_source_as_group(tmp_path):
    write_cases(tmp_path, "hippocampus_1", "scd_b", "other", "scd_a")
    found = [(case.name, case.group, case.modality) for case in evaluated_cases(tmp_path, None)]
    hearts = [("scd_b", "heart MR", "mr"), ("scd_a", "heart MR", "mr")]
    assert found == [*hearts, ("hippocampus_1", "hippocampus MR", "mr")]
    assert [case.name for case in evaluated_cases(tmp_path, 1)] == ["scd_b", "hippocampus_1"]
    assert [case.name for case in read_cases(tmp_path)["heart MR"]] == ["scd_b", "scd_a"]


def test_a_support_is_small_by_its_middle_slice(tmp_path):
    labels = np.zeros((7, 12, 12), np.uint8)
    labels[1:6, :5, :5] = 1
    labels[1:6, 8:, 8:] = 2
    labels[3, 8:, 8:] = 0
    labels[3, 8:11, 8:11] = 2
    write_cases(tmp_path, "scd_a", labels=labels)
    assert small_supports(evaluated_cases(tmp_path, None)) == {("scd_a", "speck")}


def measured(shared: Path, folder: Path, *keys: str) -> tuple[list[accuracy.Record], list[str]]:
    chosen = [BY_KEY[key] for key in keys]
    recipes, _ = methods.recipes(chosen, shared)
    skipped: list[str] = []
    rows = accuracy.measure(evaluated_cases(shared, None), chosen, recipes, folder, skipped)
    return accuracy.make_records(rows, chosen, ()), skipped


def test_scores_leave_out_what_was_given_and_in_common_that_of_both_settings(tmp_path, stand_in):
    labels = DISC.astype(np.uint8)
    labels[12] = 0  # 10 slices from 2 to 11: the middle one, 7, is not at a quarter (4, 6, 9)
    write_cases(tmp_path, "scd_made", labels=labels)
    reference = labels == 1
    ((record,), skipped) = measured(tmp_path, tmp_path / "rows", "engine1", "engine3", "engine5")
    given = {"engine1": [7], "engine3": [4, 6, 9], "engine5": [2, 4, 6, 9, 11]}
    answers = {key: nearest({z: reference[z] for z in slices}, 15) for key, slices in given.items()}
    both = [4, 6, 7, 9]
    assert record.one == {"engine1": pytest.approx(score(answers["engine1"], reference, [7]))}
    assert record.three == {
        "engine1": pytest.approx(score(answers["engine1"], reference, both)),
        "engine3": pytest.approx(score(answers["engine3"], reference, both)),
        "engine5": pytest.approx(score(answers["engine5"], reference, given["engine5"])),
    }
    assert record.one["engine1"].whole < record.one["engine1"].extent
    assert (record.source, record.title, record.slices) == ("heart MR", "scd_made disc", 10)
    assert record.seconds.keys() == given.keys()
    assert skipped == ["scd_made speck: no slice holds it."]


def test_a_structure_too_short_for_three_slices_has_no_score_with_any(tmp_path, stand_in):
    labels = DISC.astype(np.uint8)
    labels[5:] = 0
    write_cases(tmp_path, "scd_made", labels=labels)
    for keys in (["engine1", "engine3"], ["engine1"]):
        ((record,), skipped) = measured(tmp_path, tmp_path / "rows", *keys)
        assert record.one["engine1"].extent > 0.5
        assert record.three.keys() == set(keys)
        assert all(math.isnan(value) for found in record.three.values() for value in found)
        assert "scd_made disc: 3 slices are too few for 3 annotated ones." in skipped
    assert record.seconds.keys() == {"engine1"}


class Refusing(Base):
    """Has no answer."""

    def within(self, question: Within) -> Answer:
        raise InputError("There is too little contrast.")


def make_refusing(recipe: Recipe) -> Refusing:
    return Refusing(recipe)


def test_who_refuses_has_found_nothing_and_is_named(tmp_path, monkeypatch):
    write_cases(tmp_path, "scd_made")
    catalogue.register("refusing", make_refusing)
    (recipe,) = catalogue.recipes(["refusing"], "within")
    made = Recipe("copy", "copy", ("within",), "", recipe.options)
    monkeypatch.setattr(methods, "recipes", lambda wanted, shared: ({"copy": made}, {}))
    ((record,), skipped) = measured(tmp_path, tmp_path / "rows", "copy")
    assert record.one == {"copy": Score(0.0, 0.0)}
    assert "scd_made disc, copy, 1 slice: There is too little contrast." in skipped


def write_prototype(shared: Path) -> None:
    """A prototype that adds its one weight to the image and takes what is above 100 (CT) for the organ."""
    from safetensors.torch import save_file

    torch = pytest.importorskip("torch")
    folder = shared / "prototype"
    (folder / "weights").mkdir(parents=True)
    save_file({"weight": torch.full((1,), 5.0, dtype=torch.float16)}, folder / "weights/propagator-v0.safetensors")
    network = "import torch\nclass Propagator(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    network += "        self.weight = torch.nn.Parameter(torch.zeros(1))\n"
    (folder / "propagator.py").write_text(network, encoding="utf-8")
    inference = "def propagate(model, volume, z0, mask):\n    assert not model.training\n"
    inference += "    found = volume + model.weight.item() == 245\n    found[z0] = mask\n    return found\n"
    (folder / "infer.py").write_text(inference, encoding="utf-8")


def test_the_prototype_sees_soft_tissue_and_takes_slices_one_by_one(tmp_path):
    assert shared_prototype.missing(tmp_path).startswith("infer.py, propagator.py, propagator-v0.safetensors not")
    write_prototype(tmp_path)
    found, missing = methods.recipes([BY_KEY["prototype"]], tmp_path)
    assert missing == {}
    method = shared_prototype.make(found["prototype-shared"])
    assert (method.parameters, method.title) == (1, "prototype")
    image = np.zeros((3, 4, 5), np.int16)
    image[2, 1] = 900  # becomes 240
    image[2, 2] = 239
    mask = np.ones((4, 5), bool)
    volume = Volume(image, Geometry(image.shape, np.eye(4)), "ct")
    answer = method.within(Within(volume, {0: mask}))
    assert answer.mask[0].all() and not answer.mask[1].any()
    assert np.flatnonzero(answer.mask[2].any(axis=1)).tolist() == [1]
    assert not method.within(Within(Volume(image, volume.geometry, "mr"), {0: mask})).mask[1:].any()
    # of several, each has the slices nearest to it; of two as near the lower one
    seen = []
    infer = method._infer.propagate
    method._infer.propagate = lambda model, part, at, own: seen.append((len(part), at)) or infer(model, part, at, own)
    several = np.zeros((9, 4, 5), np.int16)
    several[6, 1] = 900
    volume = Volume(several, Geometry(several.shape, np.eye(4)), "ct")
    found = method.within(Within(volume, {1: mask, 5: mask, 8: mask})).mask
    assert seen == [(4, 1), (3, 1), (2, 1)]
    assert found.any((1, 2)).nonzero()[0].tolist() == [1, 5, 6, 8] and found[6].any(1).nonzero()[0].tolist() == [1]


def test_what_cannot_be_run_is_said_column_by_column(tmp_path, monkeypatch):
    monkeypatch.setattr(methods.engine, "missing", lambda: "torch is not installed")
    found, missing = methods.recipes([BY_KEY[key] for key in ("copy", "engine1", "engine3", "prototype")], tmp_path)
    assert list(found) == ["copy"]
    assert missing.keys() == {"engine1", "engine3", "prototype"}
    assert missing["engine3"] == "torch is not installed"


def test_variants_of_the_ablation_have_their_settings(tmp_path, monkeypatch):
    from FewShotSegmentLib.settings import Settings

    write_cases(tmp_path, "scd_made")
    made = []

    def load():
        made.append(mock.Mock(settings=Settings(), network=mock.Mock(), refiner=mock.Mock()))
        made[-1].network.parameters.return_value = made[-1].refiner.parameters.return_value = []
        made[-1].notes = []
        made[-1].propagate.side_effect = lambda image, anchors, **more: mock.Mock(
            mask=nearest(anchors, len(image)), slice_confidence=np.ones(len(image))
        )
        return made[-1]

    monkeypatch.setattr(ablation.bench_engine, "load", load)
    (record,) = ablation.measure(tmp_path, ["as it is", "registration alone"], 1)
    as_it_is, registration = made
    assert as_it_is.settings == Settings() and as_it_is.refiner is not None
    assert registration.settings.network_share == 0 and registration.refiner is None
    assert record.one["as it is"] == record.one["registration alone"]
    assert record.one["as it is"] == pytest.approx(score(nearest({7: DISC[7]}, 15), DISC, [7]))
    assert record.seconds.keys() == {"as it is", "registration alone"} and record.three == {}


def test_arguments_refuse_what_cannot_be_measured(tmp_path, capsys):
    for wrong in (["--methods", "magic"], ["--cases-per-source", "0"], ["--shared", str(tmp_path)]):
        with pytest.raises(SystemExit) as stopped:
            run.arguments(wrong)
        assert stopped.value.code == 2
    assert "no data/dev/cases.json" in capsys.readouterr().err


def test_a_run_prints_tables_skips_and_the_json(tmp_path, capsys):
    write_cases(tmp_path, "scd_made")
    file = tmp_path / "out.json"
    call = ["--shared", str(tmp_path), "--methods", "copy,demons,prototype", "--no-cost", "--json", str(file)]
    assert run.main(call) == 0
    printed = capsys.readouterr().out
    assert "scd_made disc" in printed
    assert "scd_made speck: 2 slices" in printed
    assert "NOT MEASURED: infer.py" in printed
    assert "report:" not in printed
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [record["structure"] for record in written["structures"]] == ["disc"]
    assert written["means"]["one"].keys() == {"copy", "demons"}
    copied = score(np.repeat(DISC[7][None], 15, axis=0), DISC, [7])
    assert written["means"]["one"]["copy"] == pytest.approx(copied._asdict())
    # demons follow the disc within its slices, and run past its ends like the copy
    assert written["means"]["one"]["demons"]["extent"] > 0.9 > copied.extent + 0.1
    assert written["means"]["one"]["demons"]["whole"] > copied.whole


def test_nothing_that_can_be_measured_is_no_failure(tmp_path, capsys):
    write_cases(tmp_path, "scd_made")
    call = ["--shared", str(tmp_path), "--methods", "prototype", "--no-cost", "--no-transfer"]
    assert run.main(call) == 0
    assert capsys.readouterr().out.count("NOT MEASURED") == 2 + 6


def test_a_report_is_kept_and_the_same_call_goes_on_with_it(tmp_path, monkeypatch, capsys):
    write_cases(tmp_path, "scd_made")
    folder = tmp_path / "report"
    call = ["--shared", str(tmp_path), "--no-cost", "--no-transfer", "--report", str(folder), "--methods"]
    assert run.main([*call, "copy"]) == 0
    before = capsys.readouterr().out
    assert f"report: {folder / 'one-slice' / 'report.html'}" in before
    assert "scd_made" in (folder / "one-slice" / "report.html").read_text(encoding="utf-8")
    (line,) = csv.DictReader((folder / "one-slice" / "cases.csv").read_text(encoding="utf-8").splitlines())
    assert (line["group"], line["method"], line["setting"]) == ("heart MR", "copy", "1 slice")
    assert (folder / "one-slice" / line["mask"]).is_file()
    # other columns come beside what is there
    assert run.main([*call, "copy,flow"]) == 0
    capsys.readouterr()
    asked = mock.Mock(side_effect=AssertionError("asked again"))
    monkeypatch.setattr(catalogue, "make", asked)
    assert run.main([*call, "copy"]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == before.splitlines()[:-1]
    (folder / "one-slice" / "copy-1" / "evaluation.json").unlink()
    assert run.main([*call, "copy"]) == 2
    assert "holds other files" in capsys.readouterr().out


@pytest.mark.skipif(not (SHARED / "data" / "dev" / "cases.json").is_file(), reason="no shared folder with data/dev")
def test_sources_of_the_shared_folder():
    grouped = read_cases(SHARED)
    assert list(grouped) == [title for title, _, _ in SOURCES]
    assert [case.name for case in grouped["limb tumour MR"][:3]] == ["sts027_mr_t1", "sts028_mr_t1", "sts029_mr_t1"]
    assert [case.name for case in grouped["limb tumour CT"][:3]] == ["sts028_ct", "sts029_ct", "sts031_ct"]
    assert [len(case.labels) for case in grouped["head-neck CT"][:3]] == [7, 3, 4]
    assert {len(case.labels) for case in grouped["hippocampus MR"]} == {2}
    assert len(grouped["fetal brain MR"]) == 2
    cases = evaluated_cases(SHARED, 3)
    assert [case.name for case in cases] == [case.name for own in grouped.values() for case in own[:3]]
    first = next(case for case in cases if case.group == "head-neck CT")
    assert small_supports([first]) == {(first.name, "spinal cord"), (first.name, "esophagus")}
