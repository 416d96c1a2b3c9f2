"""What is written: three files, the same at every run, with the figures of the rows."""

import csv
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from FewShotSegmentLib.errors import InputError, OutputError
from FewShotSegmentLib.evaluation.report import load_mask, save_mask, write
from FewShotSegmentLib.evaluation.report.comparisons import compare
from FewShotSegmentLib.evaluation.report.listing import to_csv
from FewShotSegmentLib.evaluation.report.material import Material
from FewShotSegmentLib.evaluation.report.summary import to_json
from FewShotSegmentLib.evaluation.row import METRICS

INF = float("inf")
METHODS = [SimpleNamespace(name=name, title=name) for name in ("engine", "copy", "demons")]


def table(rows):
    return list(csv.DictReader(io.StringIO(to_csv(Material.of(rows, METHODS).rows), newline="")))


def summary(rows, **header):
    material = Material.of(rows, METHODS)
    return json.loads(to_json(material, compare(material), header))


def test_a_repeated_run_gives_the_same_bytes_whatever_the_order_of_rows(sample, tmp_path):
    first = [path.read_bytes() for path in (sample.files.html, sample.files.csv, sample.files.json)]
    again = write(sample.folder, sample.rows[::-1], **sample.options)
    assert [path.read_bytes() for path in (again.html, again.csv, again.json)] == first
    assert [path.name for path in sorted(sample.folder.iterdir()) if path.is_file()] == [
        "cases.csv",
        "report.html",
        "summary.json",
    ]


def test_every_row_is_a_line_of_the_csv(row):
    rows = [
        row(0.75, case="b", given=(3, 7), profile=((0.0, 0.5), (1.0, 1 / 3)), extra={"on_twin": 0.25}, failed=True),
        row(0.5, case="a", metrics={"hd95_mm": INF, "precision": None}, note='says "no", and\nmore'),
    ]
    first, second = table(rows)
    assert (first["case"], first["dice"], first["hd95_mm"], first["precision"]) == ("a", "0.5", "inf", "")
    assert (first["note"], first["failed"], first["extra.on_twin"]) == ('says "no", and\nmore', "no", "")
    assert (second["case"], second["given"], second["profile"]) == ("b", "3 7", "0:0.5 1:0.333333")
    assert (second["failed"], second["extra.on_twin"], second["seconds"]) == ("yes", "0.25", "0.5")
    assert set(METRICS) <= set(first)
    assert {"protocol", "dataset", "group", "patient", "fold", "support", "round", "parameters", "mask"} <= set(first)


def test_the_summary_holds_means_with_what_was_left_out_of_them(row):
    rows = [row(0.5, case="a"), row(0.7, case="b", metrics={"hd95_mm": INF}), row(0.9, case="c", organ="spleen")]
    found = summary(rows, left_out=["x"], missing={"grow": "no"})
    assert found["counts"]["rows"] == 3 and found["counts"]["cases"] == 3 and found["counts"]["organs"] == 2
    assert found["left_out"] == ["x"] and found["missing"] == {"grow": "no"}
    by_scope = {(line["over"], line["organ"]): line for line in found["means"]}
    overall = by_scope["all", None]
    assert overall["metrics"]["dice"]["mean"] == pytest.approx(0.7)
    assert overall["metrics"]["dice"]["sd"] == pytest.approx(0.2)
    # the liver's mean is 0.6, the spleen's 0.9
    assert overall["dice_mean_of_organs"] == pytest.approx(0.75)
    assert overall["metrics"]["hd95_mm"]["n_infinite"] == 1 and overall["metrics"]["hd95_mm"]["mean"] == 6.25
    assert by_scope["organ", "spleen"]["metrics"]["dice"] == {
        "n": 1, "n_undefined": 0, "n_infinite": 0, "mean": 0.9, "sd": None, "median": 0.9, "low": None, "high": None
    }  # fmt: skip


