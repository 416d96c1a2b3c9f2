"""The transfer's part of the bench measures what it says: pairs, supports, rows and scores, on made-up cases."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import run
import SimpleITK as sitk
import transfer_accuracy
import transfer_methods
from cases import SOURCES, Case, read_cases
from pairs import Pair, make_pairs, one_for_each_patient, patient
from scores import Score
from transfer_accuracy import measure, runs_of
from transfer_volumes import Scene, Volume, scenes

SHAPE = (9, 40, 48)


def _case(name: str, source: str = "heart MR", **labels: int) -> Case:
    return Case(name, source, "MR", {value: label for label, value in labels.items()} or {1: "disc"}, Path())


def _write(shared: Path, cases: dict[str, tuple[str, dict[int, str]]], shift: int = 3) -> dict[str, list[Case]]:
    """A data/dev with a bright disc (label 1) in each case, a little elsewhere in every one, and a dot (label 2)."""
    folder = shared / "data" / "dev"
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[: SHAPE[1], : SHAPE[2]]
    entries = []
    for number, (name, (modality, labels)) in enumerate(cases.items()):
        disc = (rows - 20) ** 2 + (columns - 20 - shift * number) ** 2 < 49
        drawn = np.zeros(SHAPE, np.uint8)
        drawn[2:7] = disc
        drawn[4:6, 2:5, 2:5] = 2
        body = (rows - 20) ** 2 + (columns - 24) ** 2 < 330
        image = 60.0 * body + 100 * (drawn == 1) + np.random.default_rng(number).normal(0, 4, SHAPE)
        for kind, array in (("image", np.rint(image).astype(np.int16)), ("labels", drawn)):
            written = sitk.GetImageFromArray(array)
            written.SetSpacing((1.0, 1.0, 3.0))
            written.SetOrigin((10.0 * number, 0.0, -5.0))
            sitk.WriteImage(written, str(folder / f"{name}_{kind}.nii.gz"))
        entries.append({"case": name, "modality": modality, "labels": {str(v): n for v, n in labels.items()}})
    (folder / "cases.json").write_text(json.dumps(entries), encoding="utf-8")
    return read_cases(shared)


@pytest.fixture
def two_hearts(tmp_path) -> dict[str, list[Case]]:
    labels = {1: "disc", 2: "dot"}
    return _write(tmp_path, {"scd_a_ed": ("MR", labels), "scd_a_es": ("MR", labels), "scd_b_ed": ("MR", labels)})


@pytest.mark.parametrize(
    ("case", "whose"),
    [
        ("sts027_mr_t1", "sts027"),
        ("sts027_ct", "sts027"),
        ("scd_schfi05_ed", "scd_schfi05"),
        ("scd_schfi05_es", "scd_schfi05"),
        ("fetal_run1", "fetal"),
        ("fetal_run2", "fetal"),
        ("hippocampus_001", "hippocampus_001"),
        ("kbp_validation_pt_201", "kbp_validation_pt_201"),
    ],
)
def test_patient_of_a_case(case, whose):
    assert patient(case) == whose


def test_one_case_for_each_patient_in_one_phase():
    names = ["scd_a_es", "scd_a_ed", "scd_b_ed", "scd_b_es", "scd_c_es"]
    assert [case.name for case in one_for_each_patient([_case(name) for name in names])] == ["scd_a_ed", "scd_b_ed"]


def test_pairs_go_round_and_never_stay_with_a_patient():
    grouped = {"heart MR": [_case(f"scd_{who}_{phase}") for who in "abcd" for phase in ("ed", "es")]}
    found = make_pairs(grouped, None, [])
    assert [pair.title for pair in found] == [
        "scd_a_ed → scd_b_ed",
        "scd_b_ed → scd_c_ed",
        "scd_c_ed → scd_d_ed",
        "scd_d_ed → scd_a_ed",
    ]
    assert all(patient(pair.support.name) != patient(pair.query.name) for pair in found)
    assert make_pairs(grouped, 3, []) == found[:3]
    two = {"heart MR": grouped["heart MR"][:4]}
    assert [pair.query.name for pair in make_pairs(two, 3, [])] == ["scd_b_ed", "scd_a_ed"]


def test_what_cannot_be_paired_is_said():
    left_out: list[str] = []
    grouped = {
        "fetal brain MR": [_case(f"fetal_run{n}", "fetal brain MR") for n in (1, 2)],
        "head-neck CT": [_case("kbp_1", "head-neck CT", liver=1, jaw=2), _case("kbp_2", "head-neck CT", jaw=3)],
        "limb tumour CT": [],
    }
    (pair,) = make_pairs(grouped, 1, left_out)
    assert pair.source == "head-neck CT"
    assert pair.names == ["jaw"]
    assert left_out == [
        "fetal brain MR: 1 patient (fetal), so that there is nobody to transfer to: fetal_run1, fetal_run2",
        "kbp_1 → kbp_2 liver: not in kbp_2",
        "limb tumour CT: no case, so that there is nobody to transfer to",
    ]


def test_scene_leaves_out_what_is_too_thin(two_hearts):
    left_out: list[str] = []
    pairs = make_pairs({"heart MR": two_hearts["heart MR"]}, 1, left_out)
    (scene,) = scenes(pairs, left_out)
    assert scene.names == ["disc"]
    assert left_out == ["scd_a_ed → scd_b_ed dot: 2 slices in scd_a_ed, 2 slices in scd_b_ed, fewer than 3"]


def test_support_is_what_a_user_would_have_collected(two_hearts):
    pytest.importorskip("torch")
    from FewShotSegmentLib.images import Annotation, Segment
    from FewShotSegmentLib.images import Volume as UserVolume
    from FewShotSegmentLib.support import collect_supports

    case = two_hearts["heart MR"][0]
    volume = Volume.read(case)
    mine = Scene(Pair(case, case), volume, volume, ["disc"]).supports("three")["disc"]
    assert [part.index for part in mine.slices] == [3, 4, 5]
    drawn = np.zeros(SHAPE, bool)
    for part in mine.slices:
        drawn[part.index] = part.mask
        np.testing.assert_array_equal(part.mask, volume.labels[part.index] == 1)
    segment = Segment("disc", (1.0, 0.0, 0.0), 1, {}, drawn.astype(np.uint8), 1)
    user = UserVolume(volume.image, volume.geometry, "mr", Path("a.nii.gz"))
    annotation = Annotation([segment], volume.geometry, {}, Path("b.nii.gz"))
    (theirs,), _ = collect_supports(user, annotation, axis=0)
    assert mine.intensity == theirs.intensity
    assert mine.volume_id == theirs.volume_id
    assert mine.modality == theirs.modality
    for own, other in zip(mine.slices, theirs.slices, strict=True):
        np.testing.assert_array_equal(own.image, other.image)
        np.testing.assert_array_equal(own.mask, other.mask)
        np.testing.assert_array_equal(own.geometry.ijk_to_lps, other.geometry.ijk_to_lps)
        assert (own.index, own.count) == (other.index, other.count)


class _Answers:
    """Stands for the networks: the query's own reference, of its first half of rows, or nothing."""

    def __init__(self):
        self.asked: list[tuple[str, list[int]]] = []

    def run(self, row, scene, supports):
        from transfer_runner import Outcome

        self.asked.append((row.key, [part.index for part in supports["disc"].slices]))
        mask = scene.query.mask("disc").copy()
        if row.key == "half":
            mask[:, 20:] = False
        if row.key == "none":
            mask[:] = False
        return {"disc": Outcome(mask, 0.5, "said not to be found" if row.key == "none" else "")}


