"""The demo: what it runs on, and whole runs of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("rich")
pytest.importorskip("scipy")

import SimpleITK as sitk

from FewShotSegmentLib.demo import run
from FewShotSegmentLib.demo.__main__ import main
from FewShotSegmentLib.demo.score import score, slices_of
from FewShotSegmentLib.demo.sources import find_sources, outputs
from FewShotSegmentLib.images import read_annotation, read_volume
from FewShotSegmentLib.phantom import Phantom, make_phantom

SHAPE = (16, 48, 48)

# Stands in for the engine: the annotated slice is copied to its three neighbours on each side.
FAKE_COMMAND = """
import json, sys
from pathlib import Path
import numpy as np
from FewShotSegmentLib.images import read_annotation, read_volume, write_segmentation
from FewShotSegmentLib.images.output import Found

command, volume, annotation, o, output, m, modality, *flags = sys.argv[1:]
assert (command, o, m, flags) == ("propagate", "-o", "--modality", ["--json", "--force"]), sys.argv
if Path(volume).name.startswith("broken"):
    print("fewshotsegment: The volume is broken; mend it.", file=sys.stderr)
    sys.exit(int(Path(volume).name[6]))
geometry = read_volume(volume).geometry
found, told = [], []
for segment in read_annotation(annotation, geometry).segments:
    mask, result = segment.mask, segment.mask
    z = np.flatnonzero(mask.any((1, 2)))
    for n in range(max(z[0] - 3, 0), min(z[-1] + 4, len(mask))):
        result[n] |= mask[z[0]]
    found.append(Found(segment, result, (0, (int(z[0]),))))
    there = np.flatnonzero(result.any((1, 2)))
    told.append({"name": segment.name, "axis": 0, "anchors": [int(n) for n in z], "first_slice": int(there[0]),
        "last_slice": int(there[-1]), "slices_found": len(there), "voxels": int(result.sum()),
        "ml": float(result.sum() * geometry.voxel_ml), "slice_confidence": {"3": 0.5}, "seconds": 0.25})
write_segmentation(Path(output), found, geometry)
print("Carrying", file=sys.stderr)
print(json.dumps({"engine_version": "9.9", "device": "fake", "weights": {"name": "none", "sha256": ""},
    "modality": {"used": "ct", "source": "given"}, "output": output, "seconds": 1.5, "notes": [], "segments": told}))
