"""Which slices the user has drawn, edited or removed; kept with the segment."""

from __future__ import annotations

import headless_slicer as headless
import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import anchors, provenance, segments
from FewShotSegmentModule.scene.anchors import CORRECTED, HAND, KEPT
from FewShotSegmentModule.scene.commit import LogicEditor, accept
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import OBLIQUE, PLAIN, add, draw, ellipsoid, segmentation, volume

TALL = (60, 30, 36)
ORGAN = ellipsoid(TALL, (30, 14, 17), (22, 8, 10))
LAST = int(np.flatnonzero(ORGAN.any(axis=(1, 2)))[-1])


class Case:
    """A segment that was drawn on one slice, and may be propagated and edited."""

    def __init__(self, matrix=PLAIN, axis=0):
        self.axis = axis
        self.organ = np.ascontiguousarray(np.moveaxis(ORGAN, 0, axis))
        self.volume = volume(matrix, self.organ.shape)
        self.node = segmentation(self.volume, {"Liver": self.only(30)})
        self.editor = LogicEditor(self.node, self.volume)

    def only(self, *slices):
        mask = np.zeros_like(self.organ)
        for index in slices:
            np.moveaxis(mask, self.axis, 0)[index] = np.moveaxis(self.organ, self.axis, 0)[index]
        return mask

    def accept(self, kinds=None, mask=None):
        mask = self.organ if mask is None else mask
        accept(self.editor, self.node, {"Liver": (mask, (0, 0, 0))}, self.volume)
        return anchors.recordAccepted(self.node, "Liver", self.volume, self.axis, kinds or {30: HAND})

    def edit(self, *slices, erase=False):
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(self.node, "Liver", self.volume).astype(np.uint8)
        for index in slices:
            picture = np.moveaxis(mask, self.axis, 0)[index]
            picture[:] = 0 if erase else np.roll(picture, 2, axis=0)
            if not erase:
                picture[3, 3:6] = 1
        draw(self.node, self.volume, "Liver", mask)

    def table(self):
        return anchors.anchorsOf(self.node, "Liver", self.volume)

    def edited(self):
        return anchors.editedSlices(self.node, "Liver", self.volume)

    def run(self, **options):
        return anchors.anchorsForRun(self.node, "Liver", self.volume, **options)


@pytest.fixture(params=[0, 1, 2])
def case(scene, request):
    return Case(OBLIQUE, request.param)


@pytest.fixture
def plain(scene):
    return Case()


def test_before_a_run_what_is_drawn_are_the_anchors(case):
    table = case.table()
    assert (table.axis, table.length, table.entries, table.accepted) == (case.axis, 60, {30: HAND}, None)
    run = case.run()
    assert (run.slices, run.axis, run.around, run.kinds) == ((30,), case.axis, None, {30: HAND})
    assert np.array_equal(run.masks[0], ORGAN[30])
    assert case.edited() == ()
    draw(case.node, case.volume, "Liver", case.only(20, 40))  # an erased slice is simply not annotated
    assert case.run().slices == (20, 40)
    assert not anchors.hasTable(case.node, "Liver", case.volume)


def test_after_it_only_edits_are_new_anchors(case):
    case.accept()
    assert case.table().entries == {30: HAND}
    assert case.edited() == ()
    with pytest.raises(SceneError, match="Nothing of Liver was edited"):
        case.run(correct=True)
    case.edit(25, 38)
    assert case.edited() == (25, 38)
    run = case.run(correct=True)
    assert (run.slices, run.around) == ((25, 30, 38), (25, 38))
    assert run.kinds == {25: CORRECTED, 30: HAND, 38: CORRECTED}
    now = slicer.util.arrayFromSegmentBinaryLabelmap(case.node, "Liver", case.volume)
    assert np.array_equal(run.masks, np.moveaxis(now, case.axis, 0)[[25, 30, 38]])
    assert case.run().around is None  # a full run takes the same anchors
    assert case.run().slices == (25, 30, 38)


