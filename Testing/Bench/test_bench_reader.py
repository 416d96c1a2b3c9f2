"""The simulated reader, the slices' confidence and the wait for one organ, on generated volumes with stand-ins."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, field
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
from cases import Case, Structure
from reader import Reading
from rich.console import Console
from scores import Score


@dataclass
class Part:
    """As `SessionResult`."""

    mask: np.ndarray
    slice_confidence: np.ndarray
    anchors: tuple[int, ...]
    renewed: tuple[tuple[int, int], ...]
    axis: int = 0
    slices: tuple[int, ...] = ()

    def find_slices(self) -> None:
        self.slices = tuple(np.flatnonzero(self.mask.any(axis=(1, 2))).tolist())


@dataclass
class CopyingSession:
    """Copies each anchor on up to the middle between it and the next; the surer, the nearer the anchor is."""

    count: int
    calls: list[tuple[list[int], list[int] | None]] = field(default_factory=list)

    def propagate(self, segments, *, around=None):
        (anchors,) = segments.values()
        new = around[""] if around else None
        self.calls.append((sorted(anchors), new))
        nearest = [min(anchors, key=lambda a: (abs(a - z), a)) for z in range(self.count)]
        mask = np.stack([anchors[a] for a in nearest])
        sure = np.array([1 - 0.05 * abs(a - z) for z, a in enumerate(nearest)], np.float32)
        renewed = ((0, self.count - 1),)
        if new is not None:
            below = max((a + 1 for a in anchors if a < new[0]), default=0)
            above = min((a - 1 for a in anchors if a > new[0]), default=self.count - 1)
            renewed = ((below, above),)
            mask[:below] = mask[above + 1 :] = False
            sure[:below] = sure[above + 1 :] = 1
        part = Part(mask, sure, tuple(sorted(anchors)), renewed)
        part.find_slices()
        return {"": part}


def shifting(name: str = "disc", source: str = "heart MR", count: int = 24) -> Structure:
    """A square that wanders by a pixel a slice, on slices 4 to 17."""
    reference = np.zeros((count, 32, 32), dtype=bool)
    for z in range(4, 18):
        reference[z, 8:20, z - 2 : z + 8] = True
    return Structure("made", source, name, "MR", np.zeros(reference.shape, np.int16), reference, (2.0, 1.0, 1.0))


def read(structure: Structure, strategy: str) -> tuple[Reading, CopyingSession]:
    session = CopyingSession(len(structure.image))
    first = session.propagate({"": structure.anchors("one")})[""]
    return reader.read(structure, strategy, session, first), session


@pytest.mark.parametrize("strategy", reader.STRATEGIES)
def test_one_more_slice_is_read_in_each_round(strategy):
    reading, session = read(shifting(), strategy)
    assert reading.slices[0] == 11
    assert len(set(reading.slices)) == len(reading.slices) == len(reading.dice) == reader.MOST_SLICES
    assert [new for _, new in session.calls] == [None, *([index] for index in reading.slices[1:])]
    assert [len(anchors) for anchors, _ in session.calls] == list(range(1, reader.MOST_SLICES + 1))
    assert reading.dice[-1] > reading.dice[0] + 0.2


@pytest.mark.parametrize("strategy", reader.STRATEGIES)
def test_the_readers_result_is_that_of_all_anchors_at_once(strategy):
    structure = shifting()
    reading, _ = read(structure, strategy)
    for number in (2, 5, reader.MOST_SLICES):
        anchors = {z: structure.reference[z] for z in reading.slices[:number]}
        whole = CopyingSession(24).propagate({"": anchors})[""].mask
        overlap = np.count_nonzero(whole & structure.reference)
        assert reading.dice[number - 1] == 2 * overlap / (whole.sum() + structure.reference.sum())


def test_slices_read_count_for_the_dice_and_are_left_out_of_the_other():
    structure = shifting()
    reading, _ = read(structure, "worst")
    left = [z for z in range(24) if z != reading.slices[0]]
    copied, reference = np.repeat(structure.reference[11][None], 24, axis=0), structure.reference
    overlap = np.count_nonzero(copied & reference)
    assert reading.dice[0] == 2 * overlap / (copied.sum() + reference.sum())
    copied, reference = copied[left], reference[left]
    overlap = np.count_nonzero(copied & reference)
    assert reading.unread[0] == pytest.approx(2 * overlap / (copied.sum() + reference.sum()))
    assert reading.unread[0] < reading.dice[0]


def test_worst_reads_the_slice_with_the_most_wrong_voxels_and_stops_when_all_is_right():
    structure = shifting()
    reading, session = read(structure, "worst")
    # the mask of slice 11 copied to slice 4 lies 7 pixels off and is wrong twice; beyond the ends it is wrong once
    assert reading.slices[1] == 4
    thin = shifting()
    thin.reference[:] = thin.reference[11]
    thin.__post_init__()
    reading, session = read(thin, "worst")
    assert (reading.slices, reading.dice, reading.needed) == ([12], [1.0], 1)
    assert len(session.calls) == 1


def test_random_draws_differ_from_structure_to_structure_and_repeat_themselves():
    first, again = (read(shifting(), "random")[0].slices for _ in range(2))
    other = read(shifting("other"), "random")[0].slices
    assert first == again
    assert first != other


def test_random_draws_stay_near_what_was_found():
    structure = shifting()
    result = Part(structure.reference.copy(), np.ones(24), (11,), ())
    drawn = {reader.draw(result, structure, np.random.default_rng(seed)) for seed in range(200)}
    assert drawn == set(range(3, 19)) - {11}


def test_a_proposal_sees_the_result_and_never_the_reference():
    structure = shifting()
    result = Part(structure.reference.copy(), np.full(24, 0.9), (11,), ())
    result.slice_confidence[15] = 0.1
    structure.reference[:] = False
    assert reader.propose(result, structure, np.random.default_rng(0)) == 15


def test_slices_without_the_structure_are_said_to_be_empty():
    session = mock.Mock(wraps=CopyingSession(24))
    structure = shifting()
    first = session.propagate({"": structure.anchors("one")})[""]
    reader.read(structure, "worst", session, first)
    given = session.propagate.call_args.args[0][""]
    assert {z for z, mask in given.items() if not mask.any()} == {z for z in given if not 4 <= z <= 17} != set()
    assert all((mask == structure.reference[z]).all() for z, mask in given.items())


def test_a_session_serves_all_structures_of_a_case(monkeypatch):
    made, heard = [], []
    pair = [shifting("one"), shifting("two")]
    monkeypatch.setattr(reader, "structures", lambda case, skipped: iter(pair))

    def make(structure):
        made.append(structure.name)
        return CopyingSession(24)

    case = mock.Mock(spec=Case)
    readings = reader.measure([case], make, lambda structure, result: heard.append((structure.name, result.anchors)))
    assert made == ["one"]
    assert heard == [("one", (11,)), ("two", (11,))]
    assert [(r.structure, r.strategy) for r in readings] == [(s, t) for s in ("one", "two") for t in reader.STRATEGIES]


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


def made_result(values: list[float], sure: list[float]) -> tuple[Structure, Part]:
    """Slices of 10 reference pixels whose mask has that Dice; slice 0 is the anchor."""
    reference = np.zeros((len(values), 4, 10), dtype=bool)
    mask = np.zeros_like(reference)
    reference[:, 0] = True
    for plane, value in zip(mask, values, strict=True):
        plane[0, : round(value * 10)] = True
        plane[1, : 10 - round(value * 10)] = value > 0
    structure = Structure("made", "heart MR", "organ", "MR", reference, reference, (1.0, 1.0, 1.0))
    return structure, Part(mask, np.array(sure, np.float32), (0,), ())


def test_slices_where_either_has_something_are_counted_and_anchors_are_not():
    structure, result = made_result([1.0, 0.8, 0.0, 0.5, 0.5], [1.0, 0.9, 0.4, 0.5, 0.6])
    # found where nothing is, and nothing where nothing is
    structure.reference[3:] = False
    result.mask[4] = False
    scores = confidence.slice_scores(structure, result)
    assert scores.dice == [0.8, 0.0, 0.0]
    assert scores.confidence == pytest.approx([0.9, 0.4, 0.5])


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


def test_the_reader_is_printed_and_written_with_what_confidence_is_worth(monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pair = {"case": [shifting("one"), shifting("two", "limb tumour CT")]}
    monkeypatch.setattr(reader, "structures", lambda case, skipped: iter(pair[case.name]))
    monkeypatch.setattr(reader, "open_session", lambda loaded: lambda structure: CopyingSession(24))
    monkeypatch.setattr(reader, "missing", lambda: None)
    monkeypatch.setattr(run.engine, "load", lambda: None)
    monkeypatch.setattr(run, "chosen_cases", lambda options: [argparse.Namespace(name="case", labels={1: "", 2: ""})])
    options = argparse.Namespace(methods=[run.methods.BY_KEY["engine1"]])
    written: dict = {}
    found = run.measure_reader(options, Console(width=run.WIDTH, highlight=False), written)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("made one", "made two", "ALL SOURCES", "proposed", "worst", "random"))
    written = json.loads(json.dumps(written, allow_nan=False))
    assert len(written["reader"]["readings"]) == 2 * len(reader.STRATEGIES)
    assert list(written["reader"]["summaries"]) == ["heart MR", "limb tumour CT", table_reader.ALL]
    assert written["confidence"]["pooled"]["slices"] == 2 * 23
    assert written["confidence"]["pooled"]["auc"] > 0.9
    assert verdicts(found)[1] == "REACHED"
    assert verdicts(found)[0] in ("REACHED", "MISSED")


def test_without_the_engine_the_reader_says_why_it_is_not_measured(capsys):
    written: dict = {}
    options = argparse.Namespace(methods=[run.methods.BY_KEY["copy"]])
    found = run.measure_reader(options, Console(width=run.WIDTH), written)
    assert verdicts(found) == ["NOT MEASURED"] * 2
    assert "NOT MEASURED: engine1 was left out" in capsys.readouterr().out
    assert written == {}
