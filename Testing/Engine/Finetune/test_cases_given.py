"""Annotated volumes from arrays and files: what is used of them, and what is refused."""

import numpy as np
import pytest
from finetune_cases import SMALL, SPACING, files, organ_with_slices, quick, request
from small_cases import make_organ, write

from FewShotSegmentLib import GeometryError, InputError
from FewShotSegmentLib.finetune import AnnotatedFiles, FinetuneRequest, FinetuneSettings, annotate


def run(*cases):
    return FinetuneRequest(cases, quick(), "cpu", engine_settings=SMALL).run()


def test_many_slices_are_thinned_evenly_and_that_is_said():
    organ = make_organ()
    masks = {i: organ.mask[i] for i in range(3, 12)}
    volume, notes = annotate(organ.image, {"organ": masks}, modality="ct", settings=SMALL, most_slices=4)
    assert volume.filled("organ") == [3, 6, 8, 11]
    assert notes == ["organ is annotated on 9 slices; 4 of them, evenly spaced, are used."]


def test_a_complete_drawing_says_where_the_structure_is_absent():
    inside = organ_with_slices(4, 5, 6, 7, complete=True)
    assert inside.annotated == [1, 3, 4, 5, 6, 7, 8, 10]
    assert inside.filled("organ") == [4, 5, 6, 7]
    assert organ_with_slices(4, 5, 6, 7).annotated == [4, 5, 6, 7]
    assert organ_with_slices(2, 3, 11, complete=True).annotated == [1, 2, 3, 11, 12]


def test_a_guessed_modality_is_said():
    organ = make_organ()
    volume, notes = annotate(organ.image - 100, {"o": {6: organ.mask[6]}}, settings=SMALL)
    assert volume.modality == "ct" and "look like CT" in notes[0]


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ({}, "No structure is annotated on the volume"),
        ({"organ": {}}, "annotation of organ is empty"),
        ({"organ": {3: np.zeros((48, 56), bool)}}, "annotation of organ is empty"),
        ({"organ": {99: np.ones((48, 56), bool)}}, "slice 99 of organ does not lie within"),
        ({"organ": {3: np.ones((4, 4), bool)}}, "mask on slice 3 of organ is"),
    ],
)
def test_arrays_that_cannot_be_used(segments, words):
    with pytest.raises(InputError, match=words):
        annotate(make_organ().image, segments, modality="ct", settings=SMALL)


def test_files_are_read_with_each_axis_for_itself(tmp_path):
    organ = make_organ()
    labels = np.zeros(organ.mask.shape, np.uint8)
    labels[[5, 8]] = organ.mask[[5, 8]]
    other = np.zeros(organ.mask.shape, bool)
    other[:, 20] = organ.mask[:, 20]
    labels[other & (labels == 0)] = 2
    case = AnnotatedFiles(write(tmp_path / "v.nrrd", organ.image), write(tmp_path / "a.nrrd", labels), modality="ct")
    volumes, _ = case.load(SMALL, 12)
    assert [(v.axis, list(v.anchors), v.name) for v in volumes] == [
        (0, ["Segment_1"], "v.nrrd"),
        (1, ["Segment_2"], "v.nrrd"),
    ]
    assert volumes[0].annotated == [5, 8] and volumes[1].annotated == [20]


def test_files_that_cannot_be_used(tmp_path):
    volume, annotation = files(tmp_path, 5, 8)
    with pytest.raises(InputError, match="no file or folder .*none"):
        run(AnnotatedFiles(volume, annotation), AnnotatedFiles(volume, tmp_path / "none.nrrd"))
    one = files(tmp_path, 6, name="one")
    with pytest.raises(InputError, match="too little to learn from"):
        run(AnnotatedFiles(*one, modality="ct"))
    empty = files(tmp_path, name="empty")
    with pytest.raises(InputError, match="is empty; draw the structure"):
        run(AnnotatedFiles(*empty))
    moved = write(tmp_path / "moved.nrrd", np.ones((14, 48, 56), np.uint8), origin=(0.3, 0.0, 0.0))
    with pytest.raises(GeometryError):
        run(AnnotatedFiles(volume, moved))
    with pytest.raises(InputError, match="no segment “liver”"):
        run(AnnotatedFiles(volume, annotation, ["liver"]))
    with pytest.raises(InputError, match="at least one"):
        run()


def test_a_missing_file_is_said_before_any_is_read(tmp_path, monkeypatch):
    volume, annotation = files(tmp_path, 5, 8)
    monkeypatch.setattr("FewShotSegmentLib.finetune.request.read_volume", lambda *_: pytest.fail("was read"))
    with pytest.raises(InputError, match="no file or folder"):
        run(AnnotatedFiles(volume, annotation), AnnotatedFiles(tmp_path / "none.nrrd", annotation))


def test_arrays_and_files_give_the_same(tmp_path):
    volume, annotation = files(tmp_path, 4, 7, 10)
    given = FinetuneRequest([AnnotatedFiles(volume, annotation, modality="ct")], quick(), "cpu", engine_settings=SMALL)
    from_files, from_arrays = given.run(), request(4, 7, 10).run()
    assert [(s.index, s.before, s.after) for s in from_files.scores] == [
        (s.index, s.before, s.after) for s in from_arrays.scores
    ]
    assert SPACING == (3.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "values",
    [{"minutes": 0}, {"steps": 0}, {"learning_rate": 0}, {"learning_rate": 2}, {"most_slices": 1}, {"rehearsal": 1}],
)
def test_settings_out_of_range(values):
    with pytest.raises(InputError):
        FinetuneSettings(**values)
