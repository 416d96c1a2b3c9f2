"""The transfer's checks hold what they say, and its figures are shown as they are."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest
import transfer_checks
import transfer_methods
import transfer_table
from rich.console import Console
from scores import Score
from transfer_accuracy import TransferRecord
from transfer_cost import HeadCost, TransferCost


def _records(*values: dict[str, float], sources: Sequence[str] = ("a", "b")) -> list[TransferRecord]:
    records = []
    for source, own in zip(sources, values, strict=True):
        scores = {key: Score(value, value) for key, value in own.items()}
        records.append(TransferRecord(source, "s", "q", "organ", 5, scores, dict(scores), dict.fromkeys(own, 1.0)))
    return records


def test_pipeline_is_held_against_the_best_bare_network():
    base = {"paste": 0.9, "alpnet": 0.3, "dspnet": 0.4, "dspnet-published": 0.2}
    at, below = (_records(*[base | {"pipeline": value}] * 2) for value in (0.5, 0.499))
    check = transfer_checks.accuracy_checks(at)[0]
    assert check.passed
    assert "DSPNet, repaired 0.400" in check.text
    assert "three slices: +0.100" in check.details[0]
    assert transfer_checks.accuracy_checks(below)[0].verdict == "FAIL"


def test_repair_is_held_against_the_published_network():
    at = _records({"dspnet": 0.25, "dspnet-published": 0.2}, sources=["a"])
    below = _records({"dspnet": 0.249, "dspnet-published": 0.2}, sources=["a"])
    assert transfer_checks.accuracy_checks(at)[1].verdict == "PASS"
    assert transfer_checks.accuracy_checks(below)[1].verdict == "FAIL"


def test_checks_count_sources_not_structures():
    good = {"dspnet": 0.4, "dspnet-published": 0.3}
    even = {"dspnet": 0.3, "dspnet-published": 0.3}
    assert transfer_checks.accuracy_checks(_records(*[good] * 9, even, sources=["a"] * 9 + ["b"]))[1].passed
    worse = {"dspnet": 0.2, "dspnet-published": 0.3}
    assert transfer_checks.accuracy_checks(_records(*[good] * 9, worse, sources=["a"] * 9 + ["b"]))[1].passed is False


def test_checks_that_could_not_be_measured_say_so():
    checks = transfer_checks.accuracy_checks([]) + transfer_checks.cost_checks(None)
    assert {check.verdict for check in checks} == {"NOT MEASURED"}
    part = _records({"dspnet": 0.4, "pipeline": 0.6}, {"dspnet": 0.4})
    assert [check.verdict for check in transfer_checks.accuracy_checks(part)] == ["NOT MEASURED"] * 2


def _cost(**heads: float) -> TransferCost:
    """Head seconds by encoder_network; a pass of the encoder takes one second."""
    usual = {
        (encoder, network): 0.05
        for encoder in ("resnet101", "propagator")
        for network in ("dspnet-published", "alpnet", "dspnet")
    }
    usual |= {tuple(key.replace("dspnet_p", "dspnet-p").split("_")): value for key, value in heads.items()}
    return TransferCost(tuple(HeadCost(*key, 1.0, head, 0.01, 2.1) for key, head in usual.items()), 1)


@pytest.mark.parametrize(
    ("changed", "verdicts"),
    [
        ({}, ["PASS", "PASS"]),
        ({"resnet101_dspnet": 0.1}, ["PASS", "PASS"]),
        ({"resnet101_dspnet_published": 0.101}, ["FAIL", "PASS"]),
        ({"resnet101_alpnet": 0.101}, ["FAIL", "PASS"]),
        ({"propagator_dspnet": 0.101}, ["PASS", "FAIL"]),
        ({"propagator_alpnet": 0.5}, ["PASS", "PASS"]),
    ],
    ids=["usual", "at the limit", "published", "alpnet", "propagator", "not checked"],
)
def test_each_limit_of_the_cost_is_checked(changed, verdicts):
    assert [check.verdict for check in transfer_checks.cost_checks(_cost(**changed))] == verdicts


def test_cost_in_words_and_in_the_json():
    cost = _cost()
    assert "1.050 encoder passes" in cost.lines()[1]
    assert "2.10 passes, 2.00 times as much" in cost.lines()[1]
    written = json.loads(json.dumps(cost.as_dict()))
    assert written["heads"][0]["passes"] == pytest.approx(1.05)
    assert len(written["heads"]) == 6


def test_changes_are_shown_with_their_difference():
    keys = [row.key for row in transfer_methods.rows(ablation=True, all_pipelines=False)]
    values = dict.fromkeys(keys, 0.5) | {"no-reach": 0.25}
    console = Console(width=200, record=True, file=io.StringIO())
    transfer_table.print_changes(console, _records(values, sources=["a"]), transfer_methods.rows(True, False))
    lines = console.export_text().splitlines()
    (reach,) = [line for line in lines if line.strip().startswith("reach=∞")]
    assert reach.split()[-3:] == ["-0.250", "/", "-0.250"]
    (default,) = [line for line in lines if "DSPNet, repaired" in line and "each change" not in line]
    assert "+0.000" not in default
