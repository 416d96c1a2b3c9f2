"""The simulated reader, the slices' confidence and the wait for one organ, on generated volumes with stand-ins."""

from __future__ import annotations

import argparse
import json
import math
from functools import partial
from pathlib import Path
from unittest import mock

import accuracy
import checks
import confidence
import numpy as np
import organ_cost
import pytest
import reader
import run
import table_reader
from reader import Reading
from rich.console import Console
from scores import Score

from FewShotSegmentLib.evaluation import methods as catalogue
from FewShotSegmentLib.evaluation.case import Case, Scan
from FewShotSegmentLib.evaluation.method import Answer, Recipe, Volume, Within
from FewShotSegmentLib.evaluation.methods.base import Anew, Base
from FewShotSegmentLib.evaluation.row import METRICS, Row
from FewShotSegmentLib.images import Geometry


class Copying(Base):
    """Copies each anchor up to the middle between it and the next; the surer, the nearer the anchor is."""

    def within(self, question: Within) -> Answer:
        nearest = [min(question.anchors, key=lambda a: (abs(a - z), a)) for z in range(24)]
        sure = np.array([1 - 0.05 * abs(a - z) for z, a in enumerate(nearest)])
        return Answer(np.stack([question.anchors[a] for a in nearest]), sure)

    def read(self, volume: Volume) -> Anew:
        return Anew(self, volume)


def make_copying(recipe: Recipe) -> Copying:
    return Copying(recipe)


@pytest.fixture
def stand_in(monkeypatch) -> Recipe:
    """`Copying` instead of the engine."""
    catalogue.register("stand-in", make_copying)
    (recipe,) = catalogue.recipes(["stand-in"], "within")
    made = Recipe("engine", "engine", ("within",), "", recipe.options)
    monkeypatch.setattr(run.methods, "recipes", lambda wanted, shared: ({"engine": made}, {}))
    monkeypatch.setattr(reader, "missing", lambda: None)
    return made


def _same(scan: Scan) -> Scan:
    return scan


def shifting(name: str = "made", source: str = "heart MR") -> Case:
    """Two squares that wander by a pixel a slice, on slices 4 to 17; the second is a pixel wider."""
    labels = np.zeros((24, 40, 32), dtype=np.uint8)
    for z in range(4, 18):
        labels[z, 8:20, z - 2 : z + 8] = 1
        labels[z, 24:36, z - 2 : z + 9] = 2
    scan = Scan(labels.astype(np.int16), labels, Geometry(labels.shape, np.diag([1.0, 1.0, 2.0, 1.0])), "mr")
    return Case("generic", name, name, "mr", {"one": 1, "two": 2}, partial(_same, scan), source)


@pytest.fixture
def readings(stand_in, tmp_path) -> list[Reading]:
    return reader.measure([shifting()], stand_in, tmp_path / "rows", [])[0]


def test_one_more_slice_is_read_in_each_round_with_every_strategy(readings):
    assert [(r.structure, r.strategy) for r in readings] == [(s, t) for s in ("one", "two") for t in reader.STRATEGIES]
    assert {(r.source, r.case) for r in readings} == {("heart MR", "made")}
    for reading in readings:
        assert reading.slices[0] == 11
        assert len(set(reading.slices)) == len(reading.slices) == len(reading.dice) == reader.MOST_SLICES
        assert len(reading.unread) == reader.MOST_SLICES
        assert reading.dice[-1] > reading.dice[0] + 0.2
    assert len({tuple(reading.slices) for reading in readings[:3]}) == 3


def test_slices_read_count_for_the_dice_and_are_left_out_of_the_other(readings):
    # 14 slices of 12 × 10 pixels; the middle one, 11, copied to 24 slices, overlaps by 10 − |z − 11| columns
    overlap = sum(12 * max(10 - abs(z - 11), 0) for z in range(4, 18))
    for reading in readings[:3]:
        assert reading.dice[0] == pytest.approx(2 * overlap / (120 * (24 + 14)))
        assert reading.unread[0] == pytest.approx(2 * (overlap - 120) / (120 * (23 + 13)))
    worst = readings[1]
    # the mask of slice 11 copied to slice 4 lies 7 pixels off and is wrong twice; beyond the ends it is wrong once
    assert (worst.strategy, worst.slices[1]) == ("worst", 4)


