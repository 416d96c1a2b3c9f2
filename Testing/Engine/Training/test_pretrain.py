"""`fewshotsegment pretrain`: from folders to weights that the engine loads, stopped and resumed in between."""

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from FewShotSegmentLib import Engine, InputError, OutputError
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.training.networks import make_task, network_name
from FewShotSegmentLib.training.pretrain import PretrainJob
from FewShotSegmentLib.training.settings import PRESETS, TrainSettings, preset
from FewShotSegmentLib.weights import find_weights, load_state

TINY = ["--data", "synthetic", "--size", "32", "--per-part", "1", "--iterations", "4", "--checkpoint-every", "2"]


def run(*arguments, capsys=None):
    code = main(["pretrain", *(str(a) for a in arguments)])
    said = capsys.readouterr() if capsys else None
    return code, said


def rows(folder):
    with (folder / "log.csv").open() as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


def test_stopped_and_resumed_is_the_same_training(tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(*TINY, "-o", whole)[0] == 0
    assert run(*TINY, "-o", parts, "--max-seconds", "0")[0] == 0
    capsys.readouterr()
    assert run(*TINY, "-o", parts, "--json")[0] == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ended"], report["step"]) == ("done", 4)
    a, b = (load_file(folder / "weights" / "weights.safetensors") for folder in (whole, parts))
    assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
    assert rows(whole) == rows(parts) and len(rows(whole)) == 4


def test_its_weights_are_the_engines(tmp_path):
    assert run(*TINY, "-o", tmp_path / "out", "--name", "mine")[0] == 0
    info = find_weights(None, tmp_path / "out" / "weights")
    assert (info.name, info.network) == ("mine", "propagator")
    assert "synthetic" in info.training_data.lower() and info.metrics["steps"] == 4
    assert info.metrics["settings"]["seed"] == 1234 and "pretrain" not in info.licence
    begun = find_weights()
    assert f"Begun from {begun.name}" in info.training_data and info.licence == "Apache-2.0"
    engine = Engine.load("cpu", weights_folder=tmp_path / "out" / "weights")
    volume = np.zeros((3, 32, 32), np.float32)
    volume[:, 8:20, 8:20] = 1
    assert engine.propagate(volume, {1: volume[1] > 0}, modality="mr").mask.shape == volume.shape


def test_it_starts_from_the_bundled_weights_by_default(tmp_path):
    assert run(*TINY, "-o", tmp_path / "out", "--learning-rate", "1e-9", "--iterations", "1")[0] == 0
    trained = load_file(tmp_path / "out" / "weights" / "weights.safetensors")
    bundled = load_state(find_weights())
    assert all(torch.allclose(trained[k].float(), bundled[k], atol=2e-3) for k in bundled)
    random = make_task(TrainSettings(), "random").network.state_dict()
    assert not torch.allclose(random["key.weight"], bundled["key.weight"], atol=2e-3)


@pytest.mark.parametrize("network", ["propagator", "alpnet"])
def test_it_learns_from_images(tmp_path, images, capsys, network):
    options = ["--size", "48", "--per-part", "1", "--iterations", "2", "--network", network, "--weights", "random"]
    options += ["--set", "long_side=64"]
    options += ["--encoder", "resnet18"] if network == "alpnet" else []
    assert run(images, *options, "-o", tmp_path / "out", "--json")[0] == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["volumes"] == ["case0", "case1", "case2"] and report["step"] == 2
    assert any("several modalities" in note for note in report["notes"]) and "several modalities" in said.err
    info = find_weights(None, tmp_path / "out" / "weights")
    assert info.network == ("propagator" if network == "propagator" else "alpnet/resnet18")
    assert "1 CT and 2 MR volumes" in info.training_data and "case2" not in info.training_data
    if network == "alpnet":
        build("alpnet", "resnet18").load_state_dict(load_state(info))


def test_the_published_preset_is_the_published_recipe():
    settings = preset("published")
    assert (settings.network, settings.encoder, settings.optimiser) == ("dspnet-published", "resnet101", "sgd")
    assert (settings.learning_rate, settings.momentum, settings.weight_decay) == (1e-3, 0.9, 5e-4)
    assert (settings.schedule, settings.decay, settings.decay_every) == ("steps", 0.95, 1000)
    assert (settings.iterations, settings.parts * settings.per_part, settings.size) == (50_000, 1, 256)
    assert (settings.alignment, settings.background_weight, settings.clip, settings.average) == (1.0, 0.05, 0.0, 0.0)
    assert (settings.data, settings.episodes, settings.precision) == ("volumes", "published", "float32")


def test_the_published_preset_trains(tmp_path, images):
    small = ["--preset", "published", "--size", "48", "--encoder", "resnet18", "--iterations", "2"]
    assert run(images, *small, "-o", tmp_path / "out")[0] == 0
    assert find_weights(None, tmp_path / "out" / "weights").network == "dspnet-published/resnet18"


def test_ctrl_c_keeps_what_was_trained(tmp_path):
    out = tmp_path / "out"
    options = [*TINY, "--iterations", "100000", "-o", str(out)]
    code = "import sys; from FewShotSegmentLib.cli.main import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "pretrain", *options], stderr=subprocess.PIPE, text=True
    ) as done:
        deadline = time.monotonic() + 120
        while not (out / "checkpoints").is_dir() and time.monotonic() < deadline:
            time.sleep(0.1)
        done.send_signal(signal.SIGINT)
        said = done.communicate(timeout=120)[1]
    assert done.returncode == 130 and "the same command goes on from there" in said and "Traceback" not in said
    assert find_weights(None, out / "weights").metrics["ended"] == "cancelled"
    assert list((out / "checkpoints").glob("step-*.ckpt"))


