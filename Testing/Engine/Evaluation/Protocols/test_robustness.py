"""One annotated slice in scans made worse, and one annotated worse."""

import numpy as np
import pytest
from protocol_cases import Method, copied, labels_of, make_case, make_scan, measured, perfect, repeated

from FewShotSegmentLib.evaluation import protocols
from FewShotSegmentLib.evaluation.protocols.robustness import on_twin, twin_of

ALL = 18


def items_of(method, case=None, **options):
    protocol = protocols.make("robustness", {"organs": ["left kidney"], **options})
    return measured(protocol, [case or make_case("scan00")], method)


def rows_of(method, case=None, **options):
    return [item.row for item in items_of(method, case, **options)]


def test_each_disturbance_is_asked_once_beside_the_undisturbed_scan():
    rows = rows_of(Method(repeated))
    assert len(rows) == len({row.setting for row in rows}) == ALL and rows[0].setting == "undisturbed"
    measured_rows, sentences = protocols.set_aside(rows)
    # 6 slices are 2 of three times the thickness
    assert len(measured_rows) == ALL - 1
    assert sentences == ["scan00 left kidney: too few slices hold it with slices 3 × as thick."]
    assert all(len(row.given) == 1 and not row.failed for row in measured_rows)


def test_a_scan_is_disturbed_once_for_all_organs_and_methods_alike():
    protocol = protocols.make("robustness", {"organs": ["liver", "left kidney"], "disturbances": ["noise"]})
    one, other = Method(repeated), Method(copied, "other")
    for method in (one, other):
        measured(protocol, [make_case("scan00")], method)
    volumes = [question.volume for question in one.asked]
    assert len(volumes) == 6 and all(volumes[n] is volumes[n + 1] for n in (0, 2, 4))
    for ours, theirs in zip(one.asked, other.asked, strict=True):
        assert (ours.volume.image == theirs.volume.image).all()
    assert (volumes[2].image != volumes[0].image).any() and (volumes[4].image != volumes[2].image).any()


def test_seeds_change_what_is_drawn():
    images = []
    for seed in (0, 1):
        method = Method(repeated)
        rows_of(method, disturbances="noise", seed=seed)
        images.append([question.volume.image for question in method.asked])
    assert (images[0][0] == images[1][0]).all() and (images[0][1] != images[1][1]).any()


def test_only_the_middle_slice_and_the_ends_are_seen_of_the_reference():
    method = Method(repeated)
    rows_of(method, disturbances=["noise", "blur", "contrast", "bias field"])
    reference = labels_of() == 3
    for question in method.asked:
        assert list(question.anchors) == [6] and (question.anchors[6] == reference[6]).all()
        assert question.anchors[6].base is None and question.slice_range is None
        assert list(question.ends) == [0, 11]


def test_a_perfect_answer_stays_perfect_where_the_reference_is_the_scan_s_own():
    rows = rows_of(Method(perfect(labels_of() == 3)), disturbances=["noise", "support", "contrast"])
    assert [row.metrics["dice"] for row in rows] == [1.0] * 10


def test_a_poor_annotation_is_shown_but_not_scored_by():
    method = Method(repeated)
    rows = {row.setting: row for row in rows_of(method, disturbances="support")}
    drawn = {row: question.anchors[6] for row, question in zip(rows, method.asked, strict=True)}
    assert drawn["support eroded 2 px"].sum() == 1 and drawn["support dilated 2 px"].sum() > 25
    # 1 of 25 pixels on 5 slices beside 11 of the answer: 2 · 5 / (11 + 125)
    assert rows["support eroded 2 px"].metrics["dice"] == pytest.approx(2 * 5 / (11 + 125))
    assert rows["undisturbed"].metrics["dice"] == pytest.approx(2 * 125 / (275 + 125))
    shifted = drawn["support shifted 3 px"]
    assert shifted.sum() == 25 and (shifted & drawn["undisturbed"]).sum() == 10
    assert (drawn["support jagged 2 px"] != drawn["undisturbed"]).any()