def test_a_reading_lasts_as_long_as_there_is_something_to_read():
    def row(number: int, dice: float, unread: float | None) -> Row:
        slices = tuple(range(number))
        metrics = dict.fromkeys(METRICS) | {"dice": dice}
        which = ("interactive", "generic", "heart MR", "case", "case", "organ", "", "engine", "worst", number, "")
        return Row(*which, slices, 3, metrics, extra={"unread_dice": unread})

    (found,) = reader.make_readings([row(1, 0.5, 0.4), row(2, 0.8, 0.7), row(3, 1.0, None)])
    assert (found.source, found.case, found.structure, found.strategy) == ("heart MR", "case", "organ", "worst")
    assert (found.slices, found.dice, found.unread[:2]) == ([0, 1, 2], [0.5, 0.8, 1.0], [0.4, 0.7])
    assert math.isnan(found.unread[2])
    assert found.as_dict()["unread"] == [0.4, 0.7, None]
    assert found.needed == 3


def reading(*dice: float, source: str = "heart MR", strategy: str = "proposed") -> Reading:
    unread = [*dice[:-1], math.nan]
    return Reading(source, "case", "organ", strategy, list(range(len(dice))), list(dice), unread)


def test_slices_needed_are_those_of_the_first_round_that_reaches_the_target():
    assert reading(0.5, 0.90, 0.85, 0.95).needed == 2
    assert reading(0.95).needed == 1
    assert reading(0.5, 0.8999).needed is None


def test_a_structure_that_never_gets_there_counts_as_worse_than_the_most():
    there, never = reading(0.5, 0.95), reading(0.5, 0.6)
    assert reader.summarise([there, there, never]).median == 2
    assert reader.summarise([there, there, never]).share_reached == pytest.approx(2 / 3)
    assert reader.summarise([there, never, never]).median is None
    assert reader.summarise([there, never]).median is None
    assert reader.summarise([there, reading(0.1, 0.2, 0.91)]).median == 2.5


def test_mean_dice_goes_on_with_the_last_one_where_nothing_was_left_to_read():
    summary = reader.summarise([reading(0.5, 0.7), reading(0.5, 0.6, 0.7, 0.9)])
    assert summary.dice == pytest.approx((0.5, 0.65, 0.7, *[0.8] * 7))


def test_confidence_is_that_of_the_engine_with_one_slice():
    def row(method: str, setting: str, *pairs: tuple[float, float]) -> Row:
        which = ("one-slice", "generic", "heart MR", "case", "case", "organ", "", method, setting, 0, "")
        return Row(*which, (3,), 9, dict.fromkeys(METRICS), confidence=pairs)

    rows = [
        row("copy", "1 slice"),
        row("engine", "1 slice", (0.9, 0.8), (0.4, 0.0)),
        row("engine", "3 slices", (1.0, 1.0)),
    ]
    assert confidence.slice_scores(rows) == [confidence.SliceScores("heart MR", [0.9, 0.4], [0.8, 0.0])]


def test_auc_of_a_confidence_that_knows_does_not_and_errs():
    pytest.importorskip("sklearn")
    values = [0.9, 0.8, 0.75, 0.6, 0.2, 0.0]

    def ranked(*sure: float) -> confidence.Ranking:
        return confidence.measure([confidence.SliceScores("heart MR", list(sure), values)]).pooled

    assert ranked(0.9, 0.8, 0.7, 0.6, 0.5, 0.4) == confidence.Ranking(6, 3, 1.0)
    assert ranked(0.4, 0.5, 0.6, 0.7, 0.8, 0.9).auc == 0.0
    assert ranked(*[0.5] * 6).auc == 0.5
    # one of nine pairs the wrong way round
    assert ranked(0.9, 0.8, 0.55, 0.6, 0.5, 0.4).auc == pytest.approx(8 / 9)


def test_sources_have_an_auc_of_their_own_where_both_kinds_of_slices_are():
    pytest.importorskip("sklearn")
    mixed = confidence.SliceScores("heart MR", [0.9, 0.2], [0.9, 0.1])
    good = confidence.SliceScores("limb tumour CT", [0.1, 0.3], [0.9, 0.8])
    found = confidence.measure([mixed, good, mixed])
    assert found.sources["heart MR"] == confidence.Ranking(4, 2, 1.0)
    assert found.sources["limb tumour CT"] == confidence.Ranking(2, 0, None)
    assert found.pooled.slices == 6
    assert found.pooled.auc == pytest.approx(0.75)


