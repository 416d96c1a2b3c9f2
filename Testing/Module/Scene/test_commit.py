"""Accepting a result: one undo step, the Segment Editor's own rules, nothing else changed."""

from __future__ import annotations

from types import SimpleNamespace

import headless_slicer as headless
import numpy as np
import pytest
import slicer
from FewShotSegmentModule.scene import segments
from FewShotSegmentModule.scene.commit import LogicEditor, WidgetEditor, accept
from FewShotSegmentModule.scene.errors import SceneError
from scene_cases import OBLIQUE, PLAIN, SHAPE, add, draw, rotation, segmentation, volume, whole

Node = slicer.vtkMRMLSegmentEditorNode
Rules = slicer.vtkMRMLSegmentationNode


def block(*bounds) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[tuple(slice(*b) for b in bounds)] = 1
    return mask


LIVER, SPLEEN, HIDDEN = (
    block((2, 5), (5, 15), (5, 15)),
    block((6, 10), (5, 15), (12, 22)),
    block((6, 8), (20, 28), (3, 30)),
)
RESULT = block((1, 10), (5, 22), (5, 20))  # overlaps the other two


@pytest.fixture(params=[False, True], ids=["layers", "shared"])
def case(scene, request):
    """Three segments, the last one hidden; their labelmaps in layers of their own, or shared."""
    volumeNode = volume(OBLIQUE)
    node = segmentation(volumeNode, {"Liver": LIVER, "Spleen": SPLEEN, "Hidden": HIDDEN})
    if request.param:
        node.GetSegmentation().CollapseBinaryLabelmaps(False)
        assert node.GetSegmentation().GetNumberOfLayers() == 1
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSegmentVisibility("Hidden", False)
    return SimpleNamespace(volume=volumeNode, node=node, editor=LogicEditor(node, volumeNode))


def read(case, name):
    return whole(segments.readMask(case.node, name, case.volume))


def check(case, **expected):
    for name, mask in {"Liver": LIVER, "Spleen": SPLEEN, "Hidden": HIDDEN, **expected}.items():
        assert np.array_equal(read(case, name), mask), name


def test_without_rules_only_the_segment_changes(case):
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    check(case, Liver=RESULT)


def test_a_box_is_put_in_its_place_and_replaces_what_was_there(case):
    accept(case.editor, case.node, {"Liver": (np.ones((2, 3, 4), np.uint8), (11, 2, 30))}, case.volume)
    check(case, Liver=block((11, 13), (2, 5), (30, 34)))


def test_an_empty_result_empties_the_segment(case):
    accept(case.editor, case.node, {"Liver": segments.EMPTY}, case.volume)
    check(case, Liver=np.zeros(SHAPE))


def test_one_undo_step_brings_all_back_and_one_redo_all_forth(case):
    case.editor.editorNode.SetOverwriteMode(Node.OverwriteAllSegments)
    spleen = SPLEEN & (1 - RESULT)
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    check(case, Liver=RESULT, Spleen=spleen, Hidden=HIDDEN & (1 - RESULT))
    case.editor.undo()
    check(case)
    assert not case.editor.logic.CanUndo()
    case.editor.redo()
    check(case, Liver=RESULT, Spleen=spleen, Hidden=HIDDEN & (1 - RESULT))


def test_two_segments_are_one_step(case, monkeypatch):
    results = {"Liver": (LIVER[::-1], (0, 0, 0)), "Spleen": (SPLEEN[:, ::-1], (0, 0, 0))}
    saved, save = [], case.editor.saveStateForUndo
    monkeypatch.setattr(case.editor, "saveStateForUndo", lambda: (saved.append(read(case, "Liver")), save()))
    accept(case.editor, case.node, results, case.volume)
    check(case, Liver=LIVER[::-1], Spleen=SPLEEN[:, ::-1])
    case.editor.undo()
    check(case)
    assert not case.editor.logic.CanUndo()
    (before,) = saved  # once, and before anything was written
    assert np.array_equal(before, LIVER)