def test_methods_are_compared_with_the_engine_by_patient(row):
    dice = {"engine": (0.9, 0.8, 0.85, 0.95), "copy": (0.7, 0.65, 0.6, 0.8), "demons": (0.9, 0.7, 0.8, 0.9)}
    rows = [
        row(value + shift, case=f"c{n}", patient=f"p{n}", method=method, organ=organ)
        for method, values in dice.items()
        for n, value in enumerate(values)
        for organ, shift in (("liver", 0.0), ("spleen", 0.04))
    ]
    tests = summary(rows)["tests"]
    beside = {(line["scope"], line["other"]): line for line in tests["beside_the_leading_method"]}
    assert {line["method"] for line in beside.values()} == {"engine"}
    assert set(beside) == {(s, o) for s in ("all organs", "liver", "spleen") for o in ("copy", "demons")}
    line = beside["all organs", "copy"]
    # four patients, not eight organs
    assert line["n"] == 4
    assert line["difference"] == pytest.approx((0.2 + 0.15 + 0.25 + 0.15) / 4)
    assert line["t_p_holm"] == pytest.approx(2 * line["t_p"])
    (together,) = tests["together"]
    assert together["n"] == 4 and set(together["friedman"]["ranks"]) == {"engine", "copy", "demons"}


def test_an_organ_that_one_method_did_not_answer_is_left_out_for_all(row):
    rows = [
        row(0.9, case="a", patient="a", method="engine"),
        row(0.1, case="a", patient="a", method="engine", organ="spleen"),
        row(0.8, case="a", patient="a", method="copy"),
        row(0.5, case="b", patient="b", method="engine"),
        row(0.5, case="b", patient="b", method="copy"),
    ]
    (line,) = [line for line in summary(rows)["tests"]["beside_the_leading_method"] if line["scope"] == "all organs"]
    assert line["mean_a"] == pytest.approx(0.7) and line["mean_b"] == pytest.approx(0.65)


def test_folds_are_described_each_and_together(row):
    rows = [row(d, case=f"c{n}", fold=f) for n, (d, f) in enumerate([(0.5, "0"), (0.7, "0"), (0.9, "10"), (0.8, "2")])]
    (line,) = summary(rows)["folds"]
    assert list(line["folds"]) == ["0", "2", "10"]
    assert line["folds"]["0"]["mean"] == pytest.approx(0.6)
    assert line["mean_of_folds"]["mean"] == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    assert line["pooled"]["mean"] == pytest.approx(0.725)


def test_no_rows_give_a_report_that_says_so(report):
    files = report([], left_out=["nothing to do"])
    assert "Nothing was measured" in files.html.read_text(encoding="utf-8")
    assert len(files.csv.read_text(encoding="utf-8").splitlines()) == 1
    found = json.loads(files.json.read_text(encoding="utf-8"))
    assert found["means"] == [] and found["counts"]["rows"] == 0
    assert found["left_out"] == ["nothing to do"] and found["title"] == "T"


@pytest.mark.parametrize("changes", [{"metrics": dict.fromkeys(METRICS)}, {"metrics": {"hd95_mm": INF}}, {}])
def test_a_single_answer_gives_a_report_without_comparisons(report, row, changes):
    files = report([row(0.5, **changes)])
    assert summary([row(0.5, **changes)])["tests"]["beside_the_leading_method"] == []
    html = files.html.read_text(encoding="utf-8")
    assert "Differences between methods" not in html
    assert not re.search(r">\s*(nan|None|inf)\b", html)


def test_nothing_is_written_where_a_file_is_in_the_way(tmp_path, row):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="choose another folder"):
        write(tmp_path / "out", [row()], title="T", protocol_title="P", explanation="E")


def test_a_missing_package_is_told_in_a_sentence(report, row, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(InputError, match=r"jinja2: pip install 'fewshotsegment\[evaluate\]'"):
        report([row()])


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 1), (0, 4, 4), (2, 8, 8)])
def test_masks_come_back_as_they_were(tmp_path, shape):
    mask = np.random.default_rng(0).random(shape) < 0.4
    save_mask(tmp_path / "a" / "m.npz", mask)
    save_mask(tmp_path / "a" / "n.npz", mask)
    found = load_mask(tmp_path / "a" / "m.npz")
    assert found.dtype == np.bool_ and found.shape == shape and np.array_equal(found, mask)
    assert (tmp_path / "a" / "m.npz").read_bytes() == (tmp_path / "a" / "n.npz").read_bytes()
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_what_is_no_mask_is_told_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load_mask(tmp_path / "m.npz")
    (tmp_path / "m.npz").write_bytes(b"not a mask")
    with pytest.raises(InputError, match="is not a mask"):
        load_mask(tmp_path / "m.npz")
    np.savez(tmp_path / "m.npz", bits=np.zeros(1, np.uint8), shape=np.array([9, 9]))
    with pytest.raises(InputError, match="is not a mask"):
        load_mask(tmp_path / "m.npz")
    save_mask(tmp_path / "m.npz", np.ones((4, 4, 4), bool))
    whole = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "m.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is not a mask"):
        load_mask(tmp_path / "m.npz")
