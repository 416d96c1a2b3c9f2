"""Validation scores what it says, when it is due, and training does not notice."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from observe_cases import FEW_SHOT, SMALL, write_labelled

from FewShotSegmentLib.errors import DeviceError, InputError
from FewShotSegmentLib.networks.blocks import squared_distances
from FewShotSegmentLib.training.networks import make_task
from FewShotSegmentLib.training.observe import Validation, read_table
from FewShotSegmentLib.training.observe.measure import Score, Scored, mean_scores, score
from FewShotSegmentLib.training.sources import make_source


def _validation(labelled, tmp_path, settings=SMALL, **given):
    return Validation(labelled, settings, tmp_path / "validation.csv", **({"every": 2} | given))


def test_score_leaves_out_what_was_given():
    truth = np.zeros((6, 4, 4), bool)
    truth[1:4, 1:3, 1:3] = True
    found = np.zeros_like(truth)
    found[2] = truth[2]  # the given slice alone would be a Dice of 1/2
    assert score(found, truth, [2]) == Score(0.0, 0.0)
    found[1:4] = truth[1:4]
    found[5] = True  # runs on past the end: counts in the whole volume only
    whole, own = score(found, truth, [2])
    assert own == 1.0
    assert whole == pytest.approx(2 * 8 / (8 + 8 + 16))


def test_every_group_counts_once():
    scored = [Scored("a", "1", "x", Score(0.2, 0.4)), Scored("a", "2", "x", Score(0.4, math.nan))]
    scored += [Scored("b", "3", "x", Score(0.9, 0.8))]
    means = mean_scores(scored)
    assert means["a"] == Score(pytest.approx(0.3), pytest.approx(0.4))
    assert means[""] == Score(pytest.approx(0.6), pytest.approx(0.6))


def test_the_propagator_is_scored(labelled, tmp_path, weights, rng_kept):
    heard = []
    validation = _validation(labelled, tmp_path, listeners=[heard.append])
    assert validation.cases == ("heart_01", "heart_02", "liver_01")
    validation.checkpoint(2, weights)
    table = read_table(tmp_path / "validation.csv")
    assert list(table)[:5] == ["step", "whole", "own", "structures", "seconds"]
    assert list(table)[5:] == ["whole_heart_mr", "own_heart_mr", "whole_liver_mr", "own_liver_mr"]
    assert table["structures"].tolist() == [3]
    assert table["whole"][0] > 0.6  # the bundled weights find the organ
    assert table["whole"][0] == pytest.approx((table["whole_heart_mr"][0] + table["whole_liver_mr"][0]) / 2)
    assert heard[0]["step"] == 2.0
    # sure that nothing is there; with weights of 0 it would be undecided, and masks that registration moves remain
    worse = {name: value - 30 if name == "to_logits.bias" else value for name, value in weights.items()}
    validation.checkpoint(4, worse)
    assert read_table(tmp_path / "validation.csv")["whole"][1] < 0.3


def test_the_same_weights_have_the_same_score(labelled, tmp_path, weights):
    validation = _validation(labelled, tmp_path)
    assert validation.scored(weights) == validation.scored(weights)


def test_a_few_shot_network_is_scored_on_another_patient(labelled, tmp_path, rng_kept):
    validation = _validation(labelled, tmp_path, FEW_SHOT)
    assert validation.cases == ("heart_01", "heart_02")  # the liver has no partner
    network = make_task(FEW_SHOT, "bundled").network
    scored = validation.scored(network.state_dict())
    assert [(one.case, one.structure) for one in scored] == [("heart_01", "organ"), ("heart_02", "organ")]
    assert all(one.score.own > 0.3 for one in scored)


def test_the_support_decides_what_a_few_shot_network_finds(tmp_path):
    """With the body in place of the organ as the support's mask, the organ is not what is found."""
    folder = write_labelled(tmp_path / "cases", {"heart_01": "heart", "heart_02": "heart"})
    validation = _validation(folder, tmp_path, FEW_SHOT)
    state = make_task(FEW_SHOT, "bundled").network.state_dict()
    before = validation.scored(state)[1].score.own
    _, query = validation._measure.keywords["cases"]
    support = validation._measure.keywords["cases"][0]
    support.masks["organ"][:] = ~support.masks["organ"]
    assert query.files.name == "heart_02"
    assert validation.scored(state)[1].score.own < before - 0.2