def test_the_segmentation_knows_its_volume_afterwards(case):
    role = case.node.GetReferenceImageGeometryReferenceRole()
    grid = segments.ownGrid(case.node)
    case.node.SetNodeReferenceID(role, None)  # as after loading a file
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    assert case.node.GetNodeReferenceID(role) == case.volume.GetID()
    assert np.allclose(segments.ownGrid(case.node), grid)
    other = volume(PLAIN, name="Other")
    case.node.SetNodeReferenceID(role, other.GetID())
    accept(case.editor, case.node, {"Liver": (LIVER, (0, 0, 0))}, case.volume)
    assert case.node.GetNodeReferenceID(role) == other.GetID()  # said by the user


@pytest.mark.parametrize(
    ("mode", "spleen", "hidden"),
    [
        (Node.OverwriteNone, SPLEEN, HIDDEN),
        (Node.OverwriteVisibleSegments, SPLEEN & (1 - RESULT), HIDDEN),
        (Node.OverwriteAllSegments, SPLEEN & (1 - RESULT), HIDDEN & (1 - RESULT)),
    ],
)
def test_other_segments_are_overwritten_by_the_users_rule(case, mode, spleen, hidden):
    case.editor.editorNode.SetOverwriteMode(mode)
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    check(case, Liver=RESULT, Spleen=spleen, Hidden=hidden)


EVERYWHERE = np.ones(SHAPE, np.uint8)


@pytest.mark.parametrize(
    ("mode", "editable"),
    [
        (Rules.EditAllowedInsideSingleSegment, SPLEEN),
        (Rules.EditAllowedInsideVisibleSegments, LIVER | SPLEEN),
        (Rules.EditAllowedInsideAllSegments, LIVER | SPLEEN | HIDDEN),
        (Rules.EditAllowedOutsideVisibleSegments, 1 - SPLEEN),
        (Rules.EditAllowedOutsideAllSegments, (1 - SPLEEN) & (1 - HIDDEN)),
    ],
)
@pytest.mark.parametrize("selected", ["Liver", "Spleen"])
def test_where_editing_is_not_allowed_nothing_changes(case, mode, editable, selected):
    rules = case.editor.editorNode
    rules.SetMaskMode(mode)
    rules.SetMaskSegmentID("Spleen")
    rules.SetSelectedSegmentID(selected)
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    # as Slicer means it: inside or outside of the others, and of itself where it says inside
    check(case, Liver=np.where(editable, RESULT, LIVER))
    assert rules.GetSelectedSegmentID() == selected


def test_a_result_smaller_than_what_was_there_leaves_what_is_protected(case):
    rules = case.editor.editorNode
    rules.SetMaskMode(Rules.EditAllowedInsideSingleSegment)
    rules.SetMaskSegmentID("Spleen")
    accept(case.editor, case.node, {"Liver": (np.ones((2, 4, 4), np.uint8), (7, 6, 13))}, case.volume)
    check(case, Liver=LIVER | block((7, 9), (6, 10), (13, 17)))


def test_the_intensity_range_limits_what_changes(case):
    rules = case.editor.editorNode
    rules.SetSourceVolumeIntensityMask(True)
    rules.SetSourceVolumeIntensityMaskRange(0, 150)
    voxels = slicer.util.arrayFromVolume(case.volume)
    allowed = (voxels >= 0) & (voxels <= 150)
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    check(case, Liver=np.where(allowed, RESULT, LIVER))


def test_names_colors_tags_and_status_stay(case):
    segment = case.node.GetSegmentation().GetSegment("Liver")
    segment.SetTag("FewShotSegment.Anchors", "{}")
    segment.SetTerminology(headless.slicer.vtkSegment().GetTerminology() or segment.GetTerminology())
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    for status in (logic.InProgress, logic.Completed, logic.Flagged):
        logic.SetSegmentStatus(segment, status)
        before = (segment.GetName(), segment.GetColor(), segment.GetTerminology())
        accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
        segment = case.node.GetSegmentation().GetSegment("Liver")
        assert (segment.GetName(), segment.GetColor(), segment.GetTerminology()) == before
        assert segment.HasTag("FewShotSegment.Anchors")
        assert logic.GetSegmentStatus(segment) == status


