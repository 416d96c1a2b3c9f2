"""Adapted weights on disk: loadable, whole or not there, never over anything else, and easily rolled back."""

import dataclasses
import json

import pytest
import torch
from finetune_cases import SMALL

from FewShotSegmentLib import Engine, InputError, OutputError, WeightsError
from FewShotSegmentLib.finetune import FinetuneResult, SliceScore, WeightsStore
from FewShotSegmentLib.weights import find_weights, find_weights_folder, read_manifest, weights_folder
from FewShotSegmentLib.weights.manifest import find_refiner


@pytest.fixture
def store(tmp_path):
    return WeightsStore(tmp_path / "data" / "weights")


@pytest.fixture
def result(small_engine):
    networks = {"propagator": small_engine.network, "refiner": small_engine.refiner}
    networks = {key: {name: value.half() for name, value in n.state_dict().items()} for key, n in networks.items()}
    networks["refiner"]["to_logits.bias"] += 1
    score = SliceScore("John Doe.nii.gz", "liver", 0, 7, 0.5, 0.75)
    base = find_weights()
    return FinetuneResult(True, (score,), 0.5, 0.75, 20, 3.0, "cpu", base, 1, 4, {"seed": 1}, (), networks)


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_kept_can_be_loaded_and_says_what_it_is(store, result):
    folder = store.save("liver-1", result, command="fewshotsegment finetune VOLUME ANNOTATION --name liver-1")
    engine = Engine.load("cpu", weights_folder=folder, settings=SMALL)
    for network, state in zip((engine.network, engine.refiner), result.networks.values(), strict=True):
        assert all(torch.equal(value, state[name].float()) for name, value in network.state_dict().items())
    assert not torch.equal(engine.refiner.to_logits.bias, Engine.load("cpu").refiner.to_logits.bias)
    info = engine.weights
    assert (info.name, info.network, info.licence) == ("liver-1", "propagator", "Apache-2.0")
    assert info.size == info.path.stat().st_size < 25 * 2**20
    assert (info.metrics["before"], info.metrics["after"]) == (0.5, 0.75)
    assert info.metrics["scores"] == [{"segment": "liver", "axis": 0, "slice": 7, "before": 0.5, "after": 0.75}]
    assert info.metrics["base"]["sha256"] == find_weights().sha256
    assert find_weights().name in info.training_data and info.training_data.endswith("as it was.")
    refiner = read_manifest(folder)["liver-1-refiner"]
    assert (refiner.network, refiner.licence, refiner.metrics) == ("refiner", "Apache-2.0", info.metrics)
    assert find_refiner().name in refiner.training_data and "4 annotated slices" in refiner.training_data
    assert refiner.path.name == "liver-1-refiner.safetensors" and refiner.size == refiner.path.stat().st_size
    assert b"John" not in (folder / "weights.json").read_bytes()
    assert [i.name for i in store.list()] == ["liver-1"]
    assert not list(store.folder.glob(".*"))


def test_nothing_is_replaced_without_force(store, result):
    folder = store.save("a", result)
    before = everything(store.folder)
    with pytest.raises(OutputError, match="already; choose another --name, or allow it with --force"):
        store.save("a", result)
    assert everything(store.folder) == before
    other = dataclasses.replace(result, after=0.9)
    assert store.save("a", other, force=True) == folder
    assert store.list()[0].metrics["after"] == 0.9


def test_what_finetune_did_not_make_is_never_replaced_or_removed(tmp_path, result):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    store = WeightsStore(tmp_path)
    bundled = WeightsStore(weights_folder().parent)
    before = everything(weights_folder())
    for place, name in ((store, "mine"), (bundled, weights_folder().name)):
        with pytest.raises(OutputError, match="was not made by finetune"):
            place.save(name, result, force=True)
        with pytest.raises(InputError, match="no adapted weights called"):
            place.remove(name)
    assert everything(weights_folder()) == before and (tmp_path / "mine" / "notes.txt").exists()


def test_weights_that_were_adapted_are_not_overwritten_by_what_came_of_them(store, result):
    folder = store.save("a", result)
    again = dataclasses.replace(result, base=find_weights(folder=folder))
    with pytest.raises(OutputError, match="never overwritten"):
        store.save("a", again, force=True)
    assert store.save("b", again).name == "b"


def test_roll_back(store, result):
    store.save("a", result)
    store.save("b", result)
    store.remove("a")
    assert [i.name for i in store.list()] == ["b"] and not (store.folder / "a").exists()
    with pytest.raises(InputError, match="called “a” .* there are: b"):
        store.remove("a")
    assert Engine.load("cpu", settings=SMALL).weights == find_weights()


def test_a_file_that_was_put_there_stays(store, result):
    folder = store.save("a", result)
    (folder / "notes.txt").write_text("x")
    store.remove("a")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "a b", ".a", "a.", "CON", "nul.x", "ä", "a" * 65])
def test_names_that_cannot_be(store, result, name):
    with pytest.raises(InputError, match="cannot be called"):
        store.save(name, result)
    assert not store.folder.exists()


