"""Folds: which are tested, which scan supports them, and what is left to train on."""

import json
from itertools import pairwise

import numpy as np
import pytest
from protocol_cases import ORGANS, labels_of, make_case, make_cases, make_scan

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation import protocols
from FewShotSegmentLib.evaluation.protocols.folds import choose, leave_one_out, make_folds, pools


def numbers(fold):
    return [int(query.name[4:]) for query, _ in fold.pairs]


@pytest.mark.parametrize(
    ("count", "ends"), [(30, [0, 6, 12, 18, 24, 30]), (20, [0, 4, 8, 12, 16, 20]), (35, [0, 7, 14, 21, 28, 35])]
)
def test_folds_of_the_published_data_sets_are_the_published_ones(count, ends):
    folds = make_folds(make_cases(count))
    assert [numbers(fold) for fold in folds] == [list(range(a, b)) for a, b in pairwise(ends)]
    assert [fold.supports for fold in folds] == [[f"scan{end % count:02}"] for end in ends[1:]]


def test_uneven_folds_differ_by_one():
    assert [numbers(fold) for fold in make_folds(make_cases(7))] == [[0], [1], [2, 3], [4], [5, 6]]


def test_few_patients_are_a_fold_each():
    folds = make_folds(make_cases(3))
    assert [(numbers(fold), fold.supports) for fold in folds] == [
        ([0], ["scan01"]),
        ([1], ["scan02"]),
        ([2], ["scan00"]),
    ]
    assert make_folds(make_cases(1)) == []


def two_phases(count):
    return [make_case(f"p{n}_{phase}", f"p{n}") for n in range(count) for phase in ("ed", "es")]


@pytest.mark.parametrize("make", [make_folds, leave_one_out])
def test_no_patient_supports_himself_and_phases_support_their_like(make):
    folds = make(two_phases(6))
    pairs = [pair for fold in folds for pair in fold.pairs]
    assert len(pairs) == 12
    for query, support in pairs:
        assert query.patient != support.patient and query.name[-3:] == support.name[-3:]


def test_scans_support_those_of_their_data_set_group_and_modality_only():
    cases = [
        *make_cases(2, group="a"),
        *make_cases(2, group="b"),
        *make_cases(2, dataset="other"),
        *make_cases(2, modality="ct"),
    ]
    assert [len(pool) for pool in pools(cases)] == [2, 2, 2, 2]


def test_folds_are_chosen_by_number():
    folds = [make_folds(make_cases(10))]
    assert [fold.number for fold in choose(folds, (1, 3))[0]] == [1, 3]
    assert len(choose(folds, None)[0]) == len(choose(folds, 5)[0]) == 5
    with pytest.raises(InputError, match="no fold 5; folds are numbered from 0 to 4"):
        choose(folds, (5,))


def test_setting_1_trains_on_the_rest():
    split = protocols.training_split(make_cases(20), 4, "1")
    assert split["test"] == ["scan16", "scan17", "scan18", "scan19"]
    assert split["support"] == ["scan00"]
    assert split["train"] == [{"case": f"scan{n:02}", "left_out_slices": []} for n in range(1, 16)]


def test_setting_2_leaves_out_the_slices_of_test_organs_and_of_no_others():
    cases = [make_case(f"scan{n:02}", scan=make_scan(labels_of(first=n, last=9))) for n in range(5)]
    liver = protocols.training_split(cases, 0, "2", ["liver"])
    assert liver["train"] == [{"case": f"scan{n:02}", "left_out_slices": list(range(n, 10))} for n in (2, 3, 4)]
    kidneys = protocols.training_split(cases, 0, "2", protocols.label_group(0, ORGANS))
    assert kidneys["test_organs"] == ["right kidney", "left kidney"]
    assert [entry["left_out_slices"] for entry in kidneys["train"]] == [list(range(3, 9))] * 3


def test_other_scans_of_test_patients_are_not_trained_on():
    split = protocols.training_split(two_phases(5), 0, "1")
    assert split["test"] == ["p0_ed", "p0_es"] and split["support"] == ["p1_ed", "p1_es"]
    assert [entry["case"][:2] for entry in split["train"]] == ["p2", "p2", "p3", "p3", "p4", "p4"]


def test_published_label_groups_test_what_is_not_trained_on():
    assert protocols.label_group(1, ("Liver", "Spleen", "pancreas")) == ("Liver", "Spleen")
    with pytest.raises(InputError, match="needs left kidney"):
        protocols.label_group(0, ("liver", "right kidney"))
    with pytest.raises(InputError, match="no label group 2"):
        protocols.label_group(2, ORGANS)


@pytest.mark.parametrize(
    ("setting", "organs", "fold", "sentence"),
    [
        ("3", (), 0, "no setting “3”"),
        ("2", (), 0, "name the organs"),
        ("2", ("lung",), 0, "called “lung”; there are: left kidney, liver, right kidney, spleen"),
        ("1", (), 5, "folds are numbered from 0 to 4"),
    ],
)
def test_what_cannot_be_split_is_said(setting, organs, fold, sentence):
    with pytest.raises(InputError, match=sentence):
        protocols.training_split(make_cases(6), fold, setting, organs)


def test_too_few_patients_or_mixed_scans_are_not_split():
    with pytest.raises(InputError, match="fewer than three patients"):
        protocols.training_split(make_cases(2), 0, "1")
    with pytest.raises(InputError, match="several data sets, groups or modalities"):
        protocols.training_split([*make_cases(5), *make_cases(5, modality="ct")], 0, "1")
    with pytest.raises(InputError, match="Fold 1 leaves no patient"):
        protocols.training_split(make_cases(3), 1, "1", folds=2)


def test_splits_are_written_one_file_each(tmp_path):
    cases = make_cases(10)
    written = protocols.write_splits(cases, "2", tmp_path / "splits", ["liver"])
    assert [path.name for path in written] == [f"fold{n}.json" for n in range(5)]
    assert sorted(written) == sorted((tmp_path / "splits").iterdir())
    for number, path in enumerate(written):
        assert json.loads(path.read_text("utf-8")) == protocols.training_split(cases, number, "2", ["liver"])
    before = [path.read_bytes() for path in written]
    protocols.write_splits(cases, "2", tmp_path / "splits", ["liver"])
    assert [path.read_bytes() for path in written] == before


def test_each_training_scan_is_read_once(tmp_path):
    reads = []

    class Loud:
        def __init__(self, name):
            self.name = name

        def __call__(self):
            reads.append(self.name)
            return make_scan(np.zeros((3, 4, 4), np.uint8))

    cases = [type(case)(**{**vars(case), "load": Loud(case.name)}) for case in make_cases(5)]
    protocols.write_splits(cases, "2", tmp_path, ["liver"])
    assert sorted(reads) == [case.name for case in cases]