def test_a_drawn_slice_that_is_edited_is_corrected(plain):
    plain.accept()
    plain.edit(30)
    assert plain.run(correct=True).kinds == {30: CORRECTED}


def test_corrections_are_kept_in_the_next_round(plain):
    plain.accept()
    plain.edit(25)
    run = plain.run(correct=True)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(plain.node, "Liver", plain.volume)
    table = plain.accept(run.kinds, mask)
    assert table.entries == {25: CORRECTED, 30: HAND}
    assert plain.edited() == ()
    plain.edit(40)
    assert plain.run(correct=True).kinds == {25: CORRECTED, 30: HAND, 40: CORRECTED}
    assert plain.run(correct=True).around == (40,)


def test_an_erased_slice_says_that_the_structure_is_not_there(plain):
    plain.accept()
    plain.edit(20, *range(LAST - 3, LAST + 1), erase=True)
    # within the structure, and the first beyond its new end; further out there is nothing to say
    run = plain.run(correct=True)
    assert run.around == (20, LAST - 3)
    assert not run.masks[run.slices.index(20)].any()
    assert not run.masks[run.slices.index(LAST - 3)].any()


def test_erasing_all_is_no_correction(plain):
    plain.accept()
    draw(plain.node, plain.volume, "Liver", np.zeros(TALL))
    assert plain.edited() == ()
    with pytest.raises(SceneError, match="not drawn yet"):
        plain.run()


def test_a_removed_anchor_counts_as_computed(plain):
    plain.accept({20: HAND, 30: HAND})
    anchors.removeAnchor(plain.node, "Liver", plain.volume, 20)
    assert plain.table().entries == {30: HAND}
    run = plain.run(correct=True)
    assert (run.slices, run.around) == ((30,), (20,))
    plain.accept(run.kinds)
    assert plain.table().removed == set()


def test_a_removed_correction_is_none_any_more(plain):
    plain.accept()
    plain.edit(25)
    anchors.removeAnchor(plain.node, "Liver", plain.volume, 25)
    assert plain.edited() == ()
    assert plain.run(correct=True).around == (25,)
    plain.edit(25)  # edited once more
    assert plain.run(correct=True).kinds == {25: CORRECTED, 30: HAND}


def test_before_a_run_no_anchor_can_be_removed(plain):
    with pytest.raises(SceneError, match="erase the slice instead"):
        anchors.removeAnchor(plain.node, "Liver", plain.volume, 30)


def test_without_anchor_there_is_no_run(plain):
    plain.accept()
    anchors.removeAnchor(plain.node, "Liver", plain.volume, 30)
    with pytest.raises(SceneError, match="has no anchor"):
        plain.run()


def test_correcting_needs_something_accepted(plain):
    with pytest.raises(SceneError, match="was not propagated yet"):
        plain.run(correct=True)


def test_drawn_anew_elsewhere_the_old_anchors_are_gone(plain):
    plain.accept({25: CORRECTED, 30: HAND})
    draw(plain.node, plain.volume, "Liver", plain.only(45))
    assert plain.run().kinds == {45: HAND}  # as it was accepted there
    draw(plain.node, plain.volume, "Liver", np.roll(plain.only(45), 1, axis=2))
    assert plain.run().kinds == {45: CORRECTED}
    assert plain.run().masks.any(axis=(1, 2)).all()


def test_a_part_erased_with_the_only_anchor_does_not_take_the_rest_along(plain):
    plain.accept()
    plain.edit(*range(28, LAST + 1), erase=True)
    run = plain.run(correct=True)
    assert run.kinds == {17: KEPT, 28: CORRECTED, 39: KEPT}
    assert run.masks.any(axis=(1, 2)).tolist() == [True, False, False]


def test_that_it_is_not_there_is_remembered(plain):
    shorter = ORGAN.copy()
    shorter[LAST - 3 :] = 0
    plain.accept({30: HAND, LAST: CORRECTED}, shorter)  # the user had erased the last slice
    plain.edit(25)
    run = plain.run(correct=True)
    assert run.kinds == {25: CORRECTED, 30: HAND, LAST: CORRECTED}
    assert not run.masks[-1].any()


