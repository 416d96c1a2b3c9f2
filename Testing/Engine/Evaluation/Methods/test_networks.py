"""The engine, bare few-shot networks and the full pipeline as methods."""

import numpy as np
import pytest
import torch

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation import methods
from FewShotSegmentLib.evaluation.method import Across, Within
from FewShotSegmentLib.evaluation.methods import loaded as loading
from FewShotSegmentLib.evaluation.methods.engine import EngineMethod
from FewShotSegmentLib.evaluation.methods.few_shot import FewShot
from FewShotSegmentLib.evaluation.methods.pipeline import Pipeline
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.review import next_slice
from FewShotSegmentLib.session import VolumeSession
from FewShotSegmentLib.transfer import Transfer
from FewShotSegmentLib.weights.save import write_weights

NETWORKS = ["prototype", "alpnet", "dspnet-published", "dspnet"]


def size(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def method(recipe, engine):
    return EngineMethod(recipe("engine", "within"), engine)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, recipe, loaded):
    return FewShot(recipe(request.param, "across"), loaded)


@pytest.fixture
def counted(loaded, monkeypatch):
    """Slices that the engine's encoder has seen."""
    seen = []
    forward = type(loaded.encoder).forward

    def spy(self, images):
        seen.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(type(loaded.encoder), "forward", spy)
    return seen


def test_the_engine_answers_as_for_a_user(method, engine, patients):
    (volume, mask), _ = patients
    answer = method.within(Within(volume, {7: mask[7]}, (4, 11)))
    own = engine.propagate(volume.image, {7: mask[7]}, spacing=volume.spacing, modality="ct", slice_range=(4, 11))
    assert (answer.mask == own.mask).all()
    assert (answer.confidence == own.slice_confidence).all()
    assert answer.note == ""
    assert (answer.mask[7] == mask[7]).all() and not answer.mask[:4].any()
    assert method.parameters == size(engine.network) + size(engine.refiner)


def test_the_engine_takes_empty_anchors_and_says_why_it_refuses(method, patients):
    (volume, mask), _ = patients
    nothing = np.zeros_like(mask[7])
    found = method.within(Within(volume, {7: mask[7], 9: nothing})).mask
    assert not found[9:].any() and found[7].any()
    refused = method.within(Within(volume, {7: nothing}))
    assert not refused.mask.any() and refused.mask.shape == mask.shape
    assert refused.note


def test_a_reading_is_what_a_session_gives(method, engine, patients):
    (volume, mask), _ = patients
    reading = method.read(volume)
    assert reading.propose() is None
    drawn = {7: mask[7]}
    first = reading.annotate(drawn, 7)
    whole = VolumeSession(engine, volume.image, spacing=volume.spacing, modality="ct")
    own = whole.propagate({"": drawn})[""]
    assert (first.mask == own.mask).all()
    assert reading.propose() == next_slice(own, volume.spacing[0])
    before = first.mask.copy()
    for changed in (10, 4):
        drawn[changed] = mask[changed]
        answer = reading.annotate(drawn, changed)
    own = whole.propagate({"": drawn})[""]
    assert (answer.mask == own.mask).all()
    assert answer.confidence == pytest.approx(own.slice_confidence, abs=1e-6)
    assert reading.propose() == next_slice(own, volume.spacing[0])
    assert (first.mask == before).all()


def test_readings_of_one_volume_share_its_features(method, patients):
    (volume, mask), _ = patients
    first, second = method.read(volume), method.read(volume)
    assert first._session is second._session
    other = type(volume)(volume.image, volume.geometry, volume.modality)
    assert method.read(other)._session is not first._session
    refused = second.annotate({7: np.zeros_like(mask[7])}, 7)
    assert not refused.mask.any() and refused.note
    assert second.propose() is None


def test_a_bare_network_is_that_of_the_transfer(network, engine, ask):
    question = ask(4, 9)
    transfer = Transfer(engine, network.name)
    support = network._supports.make(question)
    own = transfer.run(question.query.image, question.query.geometry, {"o": [support]}, modality="ct", propagate=False)[
        "o"
    ]
    answer = network.across(question)
    assert (answer.mask == own.mask).all()
    assert answer.confidence == pytest.approx(own.slice_confidence)
    assert network.parameters == size(transfer.network)


