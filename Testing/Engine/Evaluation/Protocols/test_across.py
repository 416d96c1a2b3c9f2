"""The two protocols in which another patient's scan is annotated."""

import numpy as np
import pytest
from protocol_cases import (
    ORGANS,
    Method,
    copied,
    labels_of,
    make_case,
    make_cases,
    make_scan,
    measured,
    perfect,
    repeated,
)

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.evaluation import protocols

LIVER = {"organs": ["liver"]}


def query_and_support():
    """Liver on slices 2 to 9 of the query, of 12, and on slices 0 to 5 of the supports."""
    support = make_scan(labels_of(first=0, last=5))
    return [make_case("scan00"), *(make_case(f"scan{n:02}", scan=support) for n in range(1, 6))]


def of_first(protocol, method):
    return next(item for item in measured(protocol, query_and_support(), method) if item.row.case == "scan00")


def test_published_asks_by_parts_and_scores_the_extent():
    method = Method(repeated, confidence=0.5)
    item = of_first(protocols.make("published", LIVER), method)
    question, row = method.asked[0], item.row
    assert list(question.anchors) == [1, 3, 5] and question.organ == "liver"
    assert question.parts.tolist() == [-1, -1, 1, 1, 1, 3, 3, 5, 5, 5, -1, -1]
    assert (question.support.image == query_and_support()[1].read().image).all()
    # the square is right on all slices of the extent; before and behind it does not count
    assert row.metrics["dice"] == row.metrics["dice_extent"] == 1
    assert item.mask.any(axis=(1, 2)).all()
    assert row.confidence == ((0.5, 1.0),) * 8 and len(row.profile) == 8
    assert (row.support, row.given, row.slices, row.setting, row.fold) == ("scan01", (1, 3, 5), 8, "setting 1", "0")
    assert (row.dataset, row.patient, row.method, row.parameters, row.failed) == ("toy", "scan00", "stub", 7, False)


def test_whole_volume_takes_nothing_from_the_query_and_scores_all():
    method = Method(repeated)
    row = of_first(protocols.make("whole-volume", LIVER), method).row
    assert method.asked[0].parts is None and list(method.asked[0].anchors) == [1, 3, 5]
    assert row.metrics["dice"] == pytest.approx(2 * 8 / (12 + 8)) and row.metrics["dice_extent"] == 1
    assert (row.setting, row.given, row.fold) == ("", (1, 3, 5), "0")


def test_the_setting_is_told_and_the_number_of_slices_can_be_chosen():
    method = Method(repeated)
    row = of_first(protocols.make("published", {**LIVER, "setting": "2", "shots_slices": 1}), method).row
    assert row.setting == "setting 2" and row.given == (3,)
    assert set(method.asked[0].parts.tolist()) == {-1, 3}


def test_annotated_slices_are_all_that_is_seen_of_labels():
    cases = query_and_support()
    method = Method(repeated)
    measured(protocols.make("whole-volume"), cases, method)
    for question in method.asked:
        labels = cases[1 if question.support.image is cases[1].read().image else 0].read().labels
        for index, plane in question.anchors.items():
            assert plane.base is None and (plane == (labels[index] == ORGANS[question.organ])).all()
        assert not hasattr(question.query, "labels") and not hasattr(question.support, "labels")


def test_one_volume_object_serves_all_organs_of_a_scan():
    method = Method(repeated)
    protocol = protocols.make("published")
    work = protocol.work(make_cases(5), ["stub"], [])[0]
    list(protocol.measure(work, work.query.read(), work.support.read(), method))
    assert len(method.asked) == 3
    assert all(question.query is method.asked[0].query for question in method.asked)
    assert all(question.support is method.asked[0].support for question in method.asked)


