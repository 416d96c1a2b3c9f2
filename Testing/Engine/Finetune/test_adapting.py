"""Before, after, and the better of the two; the same call gives the same bits, and slices that judge are never seen."""

import signal

import numpy as np
import pytest
import torch
from finetune_cases import SMALL, SPACING, organ_with_slices, quick
from small_cases import dice, make_organ

from FewShotSegmentLib import Cancelled, Engine, InputError, WeightsError
from FewShotSegmentLib.finetune import adapt, adaptation, annotate
from FewShotSegmentLib.finetune.steps import Tally
from FewShotSegmentLib.training import refiner_task


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(state, other):
    return state.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in state.items())


def test_weights_that_draw_too_little_get_better_and_the_engine_is_not_changed(spoilt_engine, annotated):
    propagator, refiner = state_of(spoilt_engine.network), state_of(spoilt_engine.refiner)
    result = adapt(spoilt_engine, [annotated], quick(steps=3, learning_rate=1e-2))
    assert result.better and list(result.networks) == ["propagator", "refiner"]
    assert result.after > result.before + 0.05
    assert result.before == pytest.approx(np.mean([s.before for s in result.scores]))
    assert result.after == pytest.approx(np.mean([s.after for s in result.scores]))
    assert {s.index for s in result.scores} <= {3, 6, 8, 10} and len(result.scores) == 1
    assert same(spoilt_engine.network.state_dict(), propagator) and same(spoilt_engine.refiner.state_dict(), refiner)
    assert all(value.dtype == torch.float16 for state in result.networks.values() for value in state.values())
    assert same(result.networks["propagator"], {name: value.half() for name, value in propagator.items()})
    assert not same(result.networks["refiner"], {name: value.half() for name, value in refiner.items()})
    # the final weights are those of all slices, and the engine with them is better where nobody judged
    adapted = adaptation._refiner(result.networks["refiner"], spoilt_engine.device)
    organ, anchors = make_organ(), {i: make_organ().mask[i] for i in (3, 6, 8, 10)}
    found = [
        Engine(spoilt_engine.network, spoilt_engine.device, spoilt_engine.weights, SMALL, refiner).propagate(
            organ.image, anchors, spacing=SPACING, modality="ct"
        )
        for refiner in (spoilt_engine.refiner, adapted)
    ]
    old, new = (dice(result.mask[7], organ.mask[7]) for result in found)
    assert new >= old


def test_an_engine_without_a_refiner_is_refused(small_engine, annotated):
    bare = Engine(small_engine.network, small_engine.device, small_engine.weights, SMALL)
    with pytest.raises(WeightsError, match="no refiner, which is what is adapted"):
        adapt(bare, [annotated], quick())


def test_weights_that_do_not_get_better_are_not_kept(small_engine, annotated):
    result = adapt(small_engine, [annotated], quick(steps=1, learning_rate=1e-9))
    assert not result.better and result.networks is None
    assert result.after == pytest.approx(result.before, abs=1e-3)
    assert f"{small_engine.weights.name} stays in use" in result.verdict
    assert f"{result.before:.3f} before" in result.verdict and f"{result.after:.3f} after" in result.verdict


def test_a_rise_below_the_margin_is_no_rise(spoilt_engine, annotated):
    result = adapt(spoilt_engine, [annotated], quick(steps=3, learning_rate=1e-2, margin=1.0))
    assert result.after > result.before and not result.better


def test_the_same_call_gives_the_same_bits_and_another_seed_others(spoilt_engine, annotated):
    def train(seed):
        run = adaptation._Adaptation(spoilt_engine, [annotated], quick(seed=seed), Tally(None), None, ())
        return run._train([annotated], 2, "all", "").weights

    first, again, other = train(1), train(1), train(2)
    assert same(first, again) and not same(first, other)
    scores = [adapt(spoilt_engine, [annotated], quick(learning_rate=3e-3, margin=1.0)).scores for _ in range(2)]
    assert scores[0] == scores[1] and scores[0][0].before != scores[0][0].after


def test_what_is_scored_was_never_trained_on(spoilt_engine, annotated, monkeypatch):
    """All that ever comes to the source in a fold is without the fold's slices, be it with or without masks."""
    seen = []

    class Spy(adaptation.AnnotatedWindows):
        def __init__(self, volumes, settings, engine, seed):
            # what must not be seen is made to be noticed wherever it is used
            for volume in volumes:
                for index in volume.hidden:
                    assert all(index not in masks for masks in volume.anchors.values())
            seen.append([(volume.hidden, sorted(volume.anchors["organ"])) for volume in volumes])
            super().__init__(volumes, settings, engine, seed)

    monkeypatch.setattr(adaptation, "AnnotatedWindows", Spy)
    result = adapt(spoilt_engine, [annotated], quick(steps=2, learning_rate=3e-3, held_out=4, folds=2, margin=0.0))
    assert len(seen) == 3  # two folds, then all
    hidden = [next(iter(fold))[0] for fold in seen]
    assert hidden[0] and hidden[1] and not hidden[0] & hidden[1]
    assert hidden[0] | hidden[1] == {s.index for s in result.scores} == {3, 6, 8, 10}
    assert seen[2] == [(frozenset(), [3, 6, 8, 10])]