def test_other_settings_need_another_folder(tmp_path, capsys):
    assert run(*TINY, "-o", tmp_path / "out", "--max-seconds", "0")[0] == 0
    capsys.readouterr()
    code, said = run(*TINY, "-o", tmp_path / "out", "--seed", "7", capsys=capsys)
    assert code == 2 and "begun with other settings (seed)" in said.err
    assert run(*TINY, "-o", tmp_path / "out", "--seed", "7", "--restart")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "OUT"], "Name images to learn from"),
        (["nowhere", "-o", "OUT"], "nowhere"),
        (["EMPTY", "-o", "OUT"], "EMPTY"),
        ([*TINY, "-o", "OUT", "--size", "50"], "multiple of 16"),
        ([*TINY, "-o", "OUT", "--network", "unet"], "There is no network called “unet”"),
        ([*TINY, "-o", "OUT", "--network", "alpnet", "--weights", "bundled"], "--encoder propagator"),
        ([*TINY, "-o", "OUT", "--weights", "EMPTY"], "There are no weights"),
        ([*TINY, "-o", "OUT", "--encoder", "resnet50"], "leave out --encoder"),
        ([*TINY, "-o", "OUT", "--checkpoint-every", "0"], "--checkpoint-every must be"),
        ([*TINY, "-o", "OUT", "--max-seconds", "nan"], "--max-seconds must be"),
        ([*TINY, "-o", "OUT", "--jobs", "0"], "--jobs must be"),
        ([*TINY, "-o", "OUT", "--name", "../x"], "Weights cannot be called"),
        ([*TINY, "-o", "OUT", "--validate", "nowhere"], "to validate on"),
        ([*TINY, "-o", "OTHER"], "holds other files"),
        ([*TINY, "-o", "OUT", "--learning-rate", "-1"], "above 0"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path, capsys, arguments, words):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "OTHER").mkdir()
    (tmp_path / "OTHER" / "thesis.txt").write_text("mine")
    placed = [str(tmp_path / a) if a in {"OUT", "EMPTY", "OTHER"} else a for a in arguments]
    code, said = run(*placed, capsys=capsys)
    assert code == 2 and words in said.err and said.err.count("\n") == 1 and "Traceback" not in said.err
    assert (tmp_path / "OTHER" / "thesis.txt").read_text() == "mine"


def test_settings_survive_json():
    for settings in PRESETS.values():
        assert TrainSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    with pytest.raises(InputError, match="another version"):
        TrainSettings.from_json({"network": "propagator"})


BAD = [
    {"optimiser": "adam"},
    {"data": "all"},
    {"length": (3, 2)},
    {"average": 1.0},
    {"parts": 0},
    {"volumes_share": 1.5},
    {"episodes": "none"},
    {"precision": "int8"},
]


@pytest.mark.parametrize("bad", BAD)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(InputError):
        TrainSettings(**bad)