def extent(case, name):
    return segments.labelmapOf(case.node, name).GetExtent()


def test_empty_margins_are_cut_off_before_slicer_copies_them(case):
    """Else Slicer needs seconds to write into a segment that was loaded from a file as large as a CT."""
    for name, mask in (("Liver", LIVER), ("Spleen", SPLEEN)):
        draw(case.node, case.volume, name, mask)
        assert extent(case, name) == (0, 35, 0, 29, 0, 13)
    hidden = extent(case, "Hidden")
    seen = []
    case.editor.saveStateForUndo = lambda: seen.append((extent(case, "Liver"), read(case, "Liver")))
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    ((cut, before),) = seen
    assert cut == (5, 14, 5, 14, 2, 4)
    assert np.array_equal(before, LIVER)
    assert extent(case, "Spleen") == (0, 35, 0, 29, 0, 13)  # not written into
    assert extent(case, "Hidden") == hidden
    check(case, Liver=RESULT)


def test_shared_labelmaps_keep_all_their_segments_when_margins_are_cut_off(scene):
    volumeNode = volume(OBLIQUE)
    masks = {"Liver": block((6, 7), (5, 9), (5, 9)), "Spleen": block((9, 10), (12, 15), (12, 15))}
    node = segmentation(volumeNode, masks)
    shared = sum(value * mask for value, mask in enumerate(masks.values(), 1))
    labelmap = segments.orientedImage(shared.astype(np.uint8), (0, 0, 0), OBLIQUE)
    for value, name in enumerate(masks, 1):
        segment = node.GetSegmentation().GetSegment(name)
        segment.AddRepresentation(segments.LABELMAP, labelmap)
        segment.SetLabelValue(value)
    editor, seen = LogicEditor(node, volumeNode), []
    save = editor.saveStateForUndo
    editor.saveStateForUndo = lambda: (seen.append(labelmap.GetExtent()), save())
    accept(editor, node, {"Liver": (RESULT, (0, 0, 0))}, volumeNode)
    assert seen == [(5, 14, 5, 14, 6, 9)]
    for name, mask in {**masks, "Liver": RESULT}.items():
        assert np.array_equal(whole(segments.readMask(node, name, volumeNode)), mask), name
    editor.undo()
    for name, mask in masks.items():
        assert np.array_equal(whole(segments.readMask(node, name, volumeNode)), mask), name


def test_the_surface_of_another_segment_is_not_made_anew(case):
    draw(case.node, case.volume, "Liver", LIVER)
    case.node.CreateClosedSurfaceRepresentation()
    surface = case.node.GetSegmentation().GetSegment("Spleen").GetRepresentation(segments.SURFACE)
    case.editor.saveStateForUndo = lambda: None
    case.editor.modifySegment = lambda *_ignored: None  # what Slicer does then is Slicer's
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    assert extent(case, "Liver") == (5, 14, 5, 14, 2, 4)
    assert case.node.GetSegmentation().GetSegment("Spleen").GetRepresentation(segments.SURFACE) is surface
    assert case.node.GetSegmentation().GetSegment("Liver").GetRepresentation(segments.SURFACE) is not None


def test_the_surface_is_there_again(case):
    case.node.CreateClosedSurfaceRepresentation()
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    assert case.node.GetSegmentation().ContainsRepresentation(segments.SURFACE)
    surface = case.node.GetClosedSurfaceInternalRepresentation("Liver")
    center = case.node.GetSegmentCenter("Liver")
    assert surface.GetNumberOfPoints() > 0
    assert np.allclose(np.add(surface.GetBounds()[::2], surface.GetBounds()[1::2]) / 2, center, atol=4)


