"""The bench measures what it says: slices, scores, baselines and checks, on generated volumes."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from unittest import mock

import accuracy
import checks
import numpy as np
import pytest
import run
import tubes
from baselines import copy_slice, demons, fill_between_slices, grow_from_seeds, slicer_process
from cases import (
    MIN_SLICES,
    SOURCES,
    Structure,
    quarter_slices,
    quarters_and_ends,
    read_cases,
    structures,
    support_slice,
)
from correction import Correction
from cost import Cost, bare_calls
from memory import Peak, peak_gigabytes
from methods import BY_KEY, METHODS
from scores import Score, dice, mean, score

SHARED = Path(os.environ.get("FEWSHOTSEGMENT_SHARED", "../shared"))
needs_slicer = pytest.mark.skipif(slicer_process.missing() is not None, reason="slicer-core is not importable")


@pytest.fixture(scope="module")
def moving_disc() -> Structure:
    """A bright disc that moves by a pixel and a half a slice, on slices 2 to 12 of 15."""
    rows, columns = np.mgrid[:48, :48]
    reference = np.zeros((15, 48, 48), dtype=bool)
    for z in range(2, 13):
        reference[z] = (rows - 24) ** 2 + (columns - 15 - 1.5 * (z - 2)) ** 2 < 49
    noise = np.random.default_rng(0).normal(0, 4, reference.shape)
    image = np.rint(60 + 100 * reference + noise).astype(np.int16)
    return Structure("generated", "generated", "disc", "MR", image, reference, (2.0, 1.0, 1.0))


def test_support_is_the_middle_of_the_slices_that_hold_the_structure():
    assert support_slice(np.array([4, 5, 6])) == 5
    assert support_slice(np.array([4, 5, 6, 7])) == 6
    assert support_slice(np.array([1, 2, 3, 9, 10])) == 3


def test_three_slices_lie_at_the_quarters():
    assert quarter_slices(np.arange(10, 31)) == [15, 20, 25]
    assert quarters_and_ends(np.arange(10, 31)) == [10, 15, 20, 25, 30]
    assert quarter_slices(np.arange(3)) == [0, 1, 2]


def test_structure_knows_its_slices_and_its_anchors(moving_disc):
    assert moving_disc.slices.tolist() == list(range(2, 13))
    assert list(moving_disc.anchors("one")) == [7]
    assert list(moving_disc.anchors("three")) == [4, 7, 10]
    np.testing.assert_array_equal(moving_disc.anchors("one")[7], moving_disc.reference[7])


def test_ct_is_clipped_for_the_baselines_and_mr_is_not(moving_disc):
    image = moving_disc.image * 10
    ct = Structure("c", "s", "n", "CT", image, moving_disc.reference, (1.0, 1.0, 1.0))
    mr = Structure("c", "s", "n", "MR", image, moving_disc.reference, (1.0, 1.0, 1.0))
    assert ct.windowed.max() == 240
    assert mr.windowed.max() == image.max()


def test_dice():
    left, right = np.zeros(8, bool), np.zeros(8, bool)
    left[:4] = right[2:6] = True
    assert dice(left, right) == 0.5
    assert math.isnan(dice(left, np.zeros(8, bool)))


def test_scores_leave_the_given_slices_out():
    reference = np.zeros((6, 4, 4), dtype=bool)
    reference[1:5, :2] = True
    only_the_given = np.zeros_like(reference)
    only_the_given[2] = reference[2]
    assert score(only_the_given, reference, [2]) == Score(0.0, 0.0)
    all_but_the_given = reference.copy()
    all_but_the_given[2] = False
    assert score(all_but_the_given, reference, [2]) == Score(1.0, 1.0)


def test_extent_does_not_count_what_runs_past_the_ends():
    reference = np.zeros((6, 4, 4), dtype=bool)
    reference[1:4, :2] = True
    everywhere = np.repeat(reference[2][None], 6, axis=0)
    found = score(everywhere, reference, [2])
    assert found.extent == 1.0
    assert found.whole == pytest.approx(2 * 2 / (2 + 5))


def test_mean_passes_over_what_has_no_score():
    assert mean([Score(0.5, math.nan), Score(1.0, 0.25)]) == Score(0.75, 0.25)
    assert math.isnan(mean([]).whole)


def test_copy_is_the_slice_on_every_slice(moving_disc):
    found = copy_slice.propagate(moving_disc, moving_disc.anchors("one"))
    assert found.shape == moving_disc.reference.shape
    assert (found == moving_disc.reference[7]).all()


def test_demons_follows_a_moving_disc_better_than_copy(moving_disc):
    anchors = moving_disc.anchors("one")
    copied = score(copy_slice.propagate(moving_disc, anchors), moving_disc.reference, anchors)
    found = score(demons.propagate(moving_disc, anchors), moving_disc.reference, anchors)
    assert found.extent > 0.9 > copied.extent + 0.1
    assert found.whole > copied.whole


def test_demons_repeats_itself(moving_disc):
    first, second = (demons.propagate(moving_disc, moving_disc.anchors("one")) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_seeds_are_the_mask_and_the_background_around_it(moving_disc):
    painted = grow_from_seeds.seeds(moving_disc.reference, moving_disc.anchors("one"))
    np.testing.assert_array_equal(painted[7] == grow_from_seeds.ORGAN, moving_disc.reference[7])
    assert set(np.flatnonzero(painted.any(axis=(1, 2)))) == {0, 7, 14}
    assert (painted[0] == grow_from_seeds.BACKGROUND).all()
    assert not (painted == grow_from_seeds.BACKGROUND)[moving_disc.reference].any()


@needs_slicer
def test_grow_from_seeds_finds_a_disc_that_stands_out(moving_disc):
    anchors = moving_disc.anchors("one")
    found = score(grow_from_seeds.propagate(moving_disc, anchors), moving_disc.reference, anchors)
    assert found.whole > 0.9


@needs_slicer
def test_fill_between_slices_stays_between_them(moving_disc):
    anchors = moving_disc.anchors("three")
    found = fill_between_slices.propagate(moving_disc, anchors)
    assert set(np.flatnonzero(found.any(axis=(1, 2)))) == set(range(4, 11))
    inside = np.zeros_like(moving_disc.reference)
    inside[4:11] = moving_disc.reference[4:11]
    assert score(found, inside, anchors).extent > 0.8


def test_methods_have_keys_of_their_own_and_known_anchors():
    assert len(BY_KEY) == len(METHODS)
    assert {method.anchors for method in METHODS} == {"one", "three", "five"}


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


def test_arguments_refuse_what_cannot_be_measured(tmp_path, capsys):
    for wrong in (["--methods", "magic"], ["--cases-per-source", "0"], ["--shared", str(tmp_path)]):
        with pytest.raises(SystemExit) as stopped:
            run.arguments(wrong)
        assert stopped.value.code == 2
    assert "no data/dev/cases.json" in capsys.readouterr().err


def _write_cases(shared: Path, structure: Structure) -> None:
    """A data/dev with one heart case of two structures, the second on two slices only."""
    import SimpleITK as sitk

    folder = shared / "data" / "dev"
    folder.mkdir(parents=True)
    labels = structure.reference.astype(np.uint8)
    labels[5:7, :4, :4] = 2
    for name, array in (("image", structure.image), ("labels", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"scd_made_{name}.nii.gz"))
    entry = {"case": "scd_made", "modality": "MR", "labels": {"1": "disc", "2": "speck"}}
    (folder / "cases.json").write_text(json.dumps([entry]), encoding="utf-8")


def test_a_run_prints_tables_skips_and_the_json(tmp_path, moving_disc, capsys):
    _write_cases(tmp_path, moving_disc)
    file = tmp_path / "out.json"
    call = ["--shared", str(tmp_path), "--methods", "copy,demons,prototype", "--no-cost", "--json", str(file)]
    assert run.main(call) == 0
    printed = capsys.readouterr().out
    assert "scd_made disc" in printed
    assert "scd_made speck: 2 slices" in printed
    assert "NOT MEASURED: infer.py" in printed
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [record["structure"] for record in written["structures"]] == ["disc"]
    assert written["means"]["one"].keys() == {"copy", "demons"}


@pytest.mark.skipif(not (SHARED / "data" / "dev" / "cases.json").is_file(), reason="no shared folder with data/dev")
def test_sources_of_the_shared_folder():
    grouped = read_cases(SHARED)
    assert list(grouped) == [title for title, _, _ in SOURCES]
    assert [case.name for case in grouped["limb tumour MR"][:3]] == ["sts027_mr_t1", "sts028_mr_t1", "sts029_mr_t1"]
    assert [case.name for case in grouped["limb tumour CT"][:3]] == ["sts028_ct", "sts029_ct", "sts031_ct"]
    assert [len(case.labels) for case in grouped["head-neck CT"][:3]] == [7, 3, 4]
    assert {len(case.labels) for case in grouped["hippocampus MR"]} == {2}
    assert len(grouped["fetal brain MR"]) == 2
    skipped: list[str] = []
    found = list(structures(grouped["head-neck CT"][0], skipped))
    assert len(found) + len(skipped) == 7
    assert all(len(structure.slices) >= MIN_SLICES for structure in found)
    assert [structure.name for structure in found if structure.small_support] == ["spinal cord", "esophagus"]