def test_scores_of_hand_made_masks(two_hearts):
    pytest.importorskip("torch")
    rows = [
        transfer_methods.Row(key, key, kind) for key, kind in (("all", "bare"), ("half", "change"), ("none", "bare"))
    ]
    answers, left_out = _Answers(), []
    pairs = make_pairs({"heart MR": two_hearts["heart MR"]}, 1, left_out)
    (record,) = measure(pairs, rows, answers, ("one", "three"), left_out)
    reference = Volume.read(pairs[0].query).mask("disc")
    share = reference[:, :20].sum() / reference.sum()
    assert record.one["all"] == Score(1.0, 1.0)
    assert record.one["half"].whole == pytest.approx(2 * share / (1 + share))
    assert record.one["none"] == Score(0.0, 0.0)
    assert record.three.keys() == {"all", "none"}
    assert answers.asked[0] == ("all", [4])
    assert answers.asked[-1] == ("none", [3, 4, 5])
    assert record.slices == 5
    assert record.remarks == ["none, one: said not to be found", "none, three: said not to be found"]


def test_a_single_change_is_asked_with_one_slice():
    change, bare = transfer_methods.CHANGES[0], transfer_methods.FLOOR_AND_BARE[1]
    assert runs_of(change, ("one", "three")) == ["one"]
    assert runs_of(bare, ("one", "three")) == ["one", "three"]


def test_rows_have_keys_of_their_own_and_build():
    pytest.importorskip("torch")
    from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder

    rows = transfer_methods.rows(ablation=True, all_pipelines=True)
    assert len({row.key for row in rows}) == len(rows)
    assert [row.key for row in transfer_methods.rows(False, False)][-1] == transfer_methods.PIPELINE
    encoder = PropagatorEncoder()
    default = transfer_methods.build_network(next(row for row in rows if row.key == transfer_methods.DEFAULT), encoder)
    for row in rows:
        if row.network:
            network = transfer_methods.build_network(row, encoder)
            assert not network.training
            if row.kind == "change":  # one that is the default by now would measure nothing
                assert [name for name in row.settings if getattr(network, name) == getattr(default, name)] == []


