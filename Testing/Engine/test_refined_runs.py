"""What the refiner's answers do to a run: a stand-in says what it would, so that each rule shows on its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FewShotSegmentLib.engine import Engine


class Says(torch.nn.Module):
    """Draws the moved mask, and nothing farther than `drawn` from the anchor; present up to `present` (slices)."""

    def __init__(self, drawn=99.0, present=99.0):
        super().__init__()
        self.drawn, self.present = drawn, present

    def forward(self, moved):
        slices = moved.distance / moved.step
        logits = (moved.mask - 0.5) * 20
        logits = torch.where((slices <= self.drawn + 0.5).view(-1, 1, 1, 1), logits, -10.0)
        return logits, torch.where(slices <= self.present + 0.5, 10.0, -10.0)


@pytest.fixture
def carried(engine, organ):
    def run(refiner, indices=(7,), **settings):
        settings = {"network_share": 0.0, **settings}
        own = Engine(engine.network, engine.device, engine.weights, replace(engine.settings, **settings), refiner)
        return own.propagate(organ.image, organ.anchors(*indices), modality="ct")

    return run


def test_a_run_to_an_open_end_stops_where_the_structure_is_not_there(carried):
    assert set(range(3, 12)) <= set(carried(Says()).slices)
    result = carried(Says(present=2))
    assert result.slices == (5, 6, 7, 8, 9)
    assert (result.slice_confidence[10:] > 0.99).all()  # sure that it is not there
    # doubt in its presence is doubt in the slice, so both rules have to be off
    assert len(carried(Says(present=2), stop_presence=0.0, stop_confidence=0.0).slices) > 5


def test_between_two_anchors_presence_stops_nothing(carried):
    assert set(range(4, 10)) <= set(carried(Says(present=1), (4, 9)).slices)


def test_what_the_refiner_no_longer_draws_is_gone_after_a_few_slices(carried):
    assert carried(Says(drawn=1), moved_share=0.0).slices == (6, 7, 8)
    # 0.6, then 0.36 of a sure mask: the moved mask bridges one slice
    assert carried(Says(drawn=1), moved_share=0.6, stop_confidence=0.0).slices == (5, 6, 7, 8, 9)


def test_the_propagator_alone_cannot_keep_a_mask_alive(engine, organ, carried, monkeypatch):
    """It draws everything here; with the shares in use the mask still ends, with a larger share it does not."""

    def everywhere(features, readout, prior):
        return torch.full_like(prior, 20.0), None

    monkeypatch.setattr(engine.network, "decode", everywhere)
    usual = carried(Says(drawn=1), network_share=engine.settings.network_share, stop_confidence=0.0)
    larger = carried(Says(drawn=1), network_share=0.4, stop_confidence=0.0)
    assert len(usual.slices) < 10 < len(larger.slices) == len(organ.image)


def test_stages_say_where_the_time_went(engine, organ):
    engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(6, 8))
    names = {"normalise", "encode", "remember", "register", "match and decode", "refine", "write"}
    assert set(engine.stages) == names and all(seconds > 0 for seconds in engine.stages.values())
    engine.stages["of an earlier call"] = 1.0
    engine.propagate(organ.image, organ.anchors(7), modality="ct", slice_range=(6, 8))
    assert set(engine.stages) == names


class Loses(torch.nn.Module):
    """Draws the moved mask without its outermost pixels for some slices, then hands it on as it is."""

    def __init__(self, slices):
        super().__init__()
        self.slices = slices

    def forward(self, moved):
        smaller = -torch.nn.functional.max_pool2d(-moved.mask, 3, 1, 1)
        shrinks = (moved.distance / moved.step <= self.slices + 0.5).view(-1, 1, 1, 1)
        return (torch.where(shrinks, smaller, moved.mask) - 0.5) * 20, torch.full_like(moved.distance, 10.0)


@pytest.fixture
def through_a_tube(engine, organ):
    """Masks' areas on slices that are all the same, so that nothing but the refiner changes the mask."""
    tube = np.repeat(organ.image[7:8], 14, 0)

    def areas(refiner, indices=(4,), **settings):
        fixed = {"network_share": 0.0, "moved_share": 0.0, "stop_confidence": 0.0}
        settings = {**fixed, "taper_doubt": 0.0, "taper_span": 0.05, "taper_unsure": 1e9, **settings}
        own = Engine(engine.network, engine.device, engine.weights, replace(engine.settings, **settings), refiner)
        anchors = dict.fromkeys(indices, organ.mask[7])
        return own.propagate(tube, anchors, modality="ct").mask.sum((1, 2))

    return areas


def test_what_has_begun_to_taper_goes_on_tapering_to_an_end(through_a_tube):
    """A mask that has shrunk for three slices and then stays as it is: only a bound on its area ends it."""
    endless = through_a_tube(Loses(3), taper_below=0.0)
    assert endless[7] < 0.75 * endless[4] and endless[13] > 0.8 * endless[7]
    bounded = through_a_tube(Loses(3), taper_cut=1.0)
    np.testing.assert_array_equal(bounded[4:7], endless[4:7])  # until the fall is known nothing is different
    assert bounded[8] < bounded[7] and not bounded[10:].any()
    # each slice's own picture counts: a quarter is cut away at most
    careful = through_a_tube(Loses(3), taper_cut=0.25)
    assert (careful[8:] < endless[8:]).all() and (careful[10:] > bounded[10:]).all()
    # and of what is all sure, as this refiner is, nothing
    assert (through_a_tube(Loses(3), taper_unsure=10.0) >= endless).all()


def test_three_annotated_slices_say_how_far_a_structure_reaches(through_a_tube):
    """The same structure on all slices, and a refiner that never doubts it: only the annotated ones end it."""
    spread = through_a_tube(Loses(0), (3, 5, 7), spread_least=0.0, spread_weight=40.0)
    assert spread[1:10].all() and not spread[12:].any()
    assert through_a_tube(Loses(0), (3, 5, 7), spread_weight=0.0).all()
    assert through_a_tube(Loses(0), (5, 7), spread_least=0.0, spread_weight=40.0).all()


def test_between_two_anchors_no_area_is_bounded(through_a_tube):
    free = through_a_tube(Loses(3), (2, 11), taper_below=0.0)
    bounded = through_a_tube(Loses(3), (2, 11), taper_cut=1.0)
    np.testing.assert_array_equal(free[2:12], bounded[2:12])
    assert free[6] < 0.75 * free[2]  # though it had begun to taper
