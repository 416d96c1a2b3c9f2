"""Where runs meet and where they stop: confidence, fusion of two runs, and the end of an unsure one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib import Engine
from FewShotSegmentLib.propagation.confidence import slice_confidence
from FewShotSegmentLib.propagation.fusion import Vote, fuse


def vote(probability, confidence=1.0, distance=1):
    return Vote(torch.logit(torch.full((1, 1, 4, 4), probability)), confidence, distance)


def fused(*votes, sharpness=1.0):
    return float(fuse(list(votes), sharpness).sigmoid()[0, 0, 0, 0])


def test_a_single_vote_is_left_as_it_is():
    only = vote(0.3)
    assert fuse([only], 1.0) is only.logits


def test_the_nearer_anchor_counts_more():
    assert fused(vote(0.9, distance=1), vote(0.1, distance=3)) == pytest.approx(0.7, abs=1e-3)  # weights 3 : 1
    assert fused(vote(0.9, distance=3), vote(0.1, distance=1)) == pytest.approx(0.3, abs=1e-3)


def test_the_surer_run_counts_more():
    assert fused(vote(0.9, confidence=0.8), vote(0.1, confidence=0.2)) == pytest.approx(0.74, abs=1e-3)


def test_sharpness_sets_how_much_distance_counts():
    far, near = vote(0.9, distance=2), vote(0.1, distance=1)
    assert fused(far, near, sharpness=0) == pytest.approx(0.5, abs=1e-3)
    assert fused(far, near, sharpness=2) == pytest.approx(0.26, abs=1e-3)  # weights 1/4 : 1


def test_confidence_falls_with_unsure_pixels_and_turns_round_for_absence():
    sure = torch.zeros(8, 8)
    sure[2:6, 2:6] = 1
    assert slice_confidence(sure) == 1
    unsure = sure.clone()
    unsure[sure == 1] = 0.6
    around = unsure.clone()
    around[sure == 0] = 0.4
    assert 1 > slice_confidence(unsure) > slice_confidence(around) > 0
    assert slice_confidence(torch.full((8, 8), 0.2)) == pytest.approx(0.8)


def test_a_run_to_an_open_end_stops_where_it_is_too_unsure(engine, organ):
    def run(stop_confidence):
        settings = replace(engine.settings, stop_confidence=stop_confidence)
        return Engine(engine.network, engine.device, engine.weights, settings).propagate(
            organ.image, organ.anchors(7), modality="ct"
        )

    free = run(0.0)
    up = [i for i in free.slices if i > 7]
    limit = float(np.median(free.slice_confidence[up]))
    stopped = run(limit)
    end = next(i for i in range(8, 14) if free.slice_confidence[i] < limit)
    assert [i for i in stopped.slices if i > 7] == list(range(8, end))
    np.testing.assert_array_equal(stopped.mask[8:end], free.mask[8:end])
    assert not stopped.probability[end:].any()
    assert (stopped.slice_confidence[end:] == free.slice_confidence[end]).all()


def test_between_two_anchors_nothing_stops_a_run(engine, organ):
    settings = replace(engine.settings, stop_confidence=1.1)
    result = Engine(engine.network, engine.device, engine.weights, settings).propagate(
        organ.image, organ.anchors(4, 9), modality="ct"
    )
    assert result.slices == tuple(range(4, 10))
