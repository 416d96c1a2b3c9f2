"""Which cases are shown, which slices of them, and what is said where one cannot be shown."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from FewShotSegmentLib.evaluation.report import curves, distributions, overlays, save_mask
from FewShotSegmentLib.evaluation.report.choosing import choose
from FewShotSegmentLib.evaluation.report.drawing import drawing, svg
from FewShotSegmentLib.evaluation.report.material import Material


def material(rows):
    return Material.of(rows, ())


def chosen(rows):
    return [(c.organ, c.rank, *((r.method, r.case) for r in c.rows)) for c in choose(material(rows))]


def test_best_median_and_worst_are_shown_with_the_runner_up_on_the_same_case(row):
    rows = [row(d, case=c, mask="m") for c, d in zip("abcd", (0.5, 0.9, 0.7, 0.6), strict=True)]
    rows += [row(0.1, case=c, mask="m", method="copy") for c in "abcd"]
    rows += [row(0.2, case=c, mask="m", method="flow") for c in "abc"]
    assert chosen(rows) == [
        ("liver", "best", ("engine", "b"), ("flow", "b")),
        ("liver", "median", ("engine", "d")),
        ("liver", "worst", ("engine", "a"), ("flow", "a")),
    ]


def test_few_cases_are_shown_once_each(row):
    assert chosen([row(0.5, mask="m")]) == [("liver", "only case", ("engine", "a"))]
    two = [row(0.5, mask="m"), row(0.6, case="b", mask="m")]
    assert [rank for _, rank, _ in chosen(two)] == ["best", "worst"]
    assert chosen([row(0.5)]) == []
    # an undefined Dice has no rank
    assert chosen([row(None, mask="m")]) == []


def test_the_largest_slice_that_is_not_annotated_is_shown_between_both_ends():
    reference = np.zeros((9, 8, 8), bool)
    for index, width in {2: 1, 3: 3, 4: 6, 5: 5, 6: 2}.items():
        reference[index, :width, :width] = True
    assert overlays.slices_shown(reference, ()) == [2, 4, 6]
    assert overlays.slices_shown(reference, (4,)) == [2, 5, 6]
    assert overlays.slices_shown(reference[2:3], (0,)) == [0]


def test_what_is_cut_out_of_a_case_is_the_slice_the_answer_and_the_reference(sample):
    found = choose(Material.of(sample.rows, sample.options["methods"]))
    strips, troubles = overlays.read(found, sample.cases, sample.folder)
    assert troubles == [] and len(strips) == 6
    strip = strips[0]
    row = strip.choice.rows[0]
    case = sample.cases[row.case]
    scan = case.read()
    panel = strip.panels[0][1]
    # x grows to the left, y to the back: no turn is needed
    assert np.array_equal(panel.reference, case.mask(scan, row.organ)[panel.index])
    assert np.array_equal(panel.grey, scan.image[panel.index].astype(np.float32))
    assert strip.window == (-160.0, 240.0)
    # the best answer is the reference itself
    assert strip.choice.rank == "best" and np.array_equal(panel.answer, panel.reference)


def test_a_case_that_cannot_be_shown_is_told_and_the_others_are_shown(sample, tmp_path):
    rows = [r for r in sample.rows if r.setting == "1 slice" and r.organ == "liver" and r.method == "engine"]
    cases = dict(sample.cases)
    worst, best = min(rows, key=lambda r: r.metrics["dice"]), max(rows, key=lambda r: r.metrics["dice"])
    for r in rows:
        mask = np.zeros((2, 2, 2), bool) if r is best else np.zeros((8, 40, 48), bool)
        save_mask(tmp_path / r.mask, mask)
    del cases[worst.case]
    found = overlays.section(material(rows), cases, tmp_path)
    assert len(found.pictures) == 1
    assert f"{worst.case} cannot be shown: it is not among the cases any more." in found.text
    assert any(f"{best.case} cannot be shown: the mask" in text and "another size" in text for text in found.text)
    assert overlays.section(material(rows), None, tmp_path).empty


def test_cases_of_two_data_sets_with_one_name_are_told_apart(row, sample):
    rows = [row(0.5, dataset="b", case="case 1", mask="m.npz")]
    save_mask(sample.folder / "m.npz", np.zeros((8, 40, 48), bool))
    cases = {"case 1": None, "b/case 1": sample.cases["case 2"]}
    strips, troubles = overlays.read(choose(material(rows)), cases, sample.folder)
    assert troubles == [] and len(strips) == 1
    (sample.folder / "m.npz").unlink()


def test_profiles_are_binned_by_place(row):
    rows = [row(profile=((0.0, 0.2), (0.04, 0.4), (1.0, 0.9))), row(case="b", profile=((0.05, 0.6), (0.95, 0.7)))]
    first, last = curves.binned(rows)
    assert first == pytest.approx((0.05, 0.4, 0.3, 0.5))
    assert last == pytest.approx((0.95, 0.8, 0.75, 0.85))
    assert curves.binned([]) == []


@pytest.mark.parametrize("dice", [[0.5], [0.5, 0.5, 0.5], [1.0, 1.0, 0.0], [None, float("nan")]])
def test_spread_is_drawn_of_whatever_values_there_are(report, row, dice):
    files = report([row(d, case=str(n), organ="a$b") for n, d in enumerate(dice)])
    assert ("Box and violin plots" in files.html.read_text(encoding="utf-8")) == (dice[0] is not None)


def test_many_organs_and_methods_fit_in_rows(row):
    rows = [row(0.5 + n / 50, organ=f"organ {n}", method=f"m{m}", case=str(c))
            for n in range(5) for m in range(10) for c in range(2)]  # fmt: skip
    (picture,) = distributions.section(material(rows)).pictures
    assert "Dice for 5 organs and 10 methods" in picture.alternative


def test_pictures_do_not_depend_on_the_users_settings():
    import matplotlib as mpl

    def draw():
        with drawing():
            figure = Figure()
            figure.subplots().plot([0, 1], [1, 0])
            return svg(figure)

    first = draw()
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none", "axes.facecolor": "black"}):
        assert draw() == first