def test_the_axis_of_what_was_accepted_stays(scene):
    from FewShotSegmentModule.scene import annotation

    case = Case(axis=1)
    case.accept()
    found = annotation.describe(case.node, "Liver", case.volume)
    assert (found.axis, found.problem, case.table().axis) == (1, "", 1)
    assert annotation.describe(case.node, "Liver", case.volume, axis=0).axis == 0


def test_undo_takes_the_anchors_along(plain):
    plain.accept()
    plain.edit(25)
    run = plain.run(correct=True)
    plain.accept(run.kinds, np.roll(ORGAN, 1, axis=1))
    provenance.record(plain.node, "Liver", engineVersion="1", weights={}, axis=0, anchors=run.kinds)
    plain.editor.undo()
    assert plain.table().entries == {30: HAND}
    assert plain.edited() == (25,)
    assert provenance.read(plain.node, "Liver") is None
    plain.editor.redo()
    assert plain.table().entries == {25: CORRECTED, 30: HAND}
    assert plain.edited() == ()


@pytest.mark.parametrize("shared", [False, True])
def test_an_edit_of_another_segment_is_none_of_this(plain, shared):
    add(plain.node, plain.volume, "Spleen", np.roll(ORGAN, 16, axis=2))
    if shared:
        plain.node.GetSegmentation().CollapseBinaryLabelmaps(False)
    plain.accept()
    draw(plain.node, plain.volume, "Spleen", np.roll(ORGAN, 5, axis=0) & (1 - ORGAN))
    assert plain.edited() == ()


# --- a segmentation from disk ---


def adopted(case, reach=anchors.REACH, **edits):
    draw(case.node, case.volume, "Liver", case.organ)
    assert anchors.looksLoaded(case.node, "Liver", case.volume)
    table = anchors.adopt(case.node, "Liver", case.volume)
    assert (table.entries, table.adopted) == ({}, True)
    assert case.edited() == ()


def test_of_a_loaded_segment_only_the_neighborhood_of_an_edit_is_redone(plain):
    adopted(plain)
    plain.edit(30)
    run = plain.run(correct=True)
    assert run.kinds == {19: KEPT, 30: CORRECTED, 41: KEPT}
    assert run.around == (30,)
    assert np.array_equal(run.masks[0], ORGAN[19])
    table = plain.accept(run.kinds, plain.organ)
    assert (table.entries, table.adopted) == ({30: CORRECTED}, True)
    plain.edit(45)  # later ones too, up to the anchor that there is
    assert plain.run(correct=True).kinds == {30: CORRECTED, 34: KEPT, 45: CORRECTED, 56: KEPT}
    plain.edit(38)
    assert plain.run(correct=True).kinds == {30: CORRECTED, 38: CORRECTED, 45: CORRECTED, 56: KEPT}


def test_near_the_volumes_end_there_is_no_bound(plain):
    adopted(plain)
    plain.edit(8, 53)
    run = plain.run(correct=True)
    assert run.kinds == {8: CORRECTED, 19: KEPT, 42: KEPT, 53: CORRECTED}


def test_a_few_drawn_slices_do_not_look_loaded(plain):
    assert not anchors.looksLoaded(plain.node, "Liver", plain.volume)
    adopted(plain)
    assert not anchors.looksLoaded(plain.node, "Liver", plain.volume)


def test_nothing_cannot_be_adopted(plain):
    draw(plain.node, plain.volume, "Liver", np.zeros(TALL))
    with pytest.raises(SceneError, match="not drawn yet"):
        anchors.adopt(plain.node, "Liver", plain.volume)