@pytest.mark.parametrize("turn", [None, rotation(20)])
def test_a_segment_kept_on_another_grid_is_replaced_as_a_whole(scene, turn):
    volumeNode = volume(PLAIN)
    node = segmentation(volumeNode, {"Spleen": SPLEEN})
    add(node, volumeNode, "Liver")
    other = PLAIN.copy()
    other[:3, 3] += (0.4, 3.3, -2.0)
    if turn is not None:
        other[:3, :3] = turn @ other[:3, :3]
    from FewShotSegmentModule.scene.grids import orientedImage

    image = orientedImage(np.ones((4, 9, 9), np.uint8), (3, 8, 9), other)
    node.GetSegmentation().SeparateSegmentLabelmap("Liver")
    node.GetSegmentation().GetSegment("Liver").SetLabelValue(1)
    node.GetSegmentation().GetSegment("Liver").AddRepresentation(segments.LABELMAP, image)
    before = whole(segments.readMask(node, "Liver", volumeNode))
    assert before.sum() > 100
    editor = LogicEditor(node, volumeNode)
    accept(editor, node, {"Liver": (RESULT, (0, 0, 0))}, volumeNode)
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), RESULT)
    assert np.array_equal(whole(segments.readMask(node, "Spleen", volumeNode)), SPLEEN)
    editor.undo()
    assert np.array_equal(whole(segments.readMask(node, "Liver", volumeNode)), before)


def test_what_cannot_be_written_is_said_before_anything_is(case):
    other = segmentation(case.volume, {"Liver": LIVER})
    for node, ids, volumeNode, text in [
        (other, ["Liver"], case.volume, "shows another segmentation"),
        (None, ["Liver"], case.volume, "segmentation is not there"),
        (case.node, ["Liver"], None, "volume is not there"),
        (case.node, ["Liver", "Gone"], case.volume, "segment is not there"),
    ]:
        with pytest.raises(SceneError, match=text):
            accept(case.editor, node, dict.fromkeys(ids, (RESULT, (0, 0, 0))), volumeNode)
    check(case)
    assert not case.editor.logic.CanUndo()


class Widget:
    """What Python sees of a qMRMLSegmentEditorWidget; `logic` in some versions of Slicer only."""

    def __init__(self, editor, withLogic):
        self.editor, self.effect = editor, Effect(editor.logic)
        if withLogic:
            self.logic = lambda: editor.logic

    def mrmlSegmentEditorNode(self):
        return self.editor.editorNode

    def segmentationNode(self):
        return self.editor.segmentationNode

    def saveStateForUndo(self):
        self.editor.saveStateForUndo()

    def undo(self):
        self.editor.undo()

    def redo(self):
        self.editor.redo()

    def effectByName(self, name):
        return self.effect if name == "Paint" else None


class Effect:
    def __init__(self, logic):
        self.logic = logic

    def modifySegmentByLabelmap(self, segmentationNode, segmentId, labelmap, mode, bypassMasking=False):
        self.logic.ModifySegmentByLabelmap(segmentationNode, segmentId, labelmap, mode, True, bypassMasking)


@pytest.mark.parametrize("withLogic", [True, False])
def test_the_widget_is_used_in_either_way(case, monkeypatch, withLogic):
    stand_in = SimpleNamespace(ModificationModeSet=case.editor.logic.ModificationModeSet)
    monkeypatch.setattr(slicer, "qSlicerSegmentEditorAbstractEffect", stand_in, raising=False)
    editor = WidgetEditor(Widget(case.editor, withLogic))
    editor.editorNode.SetOverwriteMode(Node.OverwriteVisibleSegments)
    accept(editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    check(case, Liver=RESULT, Spleen=SPLEEN & (1 - RESULT))
    editor.undo()
    check(case)
    editor.redo()
    check(case, Liver=RESULT, Spleen=SPLEEN & (1 - RESULT))


def test_a_drawing_after_that_can_be_undone_too(case):
    accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
    case.editor.saveStateForUndo()
    draw(case.node, case.volume, "Liver", LIVER[::-1])
    case.editor.undo()
    check(case, Liver=RESULT)
    case.editor.undo()
    check(case)


def test_surfaces_are_not_written_to(case):
    case.node.CreateClosedSurfaceRepresentation()
    case.node.SetSourceRepresentationToClosedSurface()
    case.node.CreateBinaryLabelmapRepresentation()  # made from the surface, not drawn
    with pytest.raises(SceneError, match="made of surfaces"):
        accept(case.editor, case.node, {"Liver": (RESULT, (0, 0, 0))}, case.volume)
