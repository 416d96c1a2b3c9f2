"""The simulated reader."""

import numpy as np
import pytest
from protocol_cases import Method, copied, empty, labels_of, make_case, make_scan, measured, perfect, refuses, repeated

from FewShotSegmentLib.evaluation import protocols
from FewShotSegmentLib.evaluation.protocols import rounds_needed

REFERENCE = labels_of() == 1  # slices 2 to 9, of 12


def items_of(method, strategy="proposed", **options):
    protocol = protocols.make("interactive", {"organs": ["liver"], "strategies": [strategy], **options})
    return measured(protocol, [make_case("scan00")], method)


def rows_of(method, strategy="proposed", **options):
    return [item.row for item in items_of(method, strategy, **options)]


def test_the_reader_corrects_what_is_proposed_until_nothing_is():
    method = Method(copied, proposals=[3, 10, 8])
    rows = rows_of(method)
    assert [row.given for row in rows] == [(6,), (6, 3), (6, 3, 10), (6, 3, 10, 8)]
    assert [row.round for row in rows] == [1, 2, 3, 4] and {row.setting for row in rows} == {"proposed"}
    # what was read is the reader's result: 1, 2, 2 (slice 10 is empty) and 3 of 8 slices
    assert [row.metrics["dice"] for row in rows] == pytest.approx([2 / 9, 4 / 10, 4 / 10, 6 / 11])
    assert [row.extra["unread_dice"] for row in rows] == [0, 0, 0, 0]


def test_only_read_slices_are_seen_and_a_slice_without_the_organ_is_said_to_be():
    method = Method(copied, proposals=[10])
    rows_of(method)
    volumes, anchors, changed = zip(*method.read_asked, strict=True)
    assert changed == (6, 10) and volumes[0] is volumes[1]
    assert [list(planes) for planes in anchors] == [[6], [6, 10]]
    assert not anchors[1][10].any() and (anchors[1][6] == REFERENCE[6]).all() and anchors[1][6].base is None
    # earlier anchors are not changed behind the method's back
    assert anchors[0] is not anchors[1]


def test_a_slice_that_was_read_is_not_read_again():
    assert [row.given for row in rows_of(Method(copied, proposals=[6, 3]))] == [(6,)]


def test_the_worst_slice_has_the_most_wrong_voxels():
    def wrong(shape, anchors):
        mask = REFERENCE.copy()
        mask[4, 2:5, 2:10] = False
        mask[8, 2:10, 2:10] = False
        for index, plane in anchors.items():
            mask[index] = plane
        return mask

    rows = rows_of(Method(wrong), "worst")
    assert [row.given for row in rows] == [(6,), (6, 8), (6, 8, 4)]
    assert rows[-1].metrics["dice"] == 1 and rows[0].metrics["dice"] < rows[1].metrics["dice"] < 1
    assert rows[0].extra["unread_dice"] == pytest.approx(2 * (7 * 64 - 88) / (2 * 7 * 64 - 88))


def test_random_slices_are_of_what_was_found_and_the_same_at_every_run():
    rows = rows_of(Method(perfect(REFERENCE)), "random")
    read = rows[-1].given
    # slices 1 to 10: all that may hold it, one before and one behind; ten rounds
    assert sorted(read) == list(range(1, 11)) and read[0] == 6
    assert [row.given for row in rows_of(Method(perfect(REFERENCE)), "random")] == [row.given for row in rows]
    assert rows_of(Method(perfect(REFERENCE)), "random", seed=1)[-1].given != read
    assert [row.given for row in rows_of(Method(empty), "random")] == [(6,)]


def test_rounds_are_counted_in_slices_read():
    assert len(rows_of(Method(copied, proposals=[2, 3, 4, 5]), rounds=3)) == 3
    assert len(rows_of(Method(copied), "worst")) == 8  # then all is right


def test_masks_are_kept_of_the_first_and_the_last_round():
    items = items_of(Method(copied, proposals=[3, 4, 5]))
    assert [item.mask is None for item in items] == [False, True, True, False]
    assert items[-1].mask[5].any() and not items[0].mask[5].any()


def test_strategies_are_read_one_after_the_other():
    protocol = protocols.make("interactive", {"organs": ["liver", "left kidney"], "rounds": 2})
    rows = [item.row for item in measured(protocol, [make_case("scan00")], Method(repeated, proposals=[3]))]
    assert [(row.organ, row.setting, row.round) for row in rows] == [
        (organ, strategy, number)
        for organ in ("liver", "left kidney")
        for strategy in ("proposed", "worst", "random")
        for number in (1, 2)
    ]


def test_the_confidence_of_one_annotated_slice_is_kept():
    rows = rows_of(Method(perfect(REFERENCE), proposals=[3], confidence=0.75))
    assert rows[0].confidence == ((0.75, 1.0),) * 7 and rows[1].confidence == ((0.75, 1.0),) * 6
    assert rows[0].metrics["dice"] == 1


def test_a_reader_stops_where_the_method_fails():
    rows = rows_of(Method(refuses, proposals=[3]))
    assert len(rows) == 1 and rows[0].failed and rows[0].metrics["dice"] == 0


def test_slices_needed_for_a_target():
    rows = rows_of(Method(copied), "worst")  # Dice after n slices: 2 n / (n + 8)
    assert rounds_needed(rows, 0.90) == 7 and rounds_needed(rows, 0.95) == 8
    assert rounds_needed(rows[:6], 0.90) is None
    assert rounds_needed(rows[::-1], 0.5) == 3


def test_thin_organs_are_set_aside():
    protocol = protocols.make("interactive", {"organs": ["liver"]})
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[2:4, 2:4, 2:4] = 1
    rows = [item.row for item in measured(protocol, [make_case("x", scan=make_scan(labels))], Method(copied))]
    assert protocols.set_aside(rows) == ([], ["x liver: 2 slices hold it, fewer than 3."])
