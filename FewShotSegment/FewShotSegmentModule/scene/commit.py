"""Writing results into segments as the Segment Editor would: one undo step, the user's masking and overwrite rules."""

import math

import slicer

from . import geometry
from .errors import SceneError
from .grids import contentBox, imageMatrix, indexShift
from .i18n import _
from .segments import LABELMAP, SURFACE, labelmapFromMask, labelmapOf, ownGrid, referenceGrid

_EFFECTS = ("Threshold", "Paint", "Draw", "Erase", "Scissors")
"""Effects of the core; any will do, as they only pass the labelmap on to the editor."""


class LogicEditor:
    """An editor without widgets, for scripts and tests."""

    def __init__(self, segmentationNode, volumeNode, editorNode=None):
        """Make an editor.

        Args:
            segmentationNode: segmentation to be edited; must be in a scene.
            volumeNode: source volume, which the intensity mask looks at.
            editorNode: vtkMRMLSegmentEditorNode with the rules; without one, a new node that overwrites nothing of
                other segments.
        """
        scene = segmentationNode.GetScene()
        if editorNode is None:
            editorNode = scene.AddNode(slicer.vtkMRMLSegmentEditorNode())
            editorNode.SetSaveWithScene(False)
            editorNode.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(scene)
        self.logic.SetSegmentEditorNode(editorNode)
        self.logic.SetSegmentationNode(segmentationNode)
        self.logic.SetSourceVolumeNode(volumeNode)

    @property
    def editorNode(self):
        """Node with the masking and overwrite rules."""
        return self.logic.GetSegmentEditorNode()

    @property
    def segmentationNode(self):
        """Segmentation that is edited."""
        return self.logic.GetSegmentationNode()

    def saveStateForUndo(self):
        """Remember the segmentation as it is."""
        self.logic.SaveStateForUndo()

    def undo(self):
        """Go back one step."""
        self.logic.Undo()

    def redo(self):
        """Go forth one step."""
        self.logic.Redo()

    def modifySegment(self, segmentationNode, segmentId, labelmap):
        """Replace a segment by a labelmap, by the rules."""
        self.logic.ModifySegmentByLabelmap(
            segmentationNode, segmentId, labelmap, self.logic.ModificationModeSet, True, False
        )


class WidgetEditor:
    """The embedded qMRMLSegmentEditorWidget."""

    def __init__(self, widget):
        self.widget = widget

    @property
    def editorNode(self):
        """Node with the masking and overwrite rules."""
        return self.widget.mrmlSegmentEditorNode()

    @property
    def segmentationNode(self):
        """Segmentation that is edited."""
        return self.widget.segmentationNode()

    def saveStateForUndo(self):
        """Remember the segmentation as it is."""
        self.widget.saveStateForUndo()

    def undo(self):
        """Go back one step."""
        self.widget.undo()

    def redo(self):
        """Go forth one step."""
        self.widget.redo()

    def modifySegment(self, segmentationNode, segmentId, labelmap):
        """Replace a segment by a labelmap, by the rules."""
        logic = self._logic()
        if logic is not None:
            logic.ModifySegmentByLabelmap(segmentationNode, segmentId, labelmap, logic.ModificationModeSet, True, False)
            return
        effects = slicer.qSlicerSegmentEditorAbstractEffect
        self._effect().modifySegmentByLabelmap(segmentationNode, segmentId, labelmap, effects.ModificationModeSet)

    def _logic(self):
        """The editor's own logic, where the widget gives it away; not all versions of Slicer's do."""
        logic = getattr(self.widget, "logic", None)
        logic = logic() if callable(logic) else logic
        return logic if hasattr(logic, "ModifySegmentByLabelmap") else None

    def _effect(self):
        for name in _EFFECTS:
            effect = self.widget.effectByName(name)
            if effect is not None:
                return effect
        raise SceneError(_("The Segment Editor has none of its effects: restart Slicer."))


