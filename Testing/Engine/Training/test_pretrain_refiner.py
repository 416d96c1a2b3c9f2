"""`fewshotsegment pretrain --preset refiner`: weights of the refiner, and what cannot be done said in a sentence."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from matplotlib.image import imread
from safetensors.torch import load_file

from FewShotSegmentLib import Engine, InputError, WeightsError
from FewShotSegmentLib.cli.main import main
from FewShotSegmentLib.networks import Refiner
from FewShotSegmentLib.training import networks
from FewShotSegmentLib.training.networks import find_start, make_task, network_name
from FewShotSegmentLib.training.pretrain import PretrainJob
from FewShotSegmentLib.training.refiner_task import RefinerTask
from FewShotSegmentLib.training.settings import SEQUENCES, TrainSettings, preset
from FewShotSegmentLib.weights import find_weights, load_state

SMALL = ["--preset", "refiner", "--size", "48", "--per-part", "2", "--iterations", "2", "--device", "cpu"]
SMALL += ["--set", "size_of_window=32", "--set", "windows=3", "--set", "length=2,5", "--set", "long_side=48"]
MADE = [*SMALL, "--data", "synthetic"]


def run(*arguments, capsys=None):
    code = main(["pretrain", *(str(a) for a in arguments)])
    return code, capsys.readouterr() if capsys else None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of a training of two steps."""
    folder = tmp_path_factory.mktemp("refiner") / "out"
    assert run(*MADE, "-o", folder, "--name", "small", "--quiet")[0] == 0
    return folder


def test_the_preset_is_for_windows_of_one_patient():
    settings = preset("refiner")
    assert settings.network == "refiner" and settings.network in SEQUENCES and network_name(settings) == "refiner"
    assert settings.other_patient == 0 and settings.length[1] > settings.windows <= settings.length[0]
    assert isinstance(make_task(settings, "random"), RefinerTask)


