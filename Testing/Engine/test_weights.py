"""Bundled weights: the manifest tells all, and a damaged file is never used."""

import hashlib
import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import save as to_safetensors

from FewShotSegmentLib import Engine, OutputError, WeightsError
from FewShotSegmentLib.weights import find_weights, load_refiner, load_state, read_manifest, save, weights_folder
from FewShotSegmentLib.weights.manifest import find_refiner
from FewShotSegmentLib.weights.save import NetworkWeights, write_networks


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(weights_folder(), tmp_path / "weights")


def test_manifest_says_what_every_file_is():
    for info in read_manifest().values():
        assert info.path.stat().st_size == info.size
        assert info.path.suffix == ".safetensors"
        assert info.licence and info.training_data and info.date
        assert load_state(info)
    listed = {info.path.name for info in read_manifest().values()}
    assert listed == {p.name for p in weights_folder().glob("*.safetensors")}


def test_one_flipped_bit_is_noticed(copy):
    info = find_weights(folder=copy)
    data = bytearray(info.path.read_bytes())
    data[len(data) // 2] ^= 1
    info.path.write_bytes(data)
    with pytest.raises(WeightsError, match="is damaged .* install FewShotSegment again"):
        Engine.load("cpu", weights_folder=copy)


def test_missing_file_and_unknown_name(copy):
    with pytest.raises(WeightsError, match="no weights called “other”; there are: propagator-v"):
        find_weights("other", copy)
    find_weights(folder=copy).path.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        Engine.load("cpu", weights_folder=copy)


def test_a_folder_s_own_refiner_is_used_and_must_be_whole(copy):
    info = read_manifest(copy)["refiner-v2"]
    with torch.no_grad():
        state = {name: value.half() for name, value in load_state(info).items()}
        state["trust"] += 1
    data = to_safetensors(state)
    info.path.write_bytes(data)
    with pytest.raises(WeightsError, match="refiner-v2.safetensors is damaged"):
        Engine.load("cpu", weights_folder=copy)
    manifest = json.loads((copy / "weights.json").read_text())
    manifest["weights"][1]["sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "weights.json").write_text(json.dumps(manifest))
    assert torch.equal(Engine.load("cpu", weights_folder=copy).refiner.trust, state["trust"].float())
    manifest["weights"].pop()
    (copy / "weights.json").write_text(json.dumps(manifest))
    bundled = load_state(find_refiner())["trust"]
    assert torch.equal(Engine.load("cpu", weights_folder=copy).refiner.trust, bundled)
    assert torch.equal(load_refiner().trust, bundled)


def test_several_networks_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    card = {"licence": "x", "training_data": "y", "date": "2026-01-01", "metrics": {}}
    both = [NetworkWeights(name, {"w": torch.ones(2)}, {**card, "network": name}) for name in ("one", "two")]
    infos = write_networks(tmp_path / "w", both)
    assert [info.name for info in infos] == ["one", "two"] == list(read_manifest(tmp_path / "w"))
    assert all(torch.equal(load_state(info)["w"], torch.ones(2)) for info in infos)
    written = []

    def full(path, data):
        written.append(path.name)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(save, "_write", full)
    with pytest.raises(OutputError, match="No space left"):
        write_networks(tmp_path / "v", both)
    assert written == ["one.safetensors", "two.safetensors"] and sorted(p.name for p in tmp_path.iterdir()) == ["w"]


@pytest.mark.parametrize("text", ["not json", "{}", '{"weights": []}', '{"weights": [{"name": "x"}]}'])
def test_damaged_manifest(copy, text):
    (copy / "weights.json").write_text(text)
    with pytest.raises(WeightsError, match="install FewShotSegment again"):
        find_weights(folder=copy)


def test_a_pickle_is_never_run(copy, tmp_path):
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (marker.touch, ())

    info = find_weights(folder=copy)
    info.path.write_bytes(pickle.dumps(Trap()))
    manifest = json.loads((copy / "weights.json").read_text())
    manifest["weights"][0]["sha256"] = hashlib.sha256(info.path.read_bytes()).hexdigest()
    (copy / "weights.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError):
        Engine.load("cpu", weights_folder=copy)
    assert not marker.exists()