def test_a_full_disk_leaves_all_as_it_was(store, result, monkeypatch):
    store.save("a", result)
    before = everything(store.folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("FewShotSegmentLib.weights.save._write", full)
    for name in ("a", "b"):
        with pytest.raises(OutputError, match="No space left"):
            store.save(name, result, force=True)
    assert everything(store.folder) == before and not list(store.folder.glob(".*"))


def test_a_folder_that_cannot_take_its_name_brings_the_old_one_back(store, result, monkeypatch):
    from pathlib import Path

    store.save("a", result)
    before = everything(store.folder)
    rename = Path.rename

    def refuse(self, target):
        if self.name.startswith(".fewshotsegment-") and not self.name.endswith(".old"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        store.save("a", result, force=True)
    assert everything(store.folder) == before


def test_a_result_that_is_no_better_cannot_be_kept(store, result):
    with pytest.raises(InputError, match="nothing to keep.*stays in use"):
        store.save("a", dataclasses.replace(result, better=False, networks=None))


def test_weights_are_found_by_folder_or_name(store, result, monkeypatch, tmp_path):
    folder = store.save("a", result)
    monkeypatch.setenv("FEWSHOTSEGMENT_WEIGHTS", str(store.folder))
    monkeypatch.chdir(tmp_path)
    assert find_weights_folder("a") == folder == find_weights_folder(folder)
    assert WeightsStore().folder == store.folder
    assert find_weights_folder(None) is None
    for wrong in ("b", tmp_path, "../data"):
        with pytest.raises(WeightsError, match="There are no weights"):
            find_weights_folder(wrong)


def test_a_store_that_is_not_there_is_empty(store):
    assert store.list() == [] and not store.folder.exists()


def test_a_file_in_place_of_a_folder(tmp_path, result):
    (tmp_path / "f").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        WeightsStore(tmp_path / "f").save("a", result)


@pytest.mark.parametrize("name", ["a.safetensors", "a-refiner.safetensors"])
def test_damaged_adapted_weights_are_not_used(store, result, name):
    folder = store.save("a", result)
    file = folder / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="is damaged"):
        Engine.load("cpu", weights_folder=folder)
    sizes = {entry["file"]: entry["size"] for entry in json.loads((folder / "weights.json").read_text())["weights"]}
    assert sizes[name] == len(data)


def test_a_folder_of_before_without_a_refiner_is_used_with_the_bundled_one(store, result, small_engine):
    """As finetune wrote them when it adapted the propagator; they are listed, used and removed as before."""
    folder = store.save("old", result)
    manifest = json.loads((folder / "weights.json").read_text())
    (folder / manifest["weights"].pop()["file"]).unlink()
    (folder / "weights.json").write_text(json.dumps(manifest))
    engine = Engine.load("cpu", weights_folder=folder, settings=SMALL)
    assert engine.weights.name == "old"
    bundled = small_engine.refiner.state_dict()
    assert all(torch.equal(value, bundled[name]) for name, value in engine.refiner.state_dict().items())
    assert [info.name for info in store.list()] == ["old"]
    store.remove("old")
    assert not folder.exists()


def test_a_refiner_of_another_shape_is_refused_in_a_sentence(store, result):
    networks = {**result.networks, "refiner": {"x": torch.zeros(2)}}
    folder = store.save("a", dataclasses.replace(result, networks=networks))
    with pytest.raises(WeightsError, match="a-refiner do not fit the refiner; use others"):
        Engine.load("cpu", weights_folder=folder)


def test_rolling_back_brings_back_what_was_replaced(store, result):
    from FewShotSegmentLib.finetune import TrainingLogic

    first = store.save("liver", result)
    before = everything(first)
    refiner = result.networks["refiner"]
    changed = {**refiner, "to_logits.bias": refiner["to_logits.bias"] + 1}
    other = dataclasses.replace(result, networks={**result.networks, "refiner": changed})
    logic = TrainingLogic(store)
    logic._result, logic._state = other, "done"
    logic.keep("liver", force=True)
    logic.keep("spleen")
    assert everything(first) != before and [i.name for i in store.list()] == ["liver", "spleen"]
    logic.roll_back()
    assert everything(first) == before and [i.name for i in store.list()] == ["liver"]


def test_rolling_back_what_is_gone_already_is_no_error(store, result):
    from FewShotSegmentLib.finetune import TrainingLogic

    logic = TrainingLogic(store)
    logic._result, logic._state = result, "done"
    logic.keep("liver")
    store.remove("liver")
    logic.roll_back()
    assert logic.state == "idle" and store.list() == []


def test_a_failed_keep_leaves_what_was_there(store, result, monkeypatch):
    from FewShotSegmentLib.finetune import TrainingLogic

    before = everything(store.save("liver", result))
    logic = TrainingLogic(store)
    logic._result, logic._state = result, "done"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("FewShotSegmentLib.weights.save._write", full)
    with pytest.raises(OutputError):
        logic.keep("liver", force=True)
    assert everything(store.folder) == before