def test_an_annotation_of_which_nothing_is_left_is_set_aside():
    labels = np.zeros((8, 12, 12), np.uint8)
    labels[2:6, 4:7, 4:7] = 3
    rows = rows_of(Method(repeated), make_case("small", scan=make_scan(labels)), disturbances="support")
    assert protocols.set_aside(rows)[1] == [
        "small left kidney: nothing is left of the annotation with support eroded 2 px."
    ]


def test_a_crop_is_answered_small_and_scored_in_the_whole_scan():
    method = Method(repeated, confidence=0.5)
    items = items_of(method, disturbances="cropping")
    shapes = [question.volume.image.shape for question in method.asked]
    assert shapes == [(12, 20, 24), (12, 20, 18), (8, 13, 9)]
    # the answer fills the slices that are shown: 12, 12 and 8, less the annotated one
    assert [item.row.metrics["dice"] for item in items] == pytest.approx(
        [2 * 125 / (25 * shown + 125) for shown in (11, 11, 7)]
    )
    assert all(item.mask.shape == (12, 20, 24) and item.row.given == (6,) for item in items)
    assert list(method.asked[2].anchors) == [4] and list(method.asked[2].ends) == [0, 7]
    assert len(items[2].row.confidence) == 7


def test_thick_slices_have_references_of_their_own_and_no_masks():
    method = Method(repeated)
    case = make_case("long", scan=make_scan(labels_of(first=1, last=11)))
    items = items_of(method, case, disturbances="thickness", organs=["liver"])
    assert [item.row.slices for item in items] == [11, 6, 4]
    assert [item.row.given for item in items] == [(6,), (3,), (2,)]
    assert [question.volume.spacing[0] for question in method.asked] == [4, 8, 12]
    assert [item.mask is None for item in items] == [False, True, True]
    assert items[1].row.metrics["dice"] == 1


def test_ct_has_no_bias_field_and_that_is_said():
    left_out = []
    cases = [make_case("a", modality="ct"), make_case("b")]
    protocol = protocols.make("robustness", {"organs": ["liver"], "disturbances": ["bias field"]})
    rows = [item.row for item in measured(protocol, cases, Method(repeated), left_out)]
    assert [(row.case, row.setting) for row in rows] == [
        ("a", "undisturbed"),
        ("b", "undisturbed"),
        ("b", "bias field 20 %"),
        ("b", "bias field 40 %"),
    ]
    assert left_out == ["Bias field: skipped in 1 of 2 scans, which are CT and have none."]


def test_what_lies_on_the_other_side_s_organ_is_told():
    both = np.isin(labels_of(), (2, 3))
    rows = rows_of(Method(perfect(both)), disturbances="twins")
    assert [row.extra for row in rows] == [{"on_twin": 0.5}]
    assert rows_of(Method(perfect(both)), disturbances="twins", organs=["liver"])[0].extra == {}
    assert rows_of(Method(perfect(both)), disturbances="noise")[0].extra == {}
    assert rows_of(Method(copied), disturbances="twins")[0].extra == {"on_twin": None}
    assert on_twin(both, labels_of() == 2, range(12)) is None


def test_twins_are_found_by_their_names():
    names = ["Left Kidney", "right kidney", "liver", "left lung"]
    assert twin_of("Left Kidney", names) == "right kidney" and twin_of("right kidney", names) == "Left Kidney"
    assert twin_of("liver", names) is None and twin_of("left lung", names) is None
    assert twin_of("cleft", [*names, "cright"]) is None


def test_thin_organs_are_set_aside_once():
    case = make_case("thin", scan=make_scan(labels_of(first=4, last=5)))
    rows = rows_of(Method(repeated), case, organs=["liver"])
    assert protocols.set_aside(rows) == ([], ["thin liver: 2 slices hold it, fewer than 3."])
