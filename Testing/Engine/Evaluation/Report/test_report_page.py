"""What the page says: tables, marks, published figures, and no name that could act as a tag."""

import base64
import re
from types import SimpleNamespace

from FewShotSegmentLib.evaluation import quoted
from FewShotSegmentLib.evaluation.report import beside, costs, means, numbers
from FewShotSegmentLib.evaluation.report.material import Material
from FewShotSegmentLib.evaluation.report.rounds import Reading, needed_summary, readings
from FewShotSegmentLib.evaluation.report.rounds import section as rounds_section
from FewShotSegmentLib.evaluation.statistics import describe

INF = float("inf")


def test_figures_are_written_the_same_everywhere():
    assert [numbers.number(v) for v in (0.8654, None, INF, -0.1234, -0.0001, float("nan"))] == [
        "0.865", "–", "∞", "−0.123", "0.000", "–"
    ]  # fmt: skip
    assert numbers.mean_and_sd(describe([0.5, 0.7])) == "0.600 ± 0.141"
    assert numbers.mean_and_sd(describe([2.0, INF, INF])) == "2.000, ∞ (2)"
    assert numbers.mean_and_sd(describe([INF])) == "∞ (1)"
    assert numbers.mean_and_sd(describe([None])) == "–"
    assert [numbers.p_value(p) for p in (0.0001, 0.0421, None, 1.0)] == ["< 0.001", "0.042", "–", "1.000"]


def test_methods_settings_and_organs_stand_in_a_sensible_order(row):
    methods = [SimpleNamespace(name="copy", title="Copy"), SimpleNamespace(name="gone", title="Gone")]
    rows = [row(setting=s, method=m) for s in ("noise 10 %", "noise 5 %", "undisturbed") for m in ("zeta", "copy")]
    found = Material.of(rows, methods)
    assert found.settings == ("undisturbed", "noise 5 %", "noise 10 %")
    assert found.methods == ("copy", "zeta") and found.lead == "copy"
    assert (found.title("copy"), found.title("zeta"), found.title("gone")) == ("Copy", "zeta", "Gone")
    assert Material.of([*rows, row(method="engine")], methods).lead == "engine"


def test_the_best_of_each_setting_is_marked(row):
    rows = [row(0.9), row(0.7, method="copy")]
    rows += [row(0.6, setting="2 slices"), row(0.8, setting="2 slices", method="copy")]
    rows[0].metrics.update(volume_error=-0.4)
    table = means.metrics_table(Material.of(rows, ()), rows, "T")
    dice, error = table.head.index("Dice, whole volume"), table.head.index("Volume error")
    best = {(line[1].text, line[0].text): (line[dice].best, line[error].best) for line in table.rows}
    assert best == {
        ("1 slice", "copy"): (False, True),
        ("1 slice", "engine"): (True, False),
        ("2 slices", "copy"): (True, False),
        ("2 slices", "engine"): (False, False),
    }


def test_what_is_scored_is_said_of_the_published_protocol(row):
    rows = [row(0.9, protocol="published")]
    found = Material.of(rows, ())
    table = means.metrics_table(found, rows, "T")
    assert found.scope == "own slices" and "Dice, as published" in table.head and "Dice, whole volume" not in table.head
    assert means.organs_table(found).title == "Dice of each organ, own slices"
    assert Material.of([row(0.9)], ()).scope == "whole volume"


def test_each_group_counts_the_same_in_the_mean_of_groups(row):
    rows = [row(0.9, group="g", case=str(n)) for n in range(3)] + [row(0.5, group="h")]
    (line,) = means.groups_table(Material.of(rows, ())).rows
    assert line[-1].text == "0.700"
    assert means.metrics_table(Material.of(rows, ()), rows, "T").rows[0][3].text.startswith("0.800")


def test_a_reading_that_ended_early_keeps_its_last_value(row):
    def reading(case, *dice):
        return [row(d, case=case, setting="worst", round=n) for n, d in enumerate(dice, 1)]

    rows = [*reading("a", 0.8, 0.92), *reading("b", 0.5, 0.6, 0.96, 0.97), *reading("c", 0.5, 0.6, 0.7, 0.7)]
    material = Material.of(rows, ())
    ((key, own),) = readings(material).items()
    assert key == ("worst", "engine")
    assert [r.at(4) for r in own] == [0.92, 0.97, 0.7]
    assert [r.needed(0.9) for r in own] == [2, 3, None]
    assert needed_summary(own, 0.9) == {"readings": 3, "reached": 2, "mean": 2.5, "median": 3.0}
    assert needed_summary(own, 0.95) == {"readings": 3, "reached": 1, "mean": 3.0, "median": None}
    by_round, needed = rounds_section(material).tables
    assert [cell.text[:5] for cell in by_round.rows[0][2:]] == ["0.600", "0.707", "0.860", "0.863"]
    assert [cell.text for cell in needed.rows[0][2:]] == ["3", "67 %", "3.0", "2.5", "33 %", "more", "3.0"]
    # tables of means count the last round of each
    assert [r.metrics["dice"] for r in material.answers] == [0.92, 0.97, 0.7]
    assert Reading((rows[0],)).dice == (0.8,)