def test_a_training_goes_on_with_the_same_material_or_not_at_all(tmp_path, images, capsys):
    options = ["--size", "48", "--per-part", "1", "--iterations", "1", "--set", "long_side=48", "-o", tmp_path / "out"]
    assert run(images, *options, "--data-licence", "CC BY 4.0, by A")[0] == 0
    about = (tmp_path / "out" / "training.json").read_text()
    for other, words in (
        ([images / "case0_image.nii.gz", *options, "--data-licence", "CC BY 4.0, by A"], "begun with other images"),
        ([images, *options, "--data-licence", "mine"], "another --data-licence"),
        ([images, *options, "--data-licence", "CC BY 4.0, by A", "--weights", "random"], "begun from other weights"),
        ([images, *options, "--seed", "5"], "begun with other settings (seed)"),
    ):
        capsys.readouterr()
        code, said = run(*other, capsys=capsys)
        assert code == 2 and words in said.err
        assert (tmp_path / "out" / "training.json").read_text() == about  # a refusal leaves it as it was
    info = find_weights(None, tmp_path / "out" / "weights")
    assert info.licence.startswith("CC BY 4.0, by A; begun from weights under")


def test_restart_removes_what_training_wrote_and_nothing_else(tmp_path, capsys):
    out = tmp_path / "out"
    assert run(*TINY, "-o", out)[0] == 0
    (out / "notes.txt").write_text("mine")
    (out / "weights" / "notes.txt").write_text("mine too")
    before = (out / "log.csv").read_text()
    # a mistake is seen before anything is removed
    for wrong in (["--network", "dspnt"], ["--weights", "nowhere"], ["--parts", "0"], ["--validate", "nowhere"]):
        assert run(*TINY, "-o", out, "--restart", *wrong)[0] == 2
    assert (out / "log.csv").read_text() == before and list((out / "checkpoints").iterdir())
    assert run(*TINY, "-o", out, "--restart", "--iterations", "1")[0] == 0
    assert len(rows(out)) == 1 and (out / "notes.txt").read_text() == "mine"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "weights").mkdir()
    (tmp_path / "training.json").write_text('{"x": 1}')
    (tmp_path / "weights" / "model.bin").write_text("precious")
    for more in ([], ["--restart"]):
        code, said = run(*TINY, "-o", tmp_path, *more, capsys=capsys)
        assert code == 2 and "holds other files" in said.err
    assert (tmp_path / "weights" / "model.bin").read_text() == "precious"
    assert (tmp_path / "training.json").read_text() == '{"x": 1}'


def test_few_shot_weights_serve_transfer_and_are_refused_by_propagate(tmp_path, images, capsys):
    from FewShotSegmentLib import WeightsError
    from FewShotSegmentLib.weights.few_shot import load_few_shot

    options = ["--network", "alpnet", "--encoder", "propagator", "--iterations", "1"]
    assert run(*TINY, *options, "-o", tmp_path / "out")[0] == 0
    network = load_few_shot(tmp_path / "out" / "weights", "alpnet")
    assert not network.training and type(network).__name__ == "ALPNet"
    with pytest.raises(WeightsError, match="not of dspnet"):
        load_few_shot(tmp_path / "out" / "weights", "dspnet")
    with pytest.raises(WeightsError, match="alpnet/propagator, but the propagator"):
        Engine.load("cpu", weights_folder=tmp_path / "out" / "weights")


def test_synthetic_data_say_that_images_are_not_used(tmp_path, images, capsys):
    code, said = run(images, *TINY, "--iterations", "1", "-o", tmp_path / "out", capsys=capsys)
    assert code == 0 and "not used with --data synthetic" in said.err


def test_any_setting_can_be_given():
    settings = preset("fast").with_words(["average=0", "length=2,5", "optimiser=sgd", "warm_up=7"])
    assert (settings.average, settings.length, settings.optimiser, settings.warm_up) == (0.0, (2, 5), "sgd", 7)
    for word, words in (("speed=1", "There is no training setting “speed”"), ("clip=much", "“much” cannot be")):
        with pytest.raises(InputError, match=words):
            preset("fast").with_words([word])


def test_names_of_networks():
    assert network_name(preset("published")) == "dspnet-published/resnet101"
    assert network_name(preset("fast")) == "propagator"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        PretrainJob([], tmp_path / "file", TrainSettings(data="synthetic")).run()
