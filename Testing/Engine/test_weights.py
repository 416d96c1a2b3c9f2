"""Bundled weights: the manifest tells all, and a damaged file is never used."""

import json
import pickle
import shutil

import pytest

from FewShotSegmentLib import Engine, WeightsError
from FewShotSegmentLib.weights import find_weights, load_state, read_manifest, weights_folder


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
    import hashlib

    manifest["weights"][0]["sha256"] = hashlib.sha256(info.path.read_bytes()).hexdigest()
    (copy / "weights.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError):
        Engine.load("cpu", weights_folder=copy)
    assert not marker.exists()
