"""AbdomenCT-1K's sub-tasks: counts, disjoint sides, the same draw everywhere."""

import random
from dataclasses import replace

import pytest

from FewShotSegmentLib import InputError
from FewShotSegmentLib.evaluation.case import Case
from FewShotSegmentLib.evaluation.datasets.subtasks import baseline_scores, split
from FewShotSegmentLib.evaluation.row import Row

COUNTS = {"lits": 201, "kits": 300, "msd-spleen": 61, "msd-pancreas": 281, "msd-pancreas-test": 139, "nih-pancreas": 80}


@pytest.fixture(scope="module")
def cases():
    groups = [group for group, count in COUNTS.items() for _ in range(count)]
    random.Random(3).shuffle(groups)
    names = [f"Case_{number:05}" for number in range(1, len(groups) + 1)]
    return [Case("abdomenct1k", n, n, "ct", {"liver": 1}, print, g) for n, g in zip(names, groups, strict=True)]


@pytest.fixture(scope="module")
def scores(cases):
    rng = random.Random(4)
    return {case.name: (rng.random(), rng.random()) for case in cases}


def groups(cases):
    found = {}
    for case in cases:
        found[case.group] = found.get(case.group, 0) + 1
    return found


def test_subtask_1(cases, scores):
    found = split(cases, scores, 1)
    assert groups(found.training) == {"msd-pancreas": 281, "nih-pancreas": 80}
    assert (len(found.hardest), found.drawn) == (50, ())
    assert groups(found.test).keys() <= {"lits", "kits", "msd-spleen"}
    means = {name: (dsc + nsd) / 2 for name, (dsc, nsd) in scores.items()}
    pool = sorted(means[c.name] for c in cases if c.group in ("lits", "kits", "msd-spleen"))
    assert [means[c.name] for c in found.hardest] == pool[:50]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_subtask_2(cases, scores, seed):
    found = split(cases, scores, 2, seed)
    assert groups(found.training) == {"msd-pancreas": 281, "lits": 40, "kits": 40}
    assert (len(found.hardest), len(found.drawn), len(found.test)) == (50, 50, 100)
    assert found.hardest == split(cases, scores, 1).hardest
    training, test = ({case.patient for case in side} for side in (found.training, found.test))
    assert (len(training), len(test), training & test) == (361, 100, set())


def test_the_draw_hangs_on_names_and_seed_only(cases, scores):
    found = split(cases, scores, 2)
    other = split(random.Random(9).sample(cases, len(cases)), scores, 2)
    for side in ("training", "hardest", "drawn"):
        assert {c.name for c in getattr(found, side)} == {c.name for c in getattr(other, side)}
    assert {c.name for c in split(cases, scores, 2, 1).drawn} != {c.name for c in found.drawn}
    # as drawn when this was written: another machine or Python must not change it
    assert [c.name for c in found.drawn[:3]] == ["Case_00010", "Case_00011", "Case_00038"]


def test_one_patient_is_never_on_both_sides(cases, scores):
    hardest = split(cases, scores, 2).hardest
    lits = [case for case in cases if case.group == "lits" and case not in hardest]
    twins = {case.name: hardest[0].patient for case in lits[:50]}
    changed = [replace(case, patient=twins.get(case.name, case.patient)) for case in cases]
    found = split(changed, scores, 2)
    assert not {c.name for c in (*found.training, *found.drawn)} & set(twins)


def test_what_is_missing(cases, scores):
    with pytest.raises(InputError, match="no sub-task 3"):
        split(cases, scores, 3)
    with pytest.raises(InputError, match="need the source of each case"):
        split([replace(case, group="") for case in cases], scores, 1)
    few = [case for case in cases if case.group != "nih-pancreas"]
    with pytest.raises(InputError, match="Sub-task 1 .* needs 80 cases of nih-pancreas, and there are only 0 left"):
        split(few, scores, 1)
    hard = next(case for case in cases if case.group == "kits")
    for wrong in ({k: v for k, v in scores.items() if k != hard.name}, {**scores, hard.name: (float("nan"), 0.5)}):
        with pytest.raises(InputError, match=f"{hard.name} has no DSC and NSD of the baseline"):
            split(cases, wrong, 1)
    with pytest.raises(InputError, match="needs 50 cases of LiTS, KiTS and MSD Spleen, and there are only 0 left"):
        split([case for case in cases if "pancreas" in case.group], scores, 1)


def row(case, dice, nsd, method="engine", failed=False):
    return Row("whole-volume", "abdomenct1k", "lits", case, case, "liver", "", method, "", 0, "", (), 3,
               {"dice": dice, "nsd": nsd}, failed=failed)  # fmt: skip


def test_scores_from_rows():
    rows = [
        row("a", 0.5, 0.25),
        row("a", 1.0, 0.75),
        row("a", 0.0, 0.0, method="copy"),
        row("b", None, None),
        row("c", 0.9, 0.9, failed=True),
        row("c", 0.5, None),
    ]
    assert baseline_scores(rows, "engine") == {"a": (0.75, 0.5), "c": (0.25, 0.0)}
