"""`fewshotsegment finetune`: files in, adapted weights and a table out; and `--weights` to use them."""

import json
import os
import subprocess
import sys

import pytest
from finetune_cases import SMALL, files, quick

from FewShotSegmentLib import Engine
from FewShotSegmentLib.cli import finetune as command
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.finetune import FinetuneSettings


def finetune(*arguments):
    return main(["finetune", *(str(a) for a in arguments)])


@pytest.fixture
def small(monkeypatch):
    """The command with images and settings of a test's size."""
    request = command.FinetuneRequest

    def smaller(cases, settings, device, weights):
        values = quick(steps=settings.steps, learning_rate=settings.learning_rate, margin=0.0)
        return request(cases, values, "cpu", weights, SMALL)

    monkeypatch.setattr(command, "FinetuneRequest", smaller)


@pytest.fixture
def spoilt(monkeypatch, spoilt_engine):
    load = Engine.load
    monkeypatch.setattr(Engine, "load", staticmethod(lambda *_, **k: spoilt_engine if k.get("weights_folder") is None else load(*_, **k)))  # fmt: skip # noqa: E501
    return load


def test_adapt_list_use_and_remove(tmp_path, small, spoilt, capsys):
    volume, annotation = files(tmp_path, 3, 6, 8, 10)
    store = tmp_path / "weights"
    rest = ("--modality", "ct", "-o", store)
    assert finetune(volume, annotation, "--name", "a", "--steps", 3, "--learning-rate", 1e-2, *rest, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["better"] and report["kept"] and report["output"] == str(store / "a")
    assert report["after"] > report["before"] and report["steps"] == 3
    assert {"volume", "segment", "slice", "before", "after"} <= set(report["scores"][0])
    written, refiner = json.loads((store / "a" / "weights.json").read_text())["weights"]
    assert (written["network"], refiner["network"]) == ("propagator", "refiner")
    asked = "fewshotsegment finetune VOLUME ANNOTATION --name a --steps 3 --learning-rate 0.01"
    assert written["metrics"]["command"] == asked
    assert finetune(volume, annotation, "--name", "a", *rest) == 2
    assert "choose another --name" in capsys.readouterr().err

    assert finetune("--list", "-o", store) == 0
    assert "a     " in capsys.readouterr().out
    assert finetune("--list", "-o", store, "--json") == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["weights"]] == ["a"]

    out = tmp_path / "out.nrrd"
    carry = ["propagate", volume, annotation, "-o", out, "--modality", "ct", "--device", "cpu", "--json", "--weights", store / "a"]  # fmt: skip # noqa: E501
    assert main([str(a) for a in carry]) == 0
    assert json.loads(capsys.readouterr().out)["weights"]["name"] == "a"

    assert finetune("--remove", "a", "-o", store) == 0
    assert not (store / "a").exists()
    assert finetune("--remove", "a", "-o", store) == 2
    assert main([*(str(a) for a in carry), "--force"]) == 2
    assert "There are no weights" in capsys.readouterr().err


def test_no_better_writes_nothing_and_says_so(tmp_path, small, capsys):
    volume, annotation = files(tmp_path, 5, 8)
    store = tmp_path / "weights"
    arguments = (volume, annotation, "--name", "a", "-o", store, "--steps", 1, "--learning-rate", 1e-12, "--modality", "ct")  # fmt: skip # noqa: E501
    assert finetune(*arguments) == 0
    printed = capsys.readouterr().out
    assert "no better" in printed and "Nothing was written" in printed and "before   after" in printed
    assert not store.exists()


def test_ctrl_c_writes_nothing(tmp_path, small, monkeypatch, capsys):
    volume, annotation = files(tmp_path, 5, 8)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("FewShotSegmentLib.training.refiner_task._mask_loss", interrupted)
    assert finetune(volume, annotation, "--name", "a", "-o", tmp_path / "w", "--steps", 3, "--modality", "ct") == 130
    assert "Cancelled: nothing was written." in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give VOLUME ANNOTATION"),
        (["V"], "in pairs, and V has no partner"),
        (["V", "A"], "need a name; give one with --name"),
        (["V", "A", "--name", "../x"], "cannot be called"),
        (["V", "A", "--name", "x", "--minutes", "1", "--steps", "2"], "exclude each other"),
        (["V", "A", "--name", "x", "--minutes", "-1"], "-1 minutes"),
        (["V", "A", "--name", "x", "--weights", "none"], "There are no weights none"),
        (["V", "A", "--name", "x"], "no file or folder V"),
        (["V", "A", "--list"], "stand alone"),
        (["--list", "--remove", "x"], "stand alone"),
        (["--remove", "x"], "no adapted weights called “x”"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEWSHOTSEGMENT_WEIGHTS", str(tmp_path / "w"))
    assert finetune(*arguments) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not (tmp_path / "w").exists()


def test_too_little_is_refused_before_any_work(tmp_path, capsys):
    volume, annotation = files(tmp_path, 6)
    assert finetune(volume, annotation, "--name", "a", "-o", tmp_path / "w", "--modality", "ct") == 2
    assert "too little to learn from" in capsys.readouterr().err


def test_help_says_the_defaults_and_torch_is_not_needed_for_wrong_arguments(capsys):
    with pytest.raises(SystemExit):
        finetune("--help")
    text = capsys.readouterr().out
    assert (
        f"default: {FinetuneSettings().minutes:g}" in text
        and FinetuneSettings().learning_rate == 3e-4
        and "3e-4" in text
    )
    code = (
        "import sys; from FewShotSegmentLib.cli.main import main; "
        "assert main(['finetune', 'V', 'A', '--name', 'x']) == 2; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"FEWSHOTSEGMENT_WEIGHTS": "/none/x"})