def accept(editor, segmentationNode, results, volumeNode):
    """Write results into segments in one undo step.

    The editor's rules hold: where the user may not edit, segments stay as they are; other segments are overwritten only
    if the rules say so. Names, colors, terminology and tags stay. A segment that was not started is in progress
    afterwards, as after any edit.

    Args:
        editor: LogicEditor or WidgetEditor.
        segmentationNode: segmentation, the one that the editor shows.
        results: {segment ID: (mask, origin)}, masks as [z, y, x] boxes of the volume, 0 or 1.
        volumeNode: volume that the masks lie in.

    Raises:
        SceneError: nothing was written; says why.
    """
    if segmentationNode is None or segmentationNode.GetScene() is None:
        raise SceneError(_("The segmentation is not there any more: nothing was written."))
    if volumeNode is None or (volumeNode.GetScene() is None and volumeNode.GetImageData() is None):
        raise SceneError(_("The volume is not there any more: nothing was written."))
    if editor.segmentationNode is not segmentationNode:
        raise SceneError(_("The editor shows another segmentation: choose {name} in it.").format(
            name=segmentationNode.GetName()))  # fmt: skip
    for segmentId in results:
        labelmapOf(segmentationNode, segmentId)
    if segmentationNode.GetSegmentation().GetSourceRepresentationName() != LABELMAP:
        raise SceneError(
            _("{name} is made of surfaces: in the Segmentations module, make the binary labelmap its source.").format(
                name=segmentationNode.GetName()
            )
        )
    if not results:
        return
    editorNode = editor.editorNode
    selected = editorNode.GetSelectedSegmentID()
    _keepReference(segmentationNode, volumeNode)
    modifying = segmentationNode.StartModify()
    try:
        for segmentId in results:
            _shrink(segmentationNode, segmentId)
        editor.saveStateForUndo()
        for segmentId, (mask, origin) in results.items():
            _bringToReferenceGrid(segmentationNode, segmentId, volumeNode)
            # "outside all segments" and the like are meant from the segment's point of view
            if editorNode.GetMaskMode() != slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere:
                editorNode.SetSelectedSegmentID(segmentId)
            # what the segment held must be covered: Slicer erases beyond the labelmap even where the mask forbids it
            labelmap = labelmapFromMask(mask, origin, volumeNode, segmentationNode, cover=segmentId)
            editor.modifySegment(segmentationNode, segmentId, labelmap)
    finally:
        if editorNode.GetSelectedSegmentID() != selected:
            editorNode.SetSelectedSegmentID(selected or "")
        segmentationNode.EndModify(modifying)


def _keepReference(segmentationNode, volumeNode):
    """Say which volume the segmentation belongs to, where it is not said: DICOM SEG export needs it."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    if segmentationNode.GetNodeReferenceID(role) or volumeNode.GetScene() is not segmentationNode.GetScene():
        return
    if ownGrid(segmentationNode) is not None:
        segmentationNode.SetNodeReferenceID(role, volumeNode.GetID())  # its grid is the user's choice
    else:
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)


def _shrink(segmentationNode, segmentId):
    """Cut off the empty margins of a segment's labelmap if it is mostly margin, as those of loaded segmentations are.

    Slicer copies all of it for undo, and goes through all of it several times when it writes: a second and more for one
    as large as a CT, a few ms without margins. No voxel changes, and Slicer's own effects leave no margins either.
    """
    labelmap = labelmapOf(segmentationNode, segmentId)
    held = contentBox(labelmap) if labelmap is not None else None
    if held is None:
        return
    first, end = (bounds[::-1] for bounds in held)  # i, j, k
    if 2 * math.prod(e - f for f, e in zip(first, end, strict=True)) > labelmap.GetNumberOfPoints():
        return
    start = labelmap.GetExtent()[::2]
    content = segmentationNode.GetSegmentation()
    segments = [content.GetNthSegment(index) for index in range(content.GetNumberOfSegments())]
    surfaces = [(segment, segment.GetRepresentation(SURFACE)) for segment in segments]
    labelmap.Crop([s + bound for s, f, e in zip(start, first, end, strict=True) for bound in (f, e - 1)])
    for segment, surface in surfaces:  # Slicer lets go of them all, not knowing that they are right still
        if surface is not None and segment.GetRepresentation(SURFACE) is None:
            segment.AddRepresentation(SURFACE, surface)


def _bringToReferenceGrid(segmentationNode, segmentId, volumeNode):
    """Move a segment whose labelmap lies on another grid to the segmentation's.

    Slicer replaces a segment by erasing what it held, and looks for that on the new labelmap's grid: on another one it
    erases the wrong voxels. Its own effects have the same trouble with imported segments.
    """
    labelmap = labelmapOf(segmentationNode, segmentId)
    if labelmap is None or min(labelmap.GetDimensions()) < 1:
        return
    target, first, last = referenceGrid(segmentationNode, volumeNode)
    extent = [max(abs(a), abs(b)) + 1 for a, b in zip(first, last, strict=True)]
    own = imageMatrix(labelmap)
    if indexShift(own, target, geometry.IDENTITY, extent) == (0, 0, 0):
        return
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.IsSharedBinaryLabelmap(segmentId):
        segmentation.SeparateSegmentLabelmap(segmentId)
    labelmap = labelmapOf(segmentationNode, segmentId)
    moved = slicer.vtkOrientedImageData()
    reference = slicer.vtkOrientedImageData()
    reference.SetExtent([bound for axis in (2, 1, 0) for bound in (first[axis], last[axis])])
    reference.SetGeometryFromImageToWorldMatrix(geometry.matrixFromArray(target))
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        labelmap, reference, moved, False, False, None
    )
    labelmap.DeepCopy(moved)
    labelmap.Modified()