def test_with_parts_each_slice_has_its_own_support(network, ask):
    parts = np.full(14, -1)
    parts[3:7], parts[8:11] = 4, 9
    both = network.across(ask(4, 9, parts=parts))
    for asked, part in ((slice(3, 7), 4), (slice(8, 11), 9)):
        alone = network.across(ask(part, parts=np.full(14, part)))
        assert (both.mask[asked] == alone.mask[asked]).all()
        # without parts one annotated slice is the same question
        assert (network.across(ask(part)).mask == alone.mask).all()
    assert not both.mask[parts < 0].any()
    assert both.confidence.shape == (14,) and (both.confidence[parts < 0] == 1).all()


def test_a_query_is_encoded_once_for_all_organs_and_networks(recipe, loaded, ask, counted):
    question = ask(7)
    query = type(question.query)(question.query.image, question.query.geometry, "ct")
    for name in ("dspnet", "alpnet"):
        network = FewShot(recipe(name, "across"), loaded)
        for organ in ("liver", "spleen"):
            network.across(Across(query, question.support, question.anchors, None, organ))
    assert sum(counted) == 14 + 4  # the query's slices, and each question's support
    again = type(query)(query.image, query.geometry, "ct")
    network.across(Across(again, question.support, question.anchors))
    assert sum(counted) == 14 + 4 + 14 + 1


def test_answers_are_the_same_when_made_anew(recipe, loaded, ask):
    first, second = (FewShot(recipe("dspnet-published", "across"), loaded).across(ask(7)).mask for _ in range(2))
    assert (first == second).all()


def test_what_cannot_be_used_is_said(network, ask):
    question = ask(7)
    empty = {7: np.zeros_like(question.anchors[7])}
    answer = network.across(Across(question.query, question.support, empty, organ="spleen"))
    assert not answer.mask.any()
    assert answer.note == "No annotated slice of spleen has a mask, so there is nothing to look for."
    assert "Slice 3 of the support" in network.across(ask(7, parts=np.full(14, 3))).note


def test_weights_of_ones_own_bring_their_encoder(recipe, loaded, ask, tmp_path):
    torch.manual_seed(1)
    own = build("prototype", "propagator")
    card = {"network": "prototype/propagator", "licence": "x", "training_data": "none", "date": "2000-01-01"}
    write_weights(tmp_path / "own", "own", own.state_dict(), {**card, "metrics": {}})
    plain = FewShot(recipe("prototype", "across"), loaded)
    given = FewShot(recipe("prototype", "across", **{"weights:prototype": str(tmp_path / "own")}), loaded)
    assert given.parameters == size(own)
    assert "weights of its own" in given.note and "not trained for it" in plain.note
    assert given._encoded is not plain._encoded
    assert not (given.across(ask(7)).mask == plain.across(ask(7)).mask).all()


def test_the_pipeline_is_the_transfer_and_ignores_parts(recipe, loaded, engine, ask):
    pipeline = Pipeline(recipe("pipeline", "across"), loaded)
    question = ask(4, 9, parts=np.full(14, -1))
    answer = pipeline.across(question)
    support = pipeline._supports.make(question)
    own = Transfer(engine).run(question.query.image, question.query.geometry, {"o": [support]}, modality="ct")["o"]
    assert own.found and answer.note == ""
    assert (answer.mask == own.mask).all()
    assert answer.confidence == pytest.approx(own.slice_confidence)
    assert "parts that slices are to be compared with are ignored" in pipeline.note
    # DSPNet, repaired, has nothing to learn besides its encoder
    assert pipeline.parameters == size(engine.network) + size(engine.refiner)
    with pytest.raises(InputError, match="cannot carry slices"):
        pipeline.read(question.query)


def test_one_engine_for_all_methods_of_a_process(monkeypatch, engine):
    made = []
    monkeypatch.setattr(loading.Engine, "load", lambda device, **options: made.append((device, options)) or engine)
    loading._load.cache_clear()
    for recipe in methods.recipes(["dspnet", "pipeline"], "across", {}) + methods.recipes(["engine"], "within", {}):
        assert methods.make(recipe).name == recipe.name
    loading._load.cache_clear()
    assert made == [("cpu", {"weights_folder": None})]
