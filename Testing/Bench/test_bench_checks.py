"""The bench's checks, and what it measures of cost and memory."""

from __future__ import annotations

import os
from unittest import mock

import accuracy
import checks
import numpy as np
import pytest
import tubes
from correction import Correction
from cost import Cost, bare_calls
from memory import Peak, peak_gigabytes
from scores import Score


def _record(engine: float, prototype: float, three: float) -> accuracy.Record:
    record = accuracy.Record("heart MR", "case", "organ", 9, False)
    record.one = {"engine1": Score(engine, engine), "prototype": Score(prototype, prototype)}
    record.three = {"engine1": Score(engine, engine), "engine3": Score(three, three)}
    return record


def test_check_against_the_prototype_is_on_average_and_names_those_that_lose():
    good, bad = _record(0.85, 0.80, 0.9), _record(0.80, 0.82, 0.9)
    passed = checks.accuracy_checks([good, bad])[0]
    assert passed.passed and "2 of 4 figures more than 0.01 below" in passed.text
    assert passed.details[0].startswith("-0.0200")
    assert checks.accuracy_checks([good, bad, bad, bad])[0].passed is False


def test_check_of_three_slices_counts_sources_not_structures():
    other = _record(0.5, 0.5, 0.5)
    other.source = "fetal brain MR"
    assert checks.accuracy_checks([_record(0.8, 0.8, 0.87)] * 9 + [other])[1].passed
    assert checks.accuracy_checks([_record(0.8, 0.8, 0.85)] * 9 + [other])[1].passed is False


def test_checks_that_could_not_be_measured_say_so():
    record = _record(0.8, 0.8, 0.9)
    del record.one["prototype"], record.three["engine3"]
    assert [check.verdict for check in checks.accuracy_checks([record])] == ["NOT MEASURED"] * 2


CORRECTION = Correction(6.5, 4.3, 1.5, slices=23, encoded=0, exact=True)


def _cost(**changed) -> Cost:
    peak = Peak(300, 512, 1, gigabytes=1.2, before=0.5, filled=300, seconds=40.0)
    values = {"bare_seconds": 5.0, "engine_seconds": 5.5, "two_segments_seconds": 8.0, "overhead": 1.1}
    values |= {
        "second_segment": 0.45,
        "repeats": True,
        "filled": 40,
        "slices": 40,
        "rounds": 5,
        "threads": 2,
        "correction": CORRECTION,
        "memory": (peak,),
    }
    return Cost(**(values | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"overhead": 1.26},
        {"second_segment": 0.6},
        {"correction": CORRECTION._replace(ratio=2.1)},
        {"correction": CORRECTION._replace(encoded=1)},
        {"correction": CORRECTION._replace(exact=False)},
        {"repeats": False},
        {"filled": 39},
        {"memory": (Peak(300, 512, 1, gigabytes=2.1, before=0.5, filled=300, seconds=40.0),)},
        {"memory": (Peak(300, 512, 1, gigabytes=1.2, before=0.5, filled=120, seconds=40.0),)},
    ],
    ids=[
        "overhead",
        "second segment",
        "correction",
        "encoded again",
        "inexact",
        "repeats",
        "slices skipped",
        "memory",
        "slices skipped in memory",
    ],
)
def test_each_limit_of_the_cost_is_checked(changed):
    assert all(check.passed for check in checks.cost_checks(_cost()))
    assert [check.passed for check in checks.cost_checks(_cost(**changed))].count(False) == 1


def test_tubes_run_from_end_to_end_and_do_not_touch():
    volume, masks = tubes.make(4, 64)
    assert volume.dtype == np.int16
    assert volume.shape == (4, 64, 64)
    assert not (masks[0] & masks[1]).any()
    assert all(volume[:, mask].mean() > 100 > volume[:, ~masks[0] & ~masks[1]].mean() for mask in masks)
    np.testing.assert_array_equal(volume, tubes.make(4, 64)[0])


@pytest.mark.skipif(os.name == "nt", reason="no peak memory without the module resource")
def test_peak_memory_grows_with_what_is_allocated():
    before = peak_gigabytes()
    block = np.ones(int(3e8), dtype=np.uint8)
    assert peak_gigabytes() >= max(before, block.nbytes / 1e9)


def test_bare_calls_are_one_a_slice():
    torch = pytest.importorskip("torch")
    from FewShotSegmentLib.settings import Settings

    network = mock.Mock()
    network.decode.side_effect = lambda features, readout, prior: (prior, None)
    refiner = mock.Mock()
    engine = mock.Mock(network=network, refiner=refiner, settings=Settings(), device=torch.device("cpu"))
    volume, masks = tubes.make(7, 32)
    bare_calls(engine, volume, masks[0])()
    counts = {name: getattr(network, name).call_count for name in ("encode", "remember", "read", "decode")}
    assert counts == {"encode": 7, "remember": 7, "read": 6, "decode": 6}
    assert refiner.call_count == 6
    assert [len(call.args[1]) for call in network.read.call_args_list] == [1, 2, 2, 1, 2, 2]
