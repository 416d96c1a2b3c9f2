"""Which slices judge, how they are reached, and how they are scored."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetune_cases import SMALL, organ_with_slices
from small_cases import make_organ

from FewShotSegmentLib import Cancelled, InputError
from FewShotSegmentLib.finetune.held_out import Place, choose_folds, find_way, leave_out
from FewShotSegmentLib.finetune.score import score, score_fold


@pytest.mark.parametrize("indices", [(5, 8), (4, 6, 8), (3, 6, 8, 10), tuple(range(2, 13))])
def test_each_group_leaves_something_to_learn_from_and_to_find_it_from(indices):
    volumes = [organ_with_slices(*indices)]
    folds = choose_folds(volumes, 4, 2)
    held = [place.index for fold in folds for place in fold]
    assert len(folds) == 2 and len(held) == len(set(held)) == min(4, len(indices))
    assert set(held) <= set(indices)
    for fold in folds:
        (left,) = leave_out(volumes, fold)
        assert left.filled("organ")
        assert all(find_way(left, "organ", place.index) for place in fold)


def test_held_out_slices_are_spread_over_volumes():
    volumes = [organ_with_slices(3, 6, 8, 10, seed=seed, name=str(seed)) for seed in range(3)]
    held = [place.volume for fold in choose_folds(volumes, 3, 2) for place in fold]
    assert sorted(held) == [0, 1, 2]


def test_segments_on_different_slices_each_keep_an_anchor():
    a, b = organ_with_slices(3, 7), organ_with_slices(5, 9, segment="other")
    volume = dataclasses.replace(a, anchors={**a.anchors, **b.anchors})
    for fold in choose_folds([volume], 4, 2):
        (left,) = leave_out([volume], fold)
        for place in fold:
            segment = "organ" if place.index in (3, 7) else "other"
            assert find_way(left, segment, place.index)


def test_a_way_runs_over_all_slices_from_the_anchors_next_to_it():
    (left,) = leave_out([organ_with_slices(2, 4, 8, 11)], [Place(0, 8)])
    way = find_way(left, "organ", 8)
    assert way.anchors == (4, 11) and way.slices == tuple(range(4, 12))
    (left,) = leave_out([organ_with_slices(2, 4, 8)], [Place(0, 8)])
    assert find_way(left, "organ", 8).slices == (4, 5, 6, 7, 8)


def test_a_long_way_is_walked_in_larger_steps(annotated):
    organ = make_organ(shape=(90, 24, 24))
    grid = dataclasses.replace(annotated.grid, slices=torch.zeros(90, 64, 64))
    volume = dataclasses.replace(annotated, grid=grid, anchors={"organ": {20: organ.mask[45]}}, hidden=frozenset({75}))
    way = find_way(volume, "organ", 75)
    assert len(way.slices) == 24 and {20, 75} <= set(way.slices)


def test_absence_alone_leads_nowhere():
    volume = organ_with_slices(5, 7, empty=(1, 12))
    (left,) = leave_out([volume], [Place(0, 5), Place(0, 7)])
    assert find_way(left, "organ", 5) is None


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ([], "Nothing is annotated"),
        ([organ_with_slices(6)], "too little to learn from.*draw organ on at least 1 more slice of patient"),
        ([organ_with_slices(6), organ_with_slices(7, seed=1, name="b")], "too little to learn from"),
        ([organ_with_slices(6, empty=(1, 2, 12))], "at least 1 more slice"),
        ([organ_with_slices(5, 6), organ_with_slices(8, 9, name="copy")], "is given twice .patient and copy"),
    ],
)
def test_too_little_or_too_much_is_refused(volumes, words):
    with pytest.raises(InputError, match=words) as caught:
        choose_folds(volumes, 4, 2)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_scores():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert score(a, b) == 1.0
    a[0, :2] = True
    assert score(a, b) == 0.0
    b[0, 1:3] = True
    assert score(a, b) == pytest.approx(0.5)
    assert score(~a & a, b) == 0.0


def test_a_held_out_slice_is_found_as_the_engine_finds_it(small_engine):
    """Between two anchors the score is that of the engine's own result."""
    organ, volume = make_organ(), organ_with_slices(4, 7, 10)
    ((place, segment, found),) = score_fold(
        small_engine.network, small_engine.refiner, small_engine.device, [volume], frozenset({Place(0, 7)}), SMALL
    )
    result = small_engine.propagate(
        organ.image, {i: organ.mask[i] for i in (4, 10)}, spacing=(3.0, 1.0, 1.0), modality="ct"
    )
    assert (place, segment) == (Place(0, 7), "organ")
    assert found == pytest.approx(score(result.mask[7], organ.mask[7]), abs=1e-6) and found > 0.5


def test_where_it_is_absent_only_an_empty_slice_scores(spoilt_engine):
    volume, fold = organ_with_slices(6, 7, 8, empty=(13,)), frozenset({Place(0, 13)})
    engine, always = spoilt_engine, replace(SMALL, stop_confidence=0.0)
    for bias, wanted in ((30.0, 0.0), (-30.0, 1.0)):
        with torch.no_grad():
            engine.refiner.to_logits.bias.fill_(bias)
            engine.refiner.to_presence[-1].bias.fill_(30.0)
        ((_, _, found),) = score_fold(engine.network, engine.refiner, engine.device, [volume], fold, always)
        assert found == wanted


def test_slices_of_a_long_way_lie_as_far_apart_as_those_left_out(small_engine, monkeypatch):
    """The refiner is told the distance in the body, whatever is walked of it."""
    from FewShotSegmentLib.finetune import held_out
    from FewShotSegmentLib.finetune import score as scoring

    seen = []

    class Spy(scoring.SegmentTask):
        def __init__(self, anchors, slice_range, result, volume, settings):
            seen.append((sorted(anchors), len(volume.slices), volume.distance))
            super().__init__(anchors, slice_range, result, volume, settings)

    monkeypatch.setattr(scoring, "SegmentTask", Spy)
    monkeypatch.setattr(held_out, "_LONGEST", 4)
    volume = organ_with_slices(4, 10)
    score_fold(
        small_engine.network, small_engine.refiner, small_engine.device, [volume], frozenset({Place(0, 10)}), SMALL
    )
    assert seen == [([0], 4, pytest.approx(2 * volume.finest.distance))]


def test_scoring_can_be_cancelled(small_engine, annotated):
    with pytest.raises(Cancelled):
        score_fold(
            small_engine.network, None, small_engine.device, [annotated], frozenset({Place(0, 6)}), SMALL, lambda: True
        )