def test_it_trains_and_writes_weights_of_the_refiner(trained):
    info = find_weights(None, trained / "weights")
    assert (info.name, info.network, info.metrics["steps"]) == ("small", "refiner", 2)
    assert info.licence == "Apache-2.0" and "synthetic" in info.training_data and "Begun" not in info.training_data
    assert info.size < 2_000_000
    network = Refiner()
    network.load_state_dict(load_state(info))
    begun = make_task(TrainSettings.from_json(info.metrics["settings"]), "random").network.state_dict()
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, begun[name])]
    assert "stem.weight" in changed and "to_presence.2.weight" in changed
    with (trained / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(float(row["loss"]) > 0 and 0 <= float(row["presence"]) <= 1 for row in rows)


def test_its_picture_is_drawn(trained):
    picture = imread(trained / "parts.png")
    assert picture.shape[0] > 200 and picture.std() > 0.05
    assert imread(trained / "curves.png").std() > 0.02


def test_stopped_and_resumed_is_the_same_training(trained, tmp_path, capsys):
    parts = tmp_path / "parts"
    assert run(*MADE, "-o", parts, "--max-seconds", "0")[0] == 0
    capsys.readouterr()
    assert run(*MADE, "-o", parts, "--json")[0] == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ended"], report["step"], report["slices_per_second"] > 0) == ("done", 2, True)
    whole = load_file(trained / "weights" / "small.safetensors")
    again = load_file(parts / "weights" / "weights.safetensors")
    assert whole.keys() == again.keys() and all(torch.equal(whole[key], again[key]) for key in whole)


def test_it_goes_on_from_weights_of_its_own(trained, tmp_path):
    options = ["--weights", trained / "weights", "--learning-rate", "1e-9", "-o", tmp_path / "on", "--quiet"]
    assert run(*MADE, *options)[0] == 0
    info = find_weights(None, tmp_path / "on" / "weights")
    assert "Begun from small" in info.training_data
    before = load_state(find_weights(None, trained / "weights"))
    assert all(torch.allclose(value, before[key], atol=1e-3) for key, value in load_state(info).items())


@pytest.mark.parametrize("data", ["volumes", "both"])
def test_it_learns_from_images(images, tmp_path, data):
    assert run(images, *SMALL, "--data", data, "-o", tmp_path / "out", "--modality", "mr", "--quiet")[0] == 0
    info = find_weights(None, tmp_path / "out" / "weights")
    assert info.network == "refiner" and "3 MR volumes without labels" in info.training_data
    assert imread(tmp_path / "out" / "parts.png").std() > 0.05


def test_with_the_propagator_s_preset_it_is_refused(tmp_path, capsys):
    code, said = run("--network", "refiner", "--data", "synthetic", "-o", tmp_path / "out", capsys=capsys)
    assert code == 2 and "--preset refiner" in said.err and said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert preset("fast").changed(network="refiner", other_patient=0.0).network == "refiner"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--encoder", "resnet18"], "The refiner takes no encoder; leave out --encoder."),
        (["--weights", "nowhere"], "There are no weights nowhere"),
        (["--validate", "."], "leave out --validate"),
        (["--set", "size_of_window=44"], "multiple of 8"),
        (["--set", "size_of_window=24"], "at least 32"),
        (["--set", "windows=0"], "windows must be at least 1"),
        (["--set", "windows=many"], "“many” cannot be"),
        (["--network", "refyner"], "propagator, refiner, dspnet"),
        (["--preset", "fast", "--weights", "TRAINED"], "of the network refiner; propagator is needed"),
        (["--network", "alpnet", "--encoder", "resnet18", "--weights", "TRAINED"], "of the network refiner; alpnet"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(trained, tmp_path, capsys, arguments, words):
    placed = [trained / "weights" if a == "TRAINED" else a for a in arguments]
    code, said = run(*MADE, "-o", tmp_path / "out", *placed, capsys=capsys)
    assert code == 2 and words in said.err and said.err.count("\n") == 1 and "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_are_refused(trained, tmp_path, capsys):
    bundled = find_weights()
    code, said = run(*MADE, "-o", tmp_path / "out", "--weights", bundled.path.parent, capsys=capsys)
    assert code == 2 and f"The weights {bundled.name} are of the network {bundled.network}; refiner is" in said.err
    with pytest.raises(WeightsError, match="small"):
        Engine.load("cpu", weights_folder=trained / "weights")


def entries(monkeypatch, *infos):
    monkeypatch.setattr(networks, "read_manifest", lambda: {info.name: info for info in infos})


def test_bundled_weights_are_those_of_its_own_network(trained, monkeypatch):
    propagator, own = find_weights(), find_weights(None, trained / "weights")
    entries(monkeypatch, propagator, own)
    assert find_start("bundled") == find_start("bundled", "propagator") == propagator
    assert find_start("bundled", "refiner") == own
    task = make_task(preset("refiner"), "bundled")
    state = load_state(own)
    assert all(torch.equal(value, state[name]) for name, value in task.network.state_dict().items())


def test_without_bundled_weights_it_says_so(tmp_path, monkeypatch, capsys):
    entries(monkeypatch, find_weights())
    code, said = run(*MADE, "-o", tmp_path / "out", "--weights", "bundled", capsys=capsys)
    assert code == 2 and "No weights of the refiner are bundled; use --weights random" in said.err
    assert said.err.count("\n") == 1 and not (tmp_path / "out").exists()
    # by default it begins with random ones
    job = PretrainJob([], tmp_path / "out", replace(preset("refiner"), data="synthetic"))
    assert job._start == "random"


@pytest.mark.parametrize(
    "bad",
    [{"size_of_window": 40.5}, {"size_of_window": 84}, {"size_of_window": 24}, {"size_of_window": 0}, {"windows": 0}],
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(InputError):
        TrainSettings(**bad)
    for size in (32, 40, 80, 96):
        assert TrainSettings(size_of_window=size).size_of_window == size
    with pytest.raises(InputError, match="one patient's slices"):
        TrainSettings(network="refiner")