def test_random_heads_come_out_the_same_every_time():
    torch = pytest.importorskip("torch")
    from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder

    row = next(row for row in transfer_methods.FLOOR_AND_BARE if row.key == "conditional")
    encoder = PropagatorEncoder()
    first, second = (transfer_methods.build_network(row, encoder).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_paste_is_the_mask_in_the_common_frame(two_hearts):
    torch = pytest.importorskip("torch")
    from transfer_runner import paste

    from FewShotSegmentLib import Settings
    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder
    from FewShotSegmentLib.transfer.query import read_query

    volume = Volume.read(two_hearts["heart MR"][0])
    network = build("prototype", PropagatorEncoder()).eval()
    settings = Settings(long_side=48)
    with torch.inference_mode():
        query = read_query(volume.image, volume.geometry, 0, "mr", network, torch.device("cpu"), settings)
    found = paste(query, volume.support("disc", [4]), settings)
    assert found.shape == SHAPE
    assert (found == found[0]).all()
    overlap = 2 * (found[4] & volume.mask("disc")[4]).sum() / (found[4].sum() + volume.mask("disc")[4].sum())
    assert overlap > 0.85


def test_bare_network_is_what_the_product_gives_slice_by_slice(two_hearts):
    """On features that are shared among all networks; the pipeline's errors are said and score as nothing found."""
    pytest.importorskip("torch")
    from transfer_runner import Runner

    from FewShotSegmentLib import Engine, Settings
    from FewShotSegmentLib.errors import InputError
    from FewShotSegmentLib.transfer import Transfer

    engine = Engine.load("cpu", settings=Settings(long_side=48))
    rows = {row.key: row for row in transfer_methods.rows(ablation=False, all_pipelines=False)}
    wanted = [rows[key] for key in ("alpnet", "dspnet", "pipeline")]
    runner = Runner(engine, wanted)
    (scene,) = scenes(make_pairs({"heart MR": two_hearts["heart MR"]}, 1, []), [])
    supports = scene.supports("one")
    runner.run(wanted[0], scene, supports)
    mine = runner.run(wanted[1], scene, supports)["disc"].mask
    segments = {name: [support] for name, support in supports.items()}
    query = scene.query
    theirs = Transfer(engine, "dspnet").run(query.image, query.geometry, segments, modality="mr", propagate=False)
    np.testing.assert_array_equal(mine, theirs["disc"].mask)
    assert mine.any()

    with mock.patch.object(Transfer, "run", side_effect=InputError("no overlap")):
        outcome = runner.run(wanted[2], scene, supports)["disc"]
    assert outcome.remark == "no overlap"
    assert not outcome.mask.any()


def test_arguments_refuse_transfer_only_without_transfer(tmp_path):
    with pytest.raises(SystemExit):
        run.arguments(["--no-accuracy", "--no-transfer", "--transfer-only"])


def test_no_transfer_measures_none(tmp_path, two_hearts, monkeypatch):
    def refuse(*_):
        raise AssertionError("transfer was measured")

    monkeypatch.setattr(run.transfer, "run", refuse)
    call = ["--shared", str(tmp_path), "--methods", "copy", "--no-cost", "--no-transfer", "--quick"]
    assert run.main(call) == 0


def test_a_run_prints_tables_notes_and_the_json(tmp_path, two_hearts, monkeypatch, capsys):
    """The real rows and networks, on slices of 48 pixels."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from FewShotSegmentLib import Engine, Settings

    monkeypatch.setattr(run.transfer.engine, "load", lambda: Engine.load("cpu", settings=Settings(long_side=48)))
    file = tmp_path / "out.json"
    call = ["--shared", str(tmp_path), "--transfer-only", "--no-cost", "--cases-per-source", "1", "--json", str(file)]
    run.main(call)
    printed = capsys.readouterr().out
    assert "scd_a_ed → scd_b_ed disc" in printed
    assert "with the bundled weights propagator-v" in printed
    assert "left out: fetal brain MR: no case" in printed
    assert "each change alone" in printed
    written = json.loads(file.read_text(encoding="utf-8"))
    assert "structures" not in written
    found = written["transfer"]
    assert found["pairs"] == [["scd_a_ed", "scd_b_ed"]]
    (structure,) = found["structures"]
    rows = transfer_methods.rows(ablation=True, all_pipelines=False)
    assert structure["one"].keys() == {row.key for row in rows}
    assert structure["three"].keys() == {row.key for row in rows if row.kind != "change"}
    assert all(0 <= part <= 1 for scores in structure["one"].values() for part in scores)
    assert found["means"]["one"]["pipeline"]["whole"] == structure["one"]["pipeline"][0]
    assert len(found["left_out"]) == len(SOURCES)  # all sources but one, and the dot


def test_progress_hears_of_every_row(two_hearts):
    pytest.importorskip("torch")
    rows = [transfer_methods.Row(key, key, "bare") for key in ("all", "none")]
    heard: list[str] = []
    pairs = make_pairs({"heart MR": two_hearts["heart MR"]}, 2, [])
    transfer_accuracy.measure(pairs, rows, _Answers(), ("one",), [], heard.append)
    assert heard == [f"{pair.title}: {row.title}" for pair in pairs for row in rows]