# --- fingerprints and files ---


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fingerprints_know_shape_and_place_and_not_the_box(axis):
    def of(mask, origin=(0, 0, 0)):
        return anchors.fingerprints(segments.Mask(np.ascontiguousarray(mask), origin), axis)

    whole = of(ORGAN)
    occupied = np.flatnonzero(ORGAN.any(axis=tuple(b for b in range(3) if b != axis)))
    assert sorted(whole) == list(occupied)
    box = segments.trim(ORGAN.view(bool))
    assert of(box[0].view(np.uint8), box[1]) == whole
    for other in (b for b in range(3) if b != axis):
        for shift in (1, 8, -1):
            moved = of(np.roll(ORGAN, shift, other))
            assert all(moved[i] != whole[i] for i in occupied)
    changed = ORGAN.copy()
    np.moveaxis(changed, axis, 0)[occupied[3], 14, 17] ^= 1
    assert {i for i in occupied if of(changed)[i] != whole[i]} == {occupied[3]}


@pytest.mark.parametrize("kind", ["seg.nrrd", "mrb"])
def test_anchors_and_provenance_are_saved(plain, tmp_path, kind):
    plain.accept({20: CORRECTED, 30: HAND})
    plain.edit(25)
    anchors.removeAnchor(plain.node, "Liver", plain.volume, 20)
    before, edited = plain.table(), plain.edited()
    entry = provenance.record(
        plain.node,
        "Liver",
        engineVersion="1.2",
        weights={"name": "propagator|v1", "sha256": "ab" * 32, "path": "not kept"},
        axis=0,
        anchors=before.entries,
        settings={"modality": "ct", "range": [3, 50], "note": "Läsion; a|b:c&d"},
        device="cpu",
    )
    assert entry["weights"] == {"name": "propagator|v1", "sha256": "ab" * 32}
    if kind == "seg.nrrd":
        node, volumeNode = headless.load_segmentation(headless.save(plain.node, tmp_path / "a.seg.nrrd")), plain.volume
    else:
        node, volumeNode = reopen(tmp_path / "scene.mrb", plain)
        assert "propagator" in node.GetAttribute(provenance.TAG)
    segmentId = node.GetSegmentation().GetNthSegmentID(0)
    assert anchors.anchorsOf(node, segmentId, volumeNode) == before
    assert anchors.editedSlices(node, segmentId, volumeNode) == edited == (25,)
    assert provenance.read(node, segmentId) == entry
    assert provenance.readAll(node) == {segmentId: entry}


def reopen(path, case):
    """Save the scene as .mrb, close it, open it."""
    scene = slicer.mrmlScene
    for node in (case.volume, case.node):
        node.AddDefaultStorageNode()
    # what slicer-core has no application for: a place to unpack to
    remote, data = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    remote.SetMRMLScene(scene)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(path.parent / "cache"))
    (path.parent / "cache").mkdir(exist_ok=True)
    data.SetMRMLScene(scene)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    try:
        assert scene.WriteToMRB(str(path), None)
        scene.Clear(False)
        assert scene.ReadFromMRB(str(path), False)
    finally:
        remote.RemoveDataIOFromScene()
    return (
        scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"),
        scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"),
    )


def test_a_table_of_another_volume_is_not_used(plain):
    plain.accept()
    other = volume(PLAIN, (50, 30, 36))
    table = anchors.anchorsOf(plain.node, "Liver", other)
    assert "another size" in table.note
    assert table.accepted is None
    assert not anchors.hasTable(plain.node, "Liver", other)
    assert anchors.anchorsOf(plain.node, "Liver", plain.volume).note == ""


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"axis":0}', '{"axis":7,"length":9}'])
def test_a_damaged_tag_is_as_none(plain, text):
    plain.node.GetSegmentation().GetSegment("Liver").SetTag(anchors.TAG, text)
    assert plain.table().entries == {30: HAND}
    assert plain.run().slices == (30,)
    assert provenance.read(plain.node, "Liver") is None


def test_forgetting_makes_all_drawn(plain):
    plain.accept()
    anchors.forget(plain.node, "Liver")
    assert len(plain.table().slices) > 40