def test_disturbances_are_compared_on_the_same_cases(row):
    clean = {"a": 0.9, "b": 0.8}
    rows = [row(d, case=c, setting="undisturbed") for c, d in clean.items()]
    rows += [row(d - 0.1, case=c, setting="blur 2") for c, d in clean.items()] + [row(0.2, case="c", setting="blur 2")]
    table = costs.losses_table(Material.of(rows, ()))
    assert [[cell.text for cell in line] for line in table.rows] == [["blur 2", "−0.100 ± 0.000"]]


def test_cost_is_told_per_answer_and_per_slice(row):
    rows = [row(seconds=1.0, slices=4, peak_mb=10.0), row(seconds=2.0, slices=4, case="b", peak_mb=35.5)]
    (table,) = costs.section(Material.of(rows, ())).tables
    assert [cell.text for cell in table.rows[0][2:]] == [
        "2", "1.500 ± 0.707", "0.375 ± 0.177", "35.5", "1 234 567"
    ]  # fmt: skip


def test_confidence_has_an_area_under_its_curve(row):
    rows = [row(confidence=((0.9, 0.95), (0.8, 0.85), (0.3, 0.2), (0.85, 0.1))), row(method="copy")]
    (table,) = costs.confidence_section(Material.of(rows, ())).tables
    assert [[cell.text for cell in line] for line in table.rows] == [["engine", "4", "2", "0.750"]]


def test_published_figures_are_marked_as_quoted_and_ours_stand_beside_them(report, row):
    organs = dict(zip(quoted.ABDOMEN, (0.5, 0.6, 0.7, 0.8), strict=True))
    rows = [
        row(d, protocol="published", dataset="chaos", organ=o, setting="setting 2", method="copy")
        for o, d in organs.items()
    ]
    found = beside.section(Material.of(rows, ()))
    tables = {table.title.split(",")[0]: table for table in found.tables}
    two = tables["Setting 2"]
    assert [cell.text for cell in two.rows[0]] == [
        "copy, setting 2", "–", "–", "–", "–", "–", "50.00", "60.00", "70.00", "80.00", "65.00"
    ]  # fmt: skip
    assert two.rows[0][0].below == "measured here"
    assert {line[0].below for line in two.rows[1:]} == {quoted.MARK}
    assert [cell.text for cell in two.rows[-1]][-5:] == ["74.66", "82.77", "70.82", "73.82", "75.52"]
    assert "CRAPNet, doi:10.48550/arXiv.2212.03967" in two.note
    # what was trained for setting 2 does not stand beside setting 1
    assert all(line[0].below == quoted.MARK for line in tables["Setting 1"].rows)
    html = report(rows).html.read_text(encoding="utf-8")
    assert html.count(quoted.MARK) > 40
    assert quoted.MARK not in report(rows, quoted=False).html.read_text(encoding="utf-8")


def test_published_figures_are_not_shown_for_another_question(report, row):
    assert quoted.MARK not in report([row()]).html.read_text(encoding="utf-8")


def test_published_tables_are_whole_and_their_means_are_those_of_their_organs():
    for table in quoted.TABLES:
        assert table.source and table.place
        for name, figures in table.rows:
            assert len(figures) == len(table.columns), name
            assert all(value is None or 0 < value < 100 for value in figures)
    for table in quoted.TABLES[:2]:
        for name, figures in table.rows:
            for part in (figures[:5], figures[5:]):
                # PANet's row of setting 1 is printed with a mean that is 2 too high
                tolerance = 2.1 if name == "SSL-PANet" else 0.02
                assert abs(sum(part[:4]) / 4 - part[4]) < tolerance, (table.key, name)


def test_strange_names_are_text(report, row):
    evil = "<script>alert(1)</script>\"'&$x_{"
    rows = [
        row(0.5, case=evil, organ=evil, method=evil, setting=evil, note=evil, patient=evil, profile=((0.5, 0.5),)),
        row(0.6, case=evil, organ="liver", method="copy", setting=evil, group=evil, confidence=((0.5, 0.5),)),
    ]
    files = report(rows, title=evil, protocol_title=evil, explanation=evil, notes=[evil], missing={evil: evil})
    html = files.html.read_text(encoding="utf-8")
    # one script of ours, and none of theirs
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_page_needs_nothing_else(sample):
    html = sample.files.html.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html) == []
    assert not re.search(r"url\(|@import|<link|<iframe", html)
    sources = re.findall(r'<img src="data:([^;]+);base64,([^"]+)"', html)
    assert len(sources) == html.count("<img")
    for kind, content in sources:
        start = base64.b64decode(content)[:40]
        assert start.startswith(b"<?xml" if kind == "image/svg+xml" else b"\xff\xd8"), kind
    # one picture by setting, two each of spread and extent, time, confidence, and one for each of two organs
    assert len(sources) == 1 + 2 + 2 + 1 + 1 + 2
    for told in ("A sample", "case 9 spleen: 2 slices are too few.", "slicer-core is not installed.", "busy machine"):
        assert told in html
    assert 'href="#statistics"' in html and 'id="statistics"' in html
    assert "dice_common" in html


def test_a_date_is_told_only_if_given(report, row):
    html = report([row()], date="2031-05-01").html.read_text(encoding="utf-8")
    assert '<p class="pale">P · 2031-05-01</p>' in html and html.count("2031") == 1
    assert '<p class="pale">P</p>' in report([]).html.read_text(encoding="utf-8")
