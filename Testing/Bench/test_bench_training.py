"""The bench of the training plans, trains, scores and prints what it says, on made-up cases and small slices."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import training
from rich.console import Console
from scores import Score
from training_run import Plan, Trained, train
from training_score import few_shot_network
from training_table import draw_losses, print_differences, print_scores, print_speed, speed_checks
from transfer_accuracy import TransferRecord

OPTIONS = argparse.Namespace(seconds=5.0, compare_seconds=9.0, device="cpu", size=None)


def _trained(key="speed-fast", preset="fast", steps=10, waiting=0.02, title="preset fast"):
    plan = Plan(key, title, preset, "random", None, 5.0, ())
    loss = [1 / (i + 1) for i in range(steps)]
    return Trained(plan, steps, 4.5, 90.0, waiting, 1.0, 0.0, "cpu, 1 threads", "nothing", loss, [*range(steps)], [])


def _printed(call, *given) -> str:
    console = Console(width=150, highlight=False, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    call(console, *given)
    return console.export_text()


def test_each_preset_is_timed_as_it_is():
    plans = training.speed_plans(OPTIONS, ("a",))
    assert [(p.preset, p.start, p.encoder, p.seconds) for p in plans] == [
        ("fast", "random", None, 5.0),
        ("published", "random", None, 5.0),
    ]


def test_both_recipes_have_the_same_time_start_and_images():
    plans = training.compared_plans(OPTIONS, ("a", "b"))
    assert {(p.seconds, p.volumes, p.device) for p in plans} == {(9.0, ("a", "b"), "cpu")}
    assert sorted((p.preset, p.start) for p in plans) == [
        ("fast", "bundled"), ("fast", "random"), ("published", "bundled"), ("published", "random"),
    ]  # fmt: skip
    assert next(p.encoder for p in plans if p.key == "bundled-published") == "propagator"
    keys = {p.key for p in plans}
    assert all({ours, theirs} <= keys for _, ours, theirs in training.COMPARED_BY_START)


def test_images_are_spread_over_the_folder(tmp_path):
    for number in range(10):
        (tmp_path / f"case{number}_image.nii.gz").touch()
    (tmp_path / "case0_labels.nii.gz").touch()
    assert [Path(name).name[:5] for name in training.spread(tmp_path, 2)] == ["case2", "case7"]
    assert len(training.spread(tmp_path, 99)) == 10
    assert training.spread(tmp_path / "nowhere", 3) == ()


@pytest.mark.parametrize(
    ("waiting", "steps", "verdict"), [(0.05, 9, "PASS"), (0.3, 9, "FAIL"), (0.0, 2, "NOT MEASURED")]
)
def test_waiting_is_checked_for_the_fast_preset(waiting, steps, verdict):
    published = _trained("speed-published", "published", 9, 0.9)
    (check,) = speed_checks([_trained(steps=steps, waiting=waiting), published])
    assert check.verdict == verdict


def test_speed_is_that_of_all_steps_but_the_first():
    one = _trained()
    assert one.iterations_per_second == pytest.approx(2.0)
    assert one.slices_per_second == pytest.approx(20.0)
    text = _printed(print_speed, [one, _trained(steps=1)])
    assert "2.0%" in text
    assert "–" in text  # one step says nothing of the speed


def test_scores_are_printed_with_their_differences():
    record = TransferRecord("heart MR", "a", "b", "cavity", 7)
    record.one = {"ours": Score(0.5, 0.6), "theirs": Score(0.4, 0.7)}
    text = _printed(
        print_scores, [record], {"ours": "our recipe", "theirs": "their recipe"}, [_trained("ours", steps=7)]
    )
    assert "0.500 / 0.600" in text
    assert "heart MR" in text
    assert "not fetched" in text
    assert "+0.100 / -0.100" in _printed(print_differences, [record], [("random", "ours", "theirs")])


def test_losses_are_drawn(tmp_path):
    draw_losses([_trained(), _trained(steps=0)], tmp_path / "losses.png")
    assert (tmp_path / "losses.png").stat().st_size > 5000


def test_a_training_in_its_own_process(tmp_path):
    one = train(tmp_path, Plan("x", "a title", "fast", "random", None, 3.0, (), "cpu", 32))
    assert one.steps >= 1
    assert len(one.loss) == len(one.ended) == one.steps
    assert 0.1 < one.gigabytes < 8
    assert one.data == "synthetic anatomies"
    trained, start = few_shot_network(tmp_path, one.plan), training.untrained()["random-fast"]
    assert trained.state_dict().keys() == start.state_dict().keys()
    assert not all(torch.equal(value, start.state_dict()[name]) for name, value in trained.state_dict().items())


def test_all_of_it(tmp_path, monkeypatch, capsys):
    """Two made-up patients; trainings are stood in for by the bundled weights."""
    dev = tmp_path / "data" / "dev"
    dev.mkdir(parents=True)
    rows, columns = np.mgrid[:40, :48]
    entries = []
    for number, name in enumerate(("scd_a_ed", "scd_b_ed")):
        labels = np.zeros((5, 40, 48), np.uint8)
        labels[1:4] = (rows - 20) ** 2 + (columns - 20 - 2 * number) ** 2 < 49
        image = 60.0 * ((rows - 20) ** 2 + (columns - 24) ** 2 < 330) + 100.0 * labels
        image += np.random.default_rng(number).normal(0, 4, labels.shape)
        for kind, array in (("image", image.astype(np.int16)), ("labels", labels)):
            sitk.WriteImage(sitk.GetImageFromArray(array), str(dev / f"{name}_{kind}.nii.gz"))
        entries.append({"case": name, "modality": "MR", "labels": {"1": "disc"}})
    (dev / "cases.json").write_text(json.dumps(entries), encoding="utf-8")
    monkeypatch.setattr(training, "train", lambda folder, plan, tell: _trained(plan.key, plan.preset, title=plan.title))
    start = training.untrained()
    monkeypatch.setattr(training, "untrained", lambda: {"bundled-fast": start["bundled-fast"]})
    monkeypatch.setattr(training, "UNTRAINED", {"bundled-fast": "untrained"})
    monkeypatch.setattr(training, "few_shot_network", lambda folder, plan: start["bundled-fast"])
    given = ["--shared", str(tmp_path), "-o", str(tmp_path / "out"), "--json", str(tmp_path / "all.json")]
    assert training.main([*given, "--device", "cpu"]) == 0
    assert (tmp_path / "out" / "losses.png").is_file()
    written = json.loads((tmp_path / "all.json").read_text())
    assert list(written["scores"]) == ["start-bundled-fast", *(key for key, *_ in training.COMPARED)]
    means = [value["mean"]["whole"] for value in written["scores"].values()]
    assert len(set(means)) == 1  # the same network
    assert means[0] > 0.3
    assert [check["verdict"] for check in written["checks"]] == ["PASS"]
    assert "synthetic anatomies alone" in capsys.readouterr().out


def test_arguments_that_cannot_be(capsys):
    for given in (["--seconds", "0"], ["--volumes", "0"]):
        with pytest.raises(SystemExit):
            training.arguments(given)
    assert "above 0" in capsys.readouterr().err
