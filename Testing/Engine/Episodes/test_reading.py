"""From files to volumes with superpixels."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from small_cases import make_organ, write

from FewShotSegmentLib import Cancelled, InputError, Settings
from FewShotSegmentLib.episodes import published_episode, read_training_volumes, volumes, volumetric_episode
from FewShotSegmentLib.episodes.load import to_grid
from FewShotSegmentLib.preprocessing import normalise

SETTINGS = Settings(long_side=64)


def halves(image, spacing, modality, axis):
    """A stand-in for superpixels: the bright part and the rest."""
    return (np.asarray(image) > 60).astype(np.int32) + 1


def nothing(image, spacing, modality, axis):
    return np.zeros(image.shape, np.int32)


def read(*given, **more):
    return read_training_volumes(given, SETTINGS, **{"make": halves, **more})


@pytest.fixture
def folder(tmp_path):
    ct = make_organ().image
    mr = (ct.clip(0) + 5).astype(np.int16)
    for name in ("a", "b"):
        write(tmp_path / f"{name}_image.nii.gz", ct)
    write(tmp_path / "c_image.nii.gz", mr)
    write(tmp_path / "a_labels.nii.gz", (ct > 60).astype(np.uint8))
    write(tmp_path / "drawn.seg.nrrd", (ct > 60).astype(np.uint8))
    cases = [{"case": "a", "modality": "CT"}, {"case": "b", "modality": "CT"}, {"case": "c", "modality": "MR"}]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    return tmp_path


def test_folder_without_labels_and_segmentations(folder):
    data = read(folder)
    assert [(v.name, v.modality) for v in data.volumes] == [("a", "ct"), ("b", "ct"), ("c", "mr")]
    volume = data.volumes[0]
    assert volume.slices.shape == volume.superpixels.shape == (14, 48, 64)
    assert volume.slices.dtype == torch.float32 and volume.superpixels.dtype == torch.int32
    assert volume.spacing == pytest.approx((3.0, 48 / 48, 56 / 64))


def test_slices_are_those_that_the_engine_sees(folder):
    volume = read(folder / "a_image.nii.gz").volumes[0]
    same = normalise(make_organ().image, (1.0, 1.0), "ct", SETTINGS).slices
    assert torch.equal(volume.slices, same)


def test_superpixels_lie_on_the_same_grid(folder):
    volume = read(folder / "a_image.nii.gz").volumes[0]
    bright = volume.slices[7][volume.superpixels[7] == 2].mean()
    assert bright > volume.slices[7][volume.superpixels[7] == 1].mean() + 1


def test_mixed_modalities_are_said_and_kept_apart(folder):
    data = read(folder)
    assert any("2 CT and 1 MR" in note for note in data.notes)
    assert {m: len(vs) for m, vs in data.by_modality.items()} == {"ct": 2, "mr": 1}
    assert not read(folder / "a_image.nii.gz", folder / "b_image.nii.gz").notes


def test_modality_given_beats_what_is_listed(folder):
    assert {v.modality for v in read(folder, modality="MR").volumes} == {"mr"}
    with pytest.raises(InputError, match="modality"):
        read(folder, modality="pet")


def test_modality_is_guessed_and_said_without_a_list(folder):
    (folder / "cases.json").unlink()
    data = read(folder)
    assert [v.modality for v in data.volumes] == ["mr"] * 3  # no air below -150 in this phantom
    assert sum("look like MR" in note for note in data.notes) == 3


def test_a_damaged_list_is_said(folder):
    (folder / "cases.json").write_text("{")
    assert sum("cases.json cannot be read" in note for note in read(folder).notes) == 1


def test_folder_without_images(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match="no image in the folder"):
        read(tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        read(tmp_path / "missing")
    with pytest.raises(InputError, match="nothing to learn from"):
        read()


def test_too_few_slices_and_damaged_files_are_left_out_and_said(folder):
    write(folder / "few_image.nii.gz", make_organ().image[:2])
    (folder / "cut_image.nii.gz").write_bytes((folder / "a_image.nii.gz").read_bytes()[:500])
    data = read(folder)
    assert [v.name for v in data.volumes] == ["a", "b", "c"]
    assert any("few is left out: it has 2 slices, and 3 are needed" in note for note in data.notes)
    assert any("cut is left out" in note for note in data.notes)


def test_nothing_left_is_an_error_with_the_reason(folder):
    with pytest.raises(InputError, match="None of the 3 images.*14 slices, and 20 are needed"):
        read(folder, min_slices=20)
    with pytest.raises(InputError, match="no superpixel was found"):
        read(folder / "a_image.nii.gz", make=nothing)


def test_a_file_given_twice_is_read_once(folder):
    assert len(read(folder, folder / "a_image.nii.gz").volumes) == 3


def test_slices_lie_across_the_thickest_axis(tmp_path):
    image = make_organ((48, 14, 56)).image
    write(tmp_path / "cor.nii.gz", image, spacing=(1.0, 4.0, 1.0))
    volume = read(tmp_path / "cor.nii.gz", modality="ct").volumes[0]
    assert volume.slices.shape == (14, 48, 64) and volume.spacing[0] == pytest.approx(4)


def test_progress_and_cancel(folder, monkeypatch):
    told = []
    read(folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    # threads for processes: seconds of imports say nothing about cancelling
    monkeypatch.setattr(volumes, "ProcessPoolExecutor", lambda jobs, *_: ThreadPoolExecutor(jobs))
    for jobs in (1, 2):
        told.clear()
        with pytest.raises(Cancelled):
            read(folder, progress=lambda *done: told.append(done), cancelled=lambda: bool(told), jobs=jobs)
        assert told
    with pytest.raises(InputError, match="jobs"):
        read(folder, jobs=0)


def test_own_superpixels_and_processes_give_the_same(folder, tmp_path):
    pytest.importorskip("skimage")
    superpixels = pytest.importorskip("FewShotSegmentLib.superpixels")
    settings = superpixels.SuperpixelSettings(min_size=40)
    cache = tmp_path / "cache"
    one = read_training_volumes([folder], SETTINGS, settings, cache=cache)
    two = read_training_volumes([folder], SETTINGS, settings, cache=cache, jobs=2)
    plain = read_training_volumes([folder], SETTINGS, settings)
    assert any(cache.iterdir())
    for other in (two, plain):
        assert [v.name for v in other.volumes] == [v.name for v in one.volumes]
        for a, b in zip(one.volumes, other.volumes, strict=True):
            assert torch.equal(a.slices, b.slices) and torch.equal(a.superpixels, b.superpixels)
            assert a.spacing == b.spacing and a.modality == b.modality


def test_supervoxels_are_marked_as_such(folder):
    pytest.importorskip("skimage")
    superpixels = pytest.importorskip("FewShotSegmentLib.superpixels")
    settings = superpixels.SuperpixelSettings(dimensions=3, min_size=200)
    volume = read_training_volumes([folder / "a_image.nii.gz"], SETTINGS, settings).volumes[0]
    assert volume.dimensions == 3
    assert volumetric_episode(volume, np.random.default_rng(0)).support_masks.any()


def test_numbers_that_vanish_leave_no_gap():
    labels = np.zeros((2, 8, 8), np.int32)
    labels[0, :, :4], labels[0, 0, 5], labels[0, :, 6:] = 1, 2, 3
    labels[1, :, :4] = 3
    flat, solid = to_grid(labels, (4, 4), 2), to_grid(labels, (4, 4), 3)
    assert flat.dtype == np.int32 and flat.shape == (2, 4, 4)
    assert np.unique(flat[0]).tolist() == [0, 1, 2] and np.unique(flat[1]).tolist() == [0, 1]
    assert np.unique(solid[0]).tolist() == [0, 1, 2] and np.unique(solid[1]).tolist() == [0, 2]


def test_real_images(shared):
    folder = shared / "data" / "pretrain"
    files = [folder / "scd_schfi01_ed_image.nii.gz", folder / "prostate_mr_x00_image.nii.gz"]
    if not all(file.is_file() for file in files):
        pytest.skip("these images are not here")
    data = read(*files, make=halves)
    assert [v.modality for v in data.volumes] == ["mr", "mr"] and not data.notes
    for volume in data.volumes:
        assert published_episode(volume, 0, np.random.default_rng(0)).query_masks.any()