def test_bins_hold_as_many_slices_each_from_unsure_to_sure():
    pytest.importorskip("sklearn")
    sure = [number / 10 for number in (9, 1, 8, 2, 7, 3, 6, 4, 5, 0)]
    found = confidence.measure([confidence.SliceScores("heart MR", sure, sure)])
    assert [part.slices for part in found.bins] == [2] * 5
    assert [part.confidence for part in found.bins] == pytest.approx([0.05, 0.25, 0.45, 0.65, 0.85])
    assert [part.share_bad for part in found.bins] == [1, 1, 1, 0.5, 0]


def test_the_organ_lies_on_so_many_slices_and_ends_round():
    volume, reference = organ_cost.make(30, 64, 10)
    areas = reference.sum(axis=(1, 2))
    assert (volume.dtype, volume.shape, reference.shape) == (np.int16, (30, 64, 64), (30, 64, 64))
    assert np.flatnonzero(areas).tolist() == list(range(10, 20))
    assert areas[10:15].tolist() == sorted(areas[10:15])
    assert 0 < areas[10] < areas[15] / 2
    assert abs(volume[reference].mean() - organ_cost.ORGAN_HU) < 2
    assert volume[:, :4].mean() < -900
    np.testing.assert_array_equal(volume, organ_cost.make(30, 64, 10)[0])


class DyingEngine:
    """Finds the organ on so many slices around the anchor only, and tells its stages if it is to."""

    def __init__(self, reference: np.ndarray, reach: int, tells: bool = True):
        self.reference, self.reach, self.calls = reference, reach, 0
        if tells:
            self.stages: dict[str, float] = {}

    def propagate_segments(self, volume, segments, *, spacing, modality, keep_probability):
        self.calls += 1
        if hasattr(self, "stages"):
            self.stages |= {"encode": float(self.calls)}
        ((name, anchors),) = segments.items()
        (anchor,) = anchors
        assert (anchors[anchor] == self.reference[anchor]).all()
        assert (spacing, modality, keep_probability) == (organ_cost.SPACING, "ct", False)
        mask = self.reference.copy()
        mask[: max(anchor - self.reach, 0)] = mask[anchor + self.reach + 1 :] = False
        return {name: mock.Mock(mask=mask)}


@pytest.fixture
def small_organ(monkeypatch):
    volume, reference = organ_cost.make(30, 64, 10)
    monkeypatch.setattr(organ_cost, "make", lambda: (volume, reference))
    return reference


def test_the_wait_is_the_median_round_with_its_own_stages(small_organ, monkeypatch):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    ticks = iter([0.0, 9.0, 10.0, 12.0, 20.0, 25.0])
    monkeypatch.setattr(organ_cost.time, "perf_counter", lambda: next(ticks))
    cost = organ_cost.measure(DyingEngine(small_organ, 20))
    assert (cost.seconds, cost.rounds, cost.stages) == (5.0, (9.0, 2.0, 5.0), {"encode": 3.0})
    assert (cost.found, cost.beyond, cost.dice, cost.threads) == (10, 0, 1.0, organ_cost.THREADS)
    assert "encode 3.00 s" in cost.lines()[-1]
    assert torch.get_num_threads() == before


def test_a_run_that_dies_early_is_quick_and_does_not_reach_the_aim(small_organ):
    pytest.importorskip("torch")
    whole, dying = (organ_cost.measure(DyingEngine(small_organ, reach, tells=False)) for reach in (20, 2))
    assert (dying.found, dying.stages) == (5, {})
    assert dying.dice < 0.9
    assert len(dying.lines()) == 2
    assert [check.verdict for cost in (whole, dying) for check in checks.organ_aims(cost)] == ["REACHED", "MISSED"]


def record(one: Score, three: Score, source: str = "heart MR") -> accuracy.Record:
    made = accuracy.Record(source, "case", "organ", 9, False)
    made.one, made.three = {"engine1": one}, {"engine3": three}
    return made


def verdicts(found: list[checks.Check]) -> list[str]:
    return [check.verdict for check in found]


def test_aims_for_the_tables_count_sources_and_need_both_parts():
    good = record(Score(0.80, 0.88), Score(0.88, 0.1))
    assert verdicts(checks.accuracy_aims([good])) == ["REACHED", "REACHED"]
    assert verdicts(checks.accuracy_aims([record(Score(0.9, 0.87), Score(0.87, 0.9))])) == ["MISSED", "MISSED"]
    poor = record(Score(0.5, 0.5), Score(0.5, 0.5), "limb tumour CT")
    assert verdicts(checks.accuracy_aims([*[good] * 9, poor])) == ["MISSED", "MISSED"]
    good.three.clear()
    assert verdicts(checks.accuracy_aims([good])) == ["REACHED", "NOT MEASURED"]
    assert verdicts(checks.accuracy_aims([])) == ["NOT MEASURED"] * 2