def test_an_organ_that_a_scan_lacks_is_set_aside_with_a_sentence():
    rows = [item.row for item in measured(protocols.make("published"), make_cases(5), Method(repeated))]
    left, sentences = protocols.set_aside(rows)
    assert {row.organ for row in left} == {"liver", "right kidney", "left kidney"}
    assert sentences == [f"scan{n:02} spleen: no slice of scan{n:02} holds it." for n in range(5)]
    assert all(set(row.metrics.values()) == {None} and not row.failed for row in rows if row.organ == "spleen")


def test_an_organ_that_the_support_does_not_name_is_left_out():
    cases = make_cases(5)
    cases[1] = make_case("scan01", organs={"liver": 1})
    left_out = []
    found = measured(protocols.make("published", {"organs": "right kidney, LIVER"}), cases, Method(repeated), left_out)
    assert left_out == ["scan00 right kidney: scan01, which is annotated for it, does not have it."]
    assert [(item.row.case, item.row.organ) for item in found[:3]] == [
        ("scan00", "liver"),
        ("scan01", "liver"),
        ("scan02", "liver"),
    ]


def test_published_folds_and_methods_make_the_work():
    works = protocols.make("published").work(make_cases(20), ["a", "b"], [])
    assert len(works) == 40 and len({work.key for work in works}) == 40
    assert [(work.fold, work.query.name, work.support.name, work.method) for work in works[6:10]] == [
        ("0", "scan03", "scan04", "a"),
        ("0", "scan03", "scan04", "b"),
        ("1", "scan04", "scan08", "a"),
        ("1", "scan04", "scan08", "b"),
    ]
    assert works[6].seed == works[7].seed != works[8].seed
    assert works == protocols.make("published").work(make_cases(20), ["a", "b"], [])


def test_only_the_folds_asked_for_are_run():
    works = protocols.make("published", {"folds": [2]}).work(make_cases(20), ["a"], [])
    assert [(work.fold, work.query.name) for work in works] == [("2", f"scan{n:02}") for n in range(8, 12)]
    assert {work.fold for work in protocols.make("published", {"folds": 2}).work(make_cases(20), ["a"], [])} == {
        "0",
        "1",
    }


def test_whole_volume_leaves_one_out_where_there_are_groups_or_few_patients():
    protocol = protocols.make("whole-volume")

    def pairs(cases):
        return [(work.query.name, work.support.name) for work in protocol.work(cases, ["a"], [])]

    assert pairs(make_cases(4)) == [(f"scan{n:02}", f"scan{(n + 1) % 4:02}") for n in range(4)]
    assert pairs(make_cases(10, group="g")) == [(f"scan{n:02}", f"scan{(n + 1) % 10:02}") for n in range(10)]
    assert pairs(make_cases(10))[:2] == [("scan00", "scan02"), ("scan01", "scan02")]


@pytest.mark.parametrize("name", ["published", "whole-volume"])
def test_a_single_patient_is_left_out(name):
    left_out = []
    assert protocols.make(name).work([make_case("a", "p"), make_case("b", "p")], ["m"], left_out) == []
    assert left_out == ["toy MR: there is only one patient, so that nobody else can be annotated."]


def test_a_perfect_answer_scores_1():
    reference = labels_of() == 1
    for name in ("published", "whole-volume"):
        row = measured(protocols.make(name, LIVER), make_cases(5), Method(perfect(reference)))[0].row
        assert row.metrics["dice"] == row.metrics["nsd"] == 1 and row.metrics["hd95_mm"] == 0


def test_a_mask_of_another_shape_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="not bool"):
        measured(protocols.make("published"), make_cases(5), Method(lambda shape, anchors: np.zeros((2, 2, 2), bool)))
    with pytest.raises(ValueError, match="not bool"):
        measured(protocols.make("published"), make_cases(5), Method(lambda shape, a: copied(shape, {}).astype(int)))


def test_organs_that_no_scan_has_are_refused():
    with pytest.raises(InputError, match="called “lung”; there are: left kidney, liver, right kidney, spleen"):
        protocols.make("published", {"organs": ["lung"]}).work(make_cases(5), ["a"], [])
