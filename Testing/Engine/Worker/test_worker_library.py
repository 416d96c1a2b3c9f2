"""A real worker's library, transfer, weights, fine-tuning and devices."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_cases import make_organ, write
from worker_cases import LPS, whole

from FewShotSegmentLib.images import read_annotation
from FewShotSegmentLib.weights import weights_folder
from FewShotSegmentLib.worker.messages import (
    AnnotatedRef,
    Devices,
    Finetune,
    FinetuneKeep,
    Library,
    Propagate,
    Transfer,
    VolumeRef,
    Weights,
)


@pytest.fixture
def library(tmp_path):
    return str(tmp_path / "own.fsslib")


def refusal(ask, request):
    ticket = ask(request)
    assert ticket.state == "failed" and ticket.failure.kind == "request", ticket
    return ticket.failure.sentence


def test_library_from_adding_to_removing(answer, ask, files, library, tmp_path):
    assert answer(Library(library=library)) == {"entries": [], "notes": [], "path": library}
    added = answer(Library(action="add", library=library, case=files.case(5, 7, 9)))
    (entry,) = added["entries"]
    assert added["added"] == [entry["id"]] and entry["name"] == "organ" and entry["slices"] == 3
    assert entry["color"] == [0.9, 0.1, 0.2] and entry["terminology"] == "a~b" and entry["modality"] == "ct"
    picture = np.load(entry["thumbnail"])
    assert picture.dtype == np.uint8 and picture.shape == (110, 128, 3)  # 48 × 56 pixels of 1 mm
    red = (picture == [230, 26, 51]).all(axis=2)
    assert 40 < red.sum() < 400 and np.ptp(picture[~red].astype(int).max(axis=1)) > 100
    again = answer(Library(action="add", library=library, case=files.case(5, 7, 9), thumbnails=False))
    assert again["added"] == [] and "already" in again["notes"][0] and again["entries"][0]["thumbnail"] == ""

    exported = str(tmp_path / "out.fsslib")
    assert answer(Library(action="export", library=library, path=exported))["exported"] == [entry["id"]]
    assert "exists already" in refusal(ask, Library(action="export", library=library, path=exported))
    assert answer(Library(action="remove", library=library, entries=[entry["id"]]))["entries"] == []
    assert answer(Library(action="import", library=library, path=exported))["added"] == [entry["id"]]
    for request in [
        Library(action="burn", library=library),
        Library(action="add", library=library),
        Library(action="remove", library=library, entries=["nothing"]),
        Library(action="import", library=library, path=str(tmp_path / "none.fsslib")),
        Library(library=files.save(np.zeros(3))),
    ]:
        assert refusal(ask, request).endswith(".")


def test_transfer_to_a_volume_and_to_a_file(answer, ask, files, library, tmp_path):
    entry = answer(Library(action="add", library=library, case=files.case(6, 8), thumbnails=False))["added"][0]
    organ = make_organ(seed=3)
    other = np.roll(make_organ(seed=1).mask, 9, axis=2)
    case = AnnotatedRef(files.volume(make_organ(seed=1).image, "v8"), [files.segment(other, 6, key="k8", name="other")])
    request = Transfer("", files.volume(organ.image, "q"), "", "", library, [entry], [case], device="cpu")
    got = answer(request)
    by_key = {segment["key"]: segment for segment in got["segments"]}
    assert set(by_key) == {"k8", entry} and got["output"] == ""
    assert [(s["key"], s["name"], s["terminology"]) for s in got["structures"]] == [
        ("k8", "other", "a~b"),
        (entry, "organ", "a~b"),
    ]
    for segment in got["segments"]:
        assert segment["renewed"] == [[0, 13]] and len(segment["confidence"]) == 14
        assert isinstance(segment["found"], bool) and 0 <= segment["overall"] <= 1
    assert by_key[entry]["found"] and by_key[entry]["anchors"]
    mask = whole(by_key[entry], organ.mask.shape)
    assert 2 * (mask & organ.mask).sum() / (mask.sum() + organ.mask.sum()) > 0.5

    query = write(tmp_path / "query.nii.gz", organ.image, spacing=(1.0, 1.0, 3.0))
    output = tmp_path / "found.seg.nrrd"
    got = answer(Transfer("", None, str(query), str(output), library, [entry], device="cpu"))
    assert got["output"] == str(output) and [s["file"] for s in got["segments"]] == [""]
    (segment,) = read_annotation(output).segments
    assert segment.name == "organ" and "TerminologyEntry:a~b" in segment.fields["Tags"] and segment.mask.any()
    tags = dict(tag.split(":", 1) for tag in segment.fields["Tags"].split("|") if tag)
    made = json.loads(tags["FewShotSegment.Provenance"])
    assert made["engine"] == got["engine_version"] and made["weights"] == got["weights"] and made["device"] == "cpu"
    assert list(map(int, made["anchors"])) == got["segments"][0]["anchors"] and made["settings"]["entries"] == [entry]
    sure = json.loads(tags["FewShotSegment.Confidence"])
    assert sure["axis"] == got["segments"][0]["axis"]
    assert np.allclose(sure["values"], got["segments"][0]["confidence"], atol=6e-4)
    saved = output.read_bytes()
    assert "exists already" in refusal(ask, Transfer("", None, str(query), str(output), library, [entry]))
    assert output.read_bytes() == saved and len(list(tmp_path.glob("*.seg.nrrd"))) == 1
    for wrong in [
        Transfer(),
        Transfer("", request.query, str(query)),
        Transfer("", None, str(query)),
        Transfer("", None, str(query), str(tmp_path / "a.nii.gz"), library, [entry]),
        Transfer("", request.query, library=library, entries=["nothing"]),
        Transfer("", request.query, library=library),
        Transfer("", request.query, library=library, entries=[entry], method="guess", device="cpu"),
    ]:
        assert refusal(ask, wrong).endswith(".")


def test_structures_of_one_name_are_shots_or_two_structures(answer, files, library):
    """Of two volumes they are one structure; in one annotation they are two."""
    organ = make_organ()
    volume = files.volume(organ.image, "v4")
    two = [files.segment(organ.mask, 6), files.segment(organ.mask, 8)]  # the same key, of two segmentations
    query = files.volume(organ.image, "q2")
    got = answer(Transfer("", query, supports=[AnnotatedRef(volume, two), files.case(7, seed=2)], device="cpu"))
    assert [(s["key"], s["name"]) for s in got["structures"]] == [("s1", "organ"), ("s1′", "organ′")]


def test_weights_are_listed_imported_and_deleted(answer, ask, homes, tmp_path):
    listed = answer(Weights())
    assert listed["folder"] == homes["FEWSHOTSEGMENT_WEIGHTS"] and listed["name"] == ""
    (bundled,) = listed["weights"]
    assert bundled["bundled"] and bundled["licence"] and bundled["training_data"] and bundled["bytes"] > 1e6
    source = tmp_path / "got"
    source.mkdir()
    card = json.loads((weights_folder() / "weights.json").read_text())["weights"][0]
    data = (weights_folder() / card["file"]).read_bytes()

    def offer(content=data, **changes):
        entry = {**card, "name": "from-a-friend", "file": "w.safetensors", **changes}
        (source / "w.safetensors").write_bytes(content)
        (source / "weights.json").write_text(json.dumps({"weights": [entry]}))

    for wrong in [{"content": data[:-1]}, {"file": "../got/w.safetensors"}, {"network": "dspnet"}, {"name": "../a b"},
                  {"name": bundled["name"]}, {"sha256": 3}]:  # fmt: skip
        offer(**wrong)
        assert refusal(ask, Weights(action="import", path=str(source))).endswith(".")
        assert not Path(homes["FEWSHOTSEGMENT_WEIGHTS"]).exists() or not any(
            Path(homes["FEWSHOTSEGMENT_WEIGHTS"]).iterdir()
        )
    offer()
    got = answer(Weights(action="import", path=str(source / "weights.json")))
    assert got["name"] == "from-a-friend" and [w["name"] for w in got["weights"]] == [bundled["name"], "from-a-friend"]
    own = got["weights"][1]
    assert not own["bundled"] and own["sha256"] == bundled["sha256"]
    assert sorted(p.name for p in Path(own["folder"]).iterdir()) == ["w.safetensors", "weights.json"]
    assert "already" in refusal(ask, Weights(action="import", path=str(source)))
    for name in (bundled["name"], "..", "", "none"):
        assert refusal(ask, Weights(action="delete", name=name)).endswith(".")
    assert answer(Weights(action="delete", name="from-a-friend"))["weights"] == [bundled]
    assert not Path(own["folder"]).exists() and (source / "w.safetensors").exists()
    for path in ("", str(tmp_path / "none"), str(tmp_path)):
        assert refusal(ask, Weights(action="import", path=path)).endswith(".")


def test_weights_of_two_networks_are_imported_and_deleted_together(answer, ask, homes, tmp_path):
    """As finetune writes them: a propagator, and the refiner that was adapted."""
    store, source = Path(homes["FEWSHOTSEGMENT_WEIGHTS"]), tmp_path / "got"
    shutil.copytree(weights_folder(), source)
    propagator, refiner = json.loads((source / "weights.json").read_text())["weights"]
    propagator["name"] = "both"

    def offer(*entries):
        (source / "weights.json").write_text(json.dumps({"weights": entries}))

    for wrong in [(refiner, propagator), (propagator, refiner, {**refiner, "name": "again"}),
                  (propagator, {**refiner, "file": "../got/x"}), (propagator, {**refiner, "sha256": "0" * 64}),
                  (propagator, {**refiner, "file": propagator["file"]}),
                  (propagator, {**refiner, "network": "dspnet"})]:  # fmt: skip
        offer(*wrong)
        assert refusal(ask, Weights(action="import", path=str(source))).endswith(".")
        assert not (store / "both").exists()
    offer(propagator, refiner)
    assert answer(Weights(action="import", path=str(source)))["name"] == "both"
    copied = {path.name: path.read_bytes() for path in (store / "both").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in source.iterdir() if path.name in copied}
    assert sorted(copied) == sorted([propagator["file"], refiner["file"], "weights.json"])
    assert [w["name"] for w in answer(Weights())["weights"]][1:] == ["both"]
    answer(Weights(action="delete", name="both"))
    assert not (store / "both").exists()


def test_devices_are_told_in_plain_words(answer):
    got = answer(Devices())
    cpu = next(row for row in got["devices"] if row["name"] == "cpu")
    assert cpu["usable"] and cpu["text"].startswith("CPU, 1 thread") and got["threads"] == 1
    assert got["auto"] in [row["name"] for row in got["devices"] if row["usable"]] or got["auto"] == "cuda"
    assert got["versions"]["torch"] and got["versions"]["pynrrd"]


def test_finetunes_keeps_uses_and_rolls_back(client, answer, ask, files, small, homes, tmp_path):
    """Weights that were spoilt before are sure to become better."""
    import torch  # noqa: F401 - before the next, which needs it
    from safetensors.torch import load, save

    spoilt = tmp_path / "spoilt"
    shutil.copytree(weights_folder(), spoilt)
    propagator, refiner = json.loads((spoilt / "weights.json").read_text())["weights"]
    state = load((spoilt / refiner["file"]).read_bytes())
    state["to_logits.bias"] -= 6.0
    data = save(state)
    (spoilt / refiner["file"]).write_bytes(data)
    entries = [{**propagator, "name": "spoilt"}, {**refiner, "sha256": hashlib.sha256(data).hexdigest()}]
    (spoilt / "weights.json").write_text(json.dumps({"weights": entries}))
    assert "fine-tune first" in refusal(ask, FinetuneKeep(name="mine"))
    case = AnnotatedRef(files.volume(small.image), [files.segment(small.mask, 2, 3, 4)])
    heard = []
    got = answer(Finetune("", [case], 5.0, 4, "cpu", str(spoilt)), on_progress=heard.append)
    assert got["steps"] == 4 and got["verdict"].endswith(".") and got["base"]["name"] == "spoilt"
    assert heard[-1].total > 2 and len({progress.done for progress in heard}) > 2
    if got["better"]:
        kept = answer(FinetuneKeep(name="mine"))
        assert Path(kept["folder"]) == Path(homes["FEWSHOTSEGMENT_WEIGHTS"]) / "mine"
        assert "already" in refusal(ask, FinetuneKeep(name="mine"))
        assert [w["name"] for w in answer(Weights())["weights"]][1:] == ["mine"]
        request = Propagate("", case.volume, [files.segment(small.mask, 3, range=[3, 4])], "cpu", "mine")
        assert answer(request)["weights"]["name"] == "mine"
        assert answer(FinetuneKeep()) == {"name": "", "folder": ""}
        assert len(answer(Weights())["weights"]) == 1 and "no weights" in refusal(ask, request)
        assert not Path(kept["folder"]).exists()
    assert "fine-tune first" in refusal(ask, FinetuneKeep(name="mine"))
    assert got["better"], got["verdict"]
    little = AnnotatedRef(case.volume, [files.segment(small.mask, 3)])
    for cases in ([], [little]):
        assert refusal(ask, Finetune("", cases, 5.0, 2, "cpu")).endswith(".")

    def stop(progress):
        client.cancel(client._running)

    assert ask(Finetune("", [case], 5.0, 2, "cpu"), on_progress=stop).state == "cancelled"
    shutil.rmtree(spoilt)


def test_a_volume_that_is_no_volume_is_refused_everywhere(ask, files, small):
    flat = VolumeRef("f", files.save(np.zeros((4, 5))), LPS)
    case = AnnotatedRef(flat, [files.segment(small.mask, 3)])
    for request in [Library(action="add", case=case), Finetune("", [case]), Transfer("", flat, supports=[case])]:
        assert "2 dimensions" in refusal(ask, request)