"""


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(SHAPE, (18.75, 7.3, 7.3))


@pytest.fixture
def fake_engine(tmp_path, monkeypatch) -> Path:
    script = tmp_path / "fake_engine.py"
    script.write_text(FAKE_COMMAND)
    monkeypatch.setattr(run, "COMMAND", (sys.executable, str(script), "propagate"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return script


def save(array: np.ndarray, path: Path, spacing=(2.0, 1.0, 1.0)) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in reversed(spacing)])
    sitk.WriteImage(image, str(path))
    return path


def make_shared(folder: Path, phantom: Phantom) -> Path:
    """A shared folder with a CT of five organs (one is a crumb on a single slice) and a heart MR."""
    demo = folder / "data" / "demo"
    demo.mkdir(parents=True)
    labels = phantom.labels.copy()
    labels[labels == 6] = 0
    save(phantom.image, demo / "abdomen_ct_image.nii.gz", phantom.spacing)
    save(labels, demo / "abdomen_ct_labels.nii.gz", phantom.spacing)
    save(phantom.image, demo / "heart_mr_image.nii.gz", phantom.spacing)
    save((labels == 1).astype(np.uint8), demo / "heart_mr_labels.nii.gz", phantom.spacing)
    case = {"source": "a hospital", "licence": "CC0"}
    ct = {"case": "abdomen_ct", "modality": "CT", "labels": {str(k): n for k, n in phantom.names.items()}, **case}
    mr = {"case": "heart_mr", "modality": "MR", "labels": {"1": "LV cavity"}, **case}
    (demo / "cases.json").write_text(json.dumps([ct, mr]))
    return folder


class TestOrderOfInputs:
    def test_the_users_own_come_first(self, phantom, tmp_path):
        shared = make_shared(tmp_path / "shared", phantom)
        volume, annotation = save(phantom.image, tmp_path / "mine.nrrd"), save(phantom.labels, tmp_path / "seg.nii.gz")
        (source,) = find_sources(shared, str(volume), str(annotation), tmp_path)
        assert (source.name, source.volume, source.annotation) == ("mine", volume, annotation)
        assert source.modality == "auto"

    def test_then_the_shared_images(self, phantom, tmp_path):
        shared = make_shared(tmp_path / "shared", phantom)
        ct, mr = find_sources(shared, "", "", tmp_path)
        assert (ct.name, ct.modality) == ("abdomen_ct", "ct")
        assert (mr.name, mr.modality, mr.names) == ("heart_mr", "mr", {1: "LV cavity"})
        assert "hospital" in ct.said
        (shared / "data" / "demo" / "heart_mr_labels.nii.gz").unlink()
        assert [source.name for source in find_sources(shared, "", "", tmp_path)] == ["abdomen_ct"]

    def test_then_the_phantom_which_says_that_it_is_one(self, phantom, tmp_path):
        (source,) = find_sources(tmp_path / "nowhere", "", "", tmp_path, SHAPE)
        assert source.name == "phantom_ct"
        assert "GENERATED PHANTOM" in source.said
        assert "no patient's image" in source.said
        assert read_volume(source.volume).array.shape == SHAPE
        names = [segment.name for segment in read_annotation(source.annotation).segments]
        assert names == list(phantom.names.values())
        assert set(source.written) == {source.volume, source.annotation}

    @pytest.mark.parametrize("given", ["--volume", "--annotation"])
    def test_one_of_two_is_refused_in_a_sentence(self, given, tmp_path, capsys):
        assert main([given, "x.nii.gz", "-o", str(tmp_path / "demo")]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "VOLUME" in said
        assert "ANNOTATION" in said

    def test_missing_files_are_said_in_a_sentence(self, tmp_path, capsys):
        assert main(["--volume", "no.nii.gz", "--annotation", "no.nrrd", "-o", str(tmp_path / "demo")]) == 2
        assert "no.nii.gz" in capsys.readouterr().err

    def test_a_damaged_list_of_cases_is_said_in_a_sentence(self, phantom, tmp_path, capsys):
        shared = make_shared(tmp_path / "shared", phantom)
        (shared / "data" / "demo" / "cases.json").write_text("[{]")
        assert main(["--shared", str(shared), "-o", str(tmp_path / "demo")]) == 2
        assert "cases.json" in capsys.readouterr().err

    def test_files_of_the_user_in_the_demo_folder_are_not_replaced(self, phantom, tmp_path):
        volume = save(phantom.image, tmp_path / "mine.nrrd")
        annotation = save(phantom.labels, tmp_path / "mine.seg.nrrd")
        (source,) = find_sources(tmp_path, str(volume), str(annotation), tmp_path)
        assert source.name == "mine_demo"
        assert not {volume, annotation} & set(outputs(source.name, tmp_path))


class TestWholeRunWithStandIn:
    def test_shared_images(self, phantom, tmp_path, fake_engine, capfd):
        shared = make_shared(tmp_path / "shared", phantom)
        before = {p: p.read_bytes() for p in shared.rglob("*") if p.is_file()}
        out = tmp_path / "demo"
        assert main(["--shared", str(shared), "-o", str(out)]) == 0
        said, progress = capfd.readouterr()
        expected = [
            f"{case}{part}"
            for case in ("abdomen_ct", "heart_mr")
            for part in ("_annotation.seg.nrrd", ".seg.nrrd", "_overlay.png")
        ]
        assert sorted(p.name for p in out.iterdir()) == sorted(expected)
        listed = said.partition("Files written:")[2]
        assert all(name in listed for name in expected)
        for text in ("liver", "spleen", "right kidney", "left kidney", "stomach", "LV cavity", "mean", "Dice"):
            assert text in said
        assert "aorta" not in said
        assert progress.count("Carrying") == 2, "the command's progress is let through"
        assert {p: p.read_bytes() for p in shared.rglob("*") if p.is_file()} == before

        given = read_annotation(out / "abdomen_ct_annotation.seg.nrrd").segments
        assert [segment.name for segment in given] == list(phantom.names.values())[:5]
        assert all(len(slices_of(segment.mask, 0)) == 1 for segment in given)
        result = read_annotation(out / "abdomen_ct.seg.nrrd").segments
        assert len({segment.color for segment in result}) == len(result) == 5

    def test_the_table_shows_the_dice_of_the_files(self, phantom, tmp_path, fake_engine, capfd):
        shared = make_shared(tmp_path / "shared", phantom)
        out = tmp_path / "demo"
        assert main(["--shared", str(shared), "-o", str(out), "--organs", ""]) == 0
        said = capfd.readouterr().out
        for segment in read_annotation(out / "abdomen_ct.seg.nrrd").segments:
            label = {n: k for k, n in phantom.names.items()}[segment.name]
            reference = phantom.labels == label
            z = slices_of(reference, 0)
            middle = z[len(z) // 2]
            expected = score(segment.mask, reference, 0, [middle])
            line = next(line for line in said.splitlines() if line.strip().startswith(segment.name))
            assert f"{expected.whole:.3f}" in line
            assert f"{expected.own:.3f}" in line
            held = slices_of(segment.mask, 0)
            assert f"{held[0]}–{held[-1]} ({len(held)})" in line

    def test_ones_own_single_slice_has_no_dice_and_runs_as_it_is(self, phantom, tmp_path, fake_engine, capfd):
        mask = (phantom.labels == 1).astype(np.uint8)
        mask[[z for z in range(SHAPE[0]) if z != 9]] = 0
        volume, annotation = save(phantom.image, tmp_path / "mine.nii.gz"), save(mask, tmp_path / "slice.nii.gz")
        out = tmp_path / "demo"
        assert main(["--volume", str(volume), "--annotation", str(annotation), "-o", str(out)]) == 0
        said = capfd.readouterr().out
        assert "no reference" in said
        assert "mean" not in said
        assert sorted(p.name for p in out.iterdir()) == ["mine.seg.nrrd", "mine_overlay.png"]

    def test_ones_own_whole_segments_are_taken_as_reference(self, phantom, tmp_path, fake_engine, capfd):
        volume, annotation = (
            save(phantom.image, tmp_path / "mine.nii.gz"),
            save(phantom.labels, tmp_path / "all.nii.gz"),
        )
        out = tmp_path / "demo"
        assert main(["--volume", str(volume), "--annotation", str(annotation), "-o", str(out)]) == 0
        assert "mean" in capfd.readouterr().out
        given = read_annotation(out / "mine_annotation.seg.nrrd").segments
        assert len(given) == 6
        assert all(len(slices_of(segment.mask, 0)) == 1 for segment in given)

    @pytest.mark.parametrize(("code", "expected"), [(2, 2), (1, 1), (9, 1)])
    def test_a_failed_case_fails_the_demo_in_a_sentence(self, code, expected, phantom, tmp_path, fake_engine, capfd):
        volume = save(phantom.image, tmp_path / f"broken{code}.nrrd")
        annotation = save(phantom.labels, tmp_path / "all.nii.gz")
        out = tmp_path / "demo"
        assert main(["--volume", str(volume), "--annotation", str(annotation), "-o", str(out)]) == expected
        said, errors = capfd.readouterr()
        assert "The volume is broken; mend it." in errors
        assert "The demo stopped" in errors
        assert "Traceback" not in errors
        assert "Files written" not in said

    def test_an_unknown_organ_is_said_in_a_sentence(self, phantom, tmp_path, fake_engine, capfd):
        shared = make_shared(tmp_path / "shared", phantom)
        assert main(["--shared", str(shared), "-o", str(tmp_path / "demo"), "--organs", "brain"]) == 2
        assert "brain" in capfd.readouterr().err


def test_end_to_end_on_a_small_phantom(tmp_path):
    """The real command with the real weights, as `make demo` calls it."""
    out = tmp_path / "demo"
    done = subprocess.run(
        [
            sys.executable, "-m", "FewShotSegmentLib.demo", "--shared", str(tmp_path / "nowhere"), "--volume", "",
            "--annotation", "", "-o", str(out), "--phantom-shape", "8", "64", "64", "--organs", "left kidney,spleen",
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "GENERATED PHANTOM, no patient's image" in done.stdout
    expected = {"_volume.nrrd", "_reference.seg.nrrd", "_annotation.seg.nrrd", ".seg.nrrd", "_overlay.png"}
    assert {p.name for p in out.iterdir()} == {f"phantom_ct{part}" for part in expected}
    listed = done.stdout.partition("Files written:")[2]
    assert all(f"phantom_ct{part}" in listed for part in expected)
    for text in ("spleen", "left kidney", "Dice", "mean"):
        assert text in done.stdout

    geometry = read_volume(out / "phantom_ct_volume.nrrd").geometry
    given = read_annotation(out / "phantom_ct_annotation.seg.nrrd", geometry).segments
    result = read_annotation(out / "phantom_ct.seg.nrrd", geometry).segments
    assert [segment.name for segment in result] == ["spleen", "left kidney"]
    for one, found in zip(given, result, strict=True):
        (z,) = slices_of(one.mask, 0)
        assert np.array_equal(found.mask[z], one.mask[z]), "the annotated slice is kept as it is"
        assert len(slices_of(found.mask, 0)) > 1
