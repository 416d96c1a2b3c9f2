"""Annotated slices within one volume."""

import numpy as np
import pytest
from protocol_cases import Method, copied, empty, labels_of, make_case, make_scan, measured, perfect, refuses, repeated

from FewShotSegmentLib.evaluation import protocols
from FewShotSegmentLib.evaluation.row import Row

LIVER = {"organs": ["liver"]}
SETTINGS = ["1 slice", "2 slices", "3 slices", "5 slices", "5 slices, range"]


def rows_of(method, options=LIVER, **scan):
    case = make_case("scan00", scan=make_scan(labels_of(**scan)))
    return [item.row for item in measured(protocols.make("one-slice", options), [case], method)]


def test_each_setting_has_its_slices():
    method = Method(copied)
    rows = rows_of(method)  # liver on slices 2 to 9
    assert [row.setting for row in rows] == SETTINGS
    # 0.25 · 7 = 1.75, 0.5 · 7 = 3.5 (to the even 4), 0.75 · 7 = 5.25
    expected = [(6,), (4, 7), (4, 6, 7), (2, 4, 6, 7, 9), (2, 4, 6, 7, 9)]
    assert [row.given for row in rows] == expected
    assert [tuple(question.anchors) for question in method.asked] == expected
    assert [question.slice_range for question in method.asked] == [None] * 4 + [(2, 9)]


def test_the_ends_of_the_volume_and_the_annotated_slices_are_all_that_is_seen_of_the_reference():
    method = Method(copied)
    rows_of(method, first=0, last=11)
    reference = labels_of(first=0, last=11) == 1
    for question in method.asked:
        assert list(question.ends) == [0, 11] and question.volume is method.asked[0].volume
        for planes in (question.anchors, question.ends):
            for index, plane in planes.items():
                assert plane.base is None and (plane == reference[index]).all()


def test_annotated_slices_do_not_count():
    rows = rows_of(Method(copied))
    assert [row.metrics["dice"] for row in rows] == [0, 0, 0, 0, 0]
    rows = rows_of(Method(repeated))
    # the square on 12 slices, of which 8 are right; so many of both less as were given
    assert [row.metrics["dice"] for row in rows] == pytest.approx(
        [2 * (8 - n) / (12 + 8 - 2 * n) for n in (1, 2, 3, 5, 5)]
    )
    assert [len(row.profile) for row in rows] == [7, 6, 5, 3, 3]


def test_settings_are_compared_on_the_slices_that_none_was_given():
    rows = rows_of(Method(repeated))
    assert [row.extra["dice_common"] for row in rows] == pytest.approx([2 * 3 / (7 + 3)] * 5)
    # the same without the 4 slices beyond the liver's ends, on which it was repeated too
    assert [row.extra["dice_common_extent"] for row in rows] == [1.0] * 5
    rows = rows_of(Method(repeated), {**LIVER, "anchors": "1,3"})
    assert [row.setting for row in rows] == ["1 slice", "3 slices"]
    assert [row.extra["dice_common"] for row in rows] == pytest.approx([2 * 5 / (9 + 5)] * 2)


def test_short_organs_have_fewer_settings():
    rows = rows_of(Method(repeated), first=5, last=7)
    assert [(row.setting, row.given) for row in protocols.set_aside(rows)[0]] == [
        ("1 slice", (6,)),
        ("2 slices", (5, 7)),
    ]
    assert protocols.set_aside(rows)[1] == [
        "scan00 liver: 3 slices are too few for 3 annotated ones.",
        "scan00 liver: 3 slices are too few for 5 annotated ones.",
    ]


def test_too_thin_organs_are_set_aside_once_whatever_the_method():
    rows = [row for name in "ab" for row in rows_of(Method(empty, name), {}, first=5, last=6)]
    measured_rows, sentences = protocols.set_aside(rows)
    assert {row.organ for row in measured_rows} == {"right kidney", "left kidney"}
    assert sentences[0] == "scan00 liver: 2 slices hold it, fewer than 3."
    assert sentences[-1] == "scan00 spleen: no slice holds it." and len(sentences) == 2


def test_confidence_is_paired_with_dice_on_slices_that_were_not_given():
    row = rows_of(Method(perfect(labels_of() == 1), confidence=0.25))[0]
    assert row.confidence == ((0.25, 1.0),) * 7


def test_who_fails_has_found_nothing():
    found = rows_of(Method(refuses))
    assert [row.failed for row in found] == [True] * 5 and found[0].note == "There is too little contrast."
    assert found[0].metrics["dice"] == 0 and found[0].metrics["hd95_mm"] == float("inf")
    assert found[0].given == (6,)


def test_a_row_survives_its_file():
    for row in rows_of(Method(repeated, confidence=0.5)):
        assert Row.from_json(row.to_json()) == row


def test_work_is_one_piece_for_a_scan_and_method():
    cases = [make_case(f"s{n}") for n in range(3)] + [make_case("s3", organs={"heart": 1})]
    works = protocols.make("one-slice", LIVER).work(cases, iter(["a", "b"]), [])
    assert [work.key for work in works] == [f"one-slice__toy__s{n}__{m}" for n in range(3) for m in "ab"]
    assert all(work.support is None and work.fold == "" for work in works)
    assert len({work.seed for work in works}) == 3
    assert np.unique([work.seed for work in protocols.make("one-slice", {"seed": 1}).work(cases, "a", [])]).size == 4