def test_the_readers_aim_counts_the_proposals_alone():
    quick, slow = reading(0.5, 0.6, 0.7, 0.9), reading(0.5, 0.6, 0.7, 0.8, 0.95)
    oracle = reading(0.95, strategy="worst")
    assert verdicts(checks.reading_aims([quick, slow, quick, oracle], None))[0] == "REACHED"
    assert verdicts(checks.reading_aims([quick, slow, slow, oracle, oracle], None))[0] == "MISSED"
    assert verdicts(checks.reading_aims([reading(0.5)], None))[0] == "MISSED"
    assert verdicts(checks.reading_aims([oracle], None))[0] == "NOT MEASURED"


@pytest.mark.parametrize(("auc", "verdict"), [(0.85, "REACHED"), (0.8494, "MISSED"), (None, "NOT MEASURED")])
def test_the_aim_for_confidence_is_that_of_all_slices(auc, verdict):
    found = confidence.Confidence(confidence.Ranking(9, 3, auc), {}, ())
    assert verdicts(checks.reading_aims([], found))[1] == verdict


def test_a_missed_aim_does_not_fail_the_run(tmp_path, monkeypatch):
    (tmp_path / "data" / "dev").mkdir(parents=True)
    (tmp_path / "data" / "dev" / "cases.json").write_text("[]", encoding="utf-8")
    found = [checks.Check(False, "an aim", aim=True), checks.Check(True, "a limit")]
    monkeypatch.setattr(run.transfer, "run", lambda options, console: (found, {}))
    file = tmp_path / "out.json"
    call = ["--shared", str(tmp_path), "--transfer-only", "--json", str(file)]
    assert run.main(call) == 0
    written = json.loads(file.read_text(encoding="utf-8"))["checks"]
    assert [(check["verdict"], check["aim"]) for check in written] == [("MISSED", True), ("PASS", False)]
    found.append(checks.Check(False, "another limit"))
    assert run.main(call) == 1


def test_the_reader_is_printed_and_written_with_what_confidence_is_worth(stand_in, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    (tmp_path / "data" / "dev").mkdir(parents=True)
    (tmp_path / "data" / "dev" / "cases.json").write_text("[]", encoding="utf-8")
    cases = [shifting("a"), shifting("b", "limb tumour CT")]
    monkeypatch.setattr(run, "evaluated_cases", lambda shared, limit: cases)
    write = mock.Mock(side_effect=lambda folder, rows, **more: mock.Mock(html=folder / "report.html"))
    monkeypatch.setattr(run.evaluated.report, "write", write)
    file, report = tmp_path / "out.json", tmp_path / "report"
    call = ["--shared", str(tmp_path), "--methods", "engine1", "--no-cost", "--no-transfer", "--json", str(file)]
    assert run.main([*call, "--report", str(report)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("a one", "b two", "ALL SOURCES", "proposed", "worst", "random"))
    written = json.loads(file.read_text(encoding="utf-8"))
    assert len(written["reader"]["readings"]) == 2 * 2 * len(reader.STRATEGIES)
    assert list(written["reader"]["summaries"]) == ["heart MR", "limb tumour CT", table_reader.ALL]
    assert written["confidence"]["pooled"]["slices"] == 2 * 2 * 23
    assert written["confidence"]["pooled"]["auc"] > 0.9
    verdict = {check["text"].split(",")[0]: check["verdict"] for check in written["checks"]}
    assert verdict["confidence tells the bad slices with an AUC of at least 0.85"] == "REACHED"
    for call, protocol in zip(write.call_args_list, ("one-slice", "interactive"), strict=True):
        folder, rows = call.args
        assert folder == report / protocol and f"report: {folder / 'report.html'}" in printed
        assert {row.protocol for row in rows} == {protocol}
        assert all((folder / row.mask).is_file() for row in rows if row.mask) and any(row.mask for row in rows)
        assert call.kwargs["cases"] == {"a": cases[0], "b": cases[1]}
        assert [recipe.name for recipe in call.kwargs["methods"]] == ["engine"]


def test_without_the_engine_the_reader_says_why_it_is_not_measured(capsys):
    written: dict = {}
    options = argparse.Namespace(methods=[run.methods.BY_KEY["copy"]])
    found = run.measure_reader(options, Console(width=run.WIDTH), Path(), [], written)
    assert verdicts(found) == ["NOT MEASURED"] * 2
    assert "NOT MEASURED: engine1 was left out" in capsys.readouterr().out
    assert written == {}