def test_the_last_training_is_left_out_where_nothing_was_gained(small_engine, annotated, monkeypatch):
    runs = []
    train = adaptation._Adaptation._train

    def record(self, volumes, steps, run, doing):
        runs.append(run)
        return train(self, volumes, steps, run, doing)

    monkeypatch.setattr(adaptation._Adaptation, "_train", record)
    adapt(small_engine, [annotated], quick(learning_rate=1e-9))
    assert runs == ["fold 0"]


def test_a_loss_that_is_no_number_stops_says_where_and_keeps_what_was_there(spoilt_engine, annotated, monkeypatch):
    train, mask_loss = adaptation._Adaptation._train, refiner_task._mask_loss

    def last_one_broken(self, volumes, steps, run, doing):
        factor = torch.nan if run == "all" else 1.0
        monkeypatch.setattr(refiner_task, "_mask_loss", lambda *given: mask_loss(*given) * factor)
        return train(self, volumes, steps, run, doing)

    monkeypatch.setattr(adaptation._Adaptation, "_train", last_one_broken)
    result = adapt(spoilt_engine, [annotated], quick(steps=3, learning_rate=1e-2, margin=0.0))
    assert result.after > result.before and not result.better and result.networks is None
    assert any("not a number at step" in note for note in result.notes)
    assert any("last training failed" in note for note in result.notes)


def test_time_decides_about_the_steps_within_bounds(small_engine, annotated, monkeypatch):
    asked = []
    monkeypatch.setattr(adaptation, "_PROBE", 2)
    train = adaptation._Adaptation._train

    def record(self, volumes, steps, run, doing):
        asked.append((run, steps))
        return train(self, volumes, min(steps, 1), run, doing)

    monkeypatch.setattr(adaptation._Adaptation, "_train", record)
    short = adapt(small_engine, [annotated], quick(steps=None, minutes=1e-4, learning_rate=1e-9))
    assert short.steps == 10 and any("10 steps" in note for note in short.notes)
    long = adapt(small_engine, [annotated], quick(steps=None, minutes=600, learning_rate=1e-9, full_steps=77))
    assert long.steps == 77
    assert asked[0] == ("probe", 2)


@pytest.mark.parametrize("after", [1, 8])
def test_cancelled_keeps_nothing(small_engine, annotated, after):
    asked = []
    with pytest.raises(Cancelled, match="nothing was written"):
        adapt(small_engine, [annotated], quick(steps=3), cancelled=lambda: (asked.append(1), len(asked) > after)[1])
    assert len(asked) == after + 1  # at once


def test_ctrl_c_within_a_step_keeps_nothing(small_engine, annotated, monkeypatch):
    real = refiner_task._mask_loss

    def interrupted(*given):
        if not asked:
            asked.append(1)
            signal.raise_signal(signal.SIGINT)
        return real(*given)

    asked = []
    monkeypatch.setattr(refiner_task, "_mask_loss", interrupted)
    with pytest.raises(Cancelled):
        adapt(small_engine, [annotated], quick())


def test_progress_runs_from_start_to_end(small_engine, annotated):
    told = []
    adapt(small_engine, [annotated], quick(), lambda *row: told.append(row))
    done = [row[0] for row in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1] and told[-1][2] == "done"
    assert {row[2] for row in told} >= {"scoring as it is", "adapting without held-out slices (1 of 1)"}


def test_ct_and_mr_together_are_mentioned(small_engine, annotated):
    organ = annotate(np.abs(organ_pixels()), {"organ": organ_masks()}, modality="mr", settings=SMALL)[0]
    result = adapt(small_engine, [annotated, organ], quick(steps=1, learning_rate=1e-9))
    assert any("CT and some MR" in note for note in result.notes)
    assert result.volumes == 2


def organ_pixels():
    return make_organ(seed=5).image


def organ_masks():
    organ = make_organ(seed=5)
    return {i: organ.mask[i] for i in (5, 8)}


def test_one_slice_is_too_little(small_engine):
    with pytest.raises(InputError, match="draw organ on at least 1 more slice of patient"):
        adapt(small_engine, [organ_with_slices(6)], quick())


def test_training_goes_on_after_inference_of_the_same_size(small_engine, annotated):
    """Inference leaves tensors behind (squared distances) that autograd refuses."""
    engine = Engine.load("cpu", settings=small_engine.settings)
    engine.propagate(organ_pixels(), organ_masks(), spacing=(3.0, 1.0, 1.0), modality="ct")
    assert adapt(engine, [annotated], quick(steps=1, learning_rate=1e-9)).steps == 1


def test_that_the_ends_did_not_judge_is_said_where_they_did_not(small_engine, annotated):
    said = adapt(small_engine, [annotated], quick(learning_rate=1e-9)).notes
    assert any("where it ends is not known" in note for note in said)
    complete = organ_with_slices(5, 6, 7, complete=True)
    result = adapt(small_engine, [complete], quick(learning_rate=1e-9, held_out=6))
    assert {s.index for s in result.scores} & {2, 4, 8, 10}
    assert not any("where it ends" in note for note in result.notes)