def test_it_is_done_every_so_many_steps_and_at_the_end(labelled, tmp_path, weights, monkeypatch):
    validation = _validation(labelled, tmp_path, SMALL.changed(iterations=7), every=3)
    monkeypatch.setattr(validation, "scored", lambda _: [Scored("", "a", "x", Score(0.5, 0.5))])
    for step in (1, 2, 3, 4, 5, 6, 7, 7):
        validation.checkpoint(step, weights)
    assert read_table(validation.path)["step"].tolist() == [3, 6, 7]


def test_resuming_removes_later_ones_and_keeps_the_rhythm(labelled, tmp_path, weights, monkeypatch):
    monkeypatch.setattr(Validation, "scored", lambda *_: [Scored("", "a", "x", Score(0.5, 0.5))])
    first = _validation(labelled, tmp_path, SMALL.changed(iterations=20), every=3)
    for step in (3, 6, 9):
        first.checkpoint(step, weights)
    again = _validation(labelled, tmp_path, SMALL.changed(iterations=20), every=3)
    again.resumed(7)
    assert read_table(again.path)["step"].tolist() == [3, 6]
    again.checkpoint(8, weights)
    again.checkpoint(9, weights)
    assert read_table(again.path)["step"].tolist() == [3, 6, 9]


@pytest.mark.parametrize("error", [DeviceError("No memory."), torch.cuda.OutOfMemoryError("CUDA out of memory")])
def test_what_fails_is_a_note(labelled, tmp_path, weights, monkeypatch, error):
    def fail(_):
        raise error

    validation = _validation(labelled, tmp_path)
    monkeypatch.setattr(validation, "scored", fail)
    validation.checkpoint(2, weights)
    validation.checkpoint(4, weights)
    validation.close()
    assert len(validation.notes) == 1
    assert "step 2" in validation.notes[0]


def test_nothing_to_validate_with(tmp_path, labelled):
    with pytest.raises(InputError, match="pairs of files"):
        _validation(tmp_path, tmp_path)
    with pytest.raises(InputError, match="at most 4 slices"):
        _validation(labelled, tmp_path, most_slices=4)
    alone = write_labelled(tmp_path / "alone", {"heart_01": "heart", "liver_01": "liver"})
    with pytest.raises(InputError, match="two volumes of the same region"):
        _validation(alone, tmp_path, FEW_SHOT)


def test_without_a_list_all_cases_are_one_group(tmp_path):
    folder = write_labelled(tmp_path / "cases", {"a_1": "heart", "b_1": "liver"}, listed=False)
    validation = _validation(folder, tmp_path, FEW_SHOT)
    assert validation.cases == ("a_1", "b_1")
    assert {one.structure for one in validation.scored(make_task(FEW_SHOT, "bundled").network.state_dict())} == {
        "label 3"
    }


def test_real_volumes(shared, tmp_path, weights):
    """One heart of nine slices or fewer: the bundled weights carry the cavity through most of it."""
    dev = shared / "data" / "dev"
    if not (dev / "cases.json").is_file():
        pytest.skip("there is no data/dev here")
    heart = next(
        c for c in json.loads((dev / "cases.json").read_text()) if c["case"].startswith("scd") and c["size"][2] < 8
    )
    for kind in ("image", "labels"):
        (tmp_path / f"{heart['case']}_{kind}.nii.gz").symlink_to(Path(dev / f"{heart['case']}_{kind}.nii.gz").resolve())
    validation = _validation(tmp_path, tmp_path, SMALL.changed(size=96))
    assert validation.scored(weights)[0].score.own > 0.5


def test_training_goes_on_after_a_validation(labelled, tmp_path, weights):
    """What the network keeps of a validation, made in inference mode, has no gradient and must not reach training."""
    source = make_source(SMALL.changed(other_patient=0.0), [], torch.device("cpu"))
    squared_distances.cache_clear()
    _validation(labelled, tmp_path).scored(weights)
    make_task(SMALL, "bundled")(source.part(0, 0)).loss.backward()
