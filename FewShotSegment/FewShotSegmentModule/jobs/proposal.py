"""A result that waits for the user's word: shown beside the segmentation, written when it is accepted."""

from dataclasses import dataclass

import numpy as np
import slicer

from ..scene import anchors, commit, confidence, provenance, tags, voxels
from ..scene.errors import SceneError
from ..scene.i18n import _
from ..scene.preview import Preview
from ..scene.segments import Mask, reader, segmentIdsOf, segmentOf
from .job import JobError


@dataclass(frozen=True)
class ProposedSegment:
    """One segment as it would be.

    Attributes:
        mask: uint8 [z, y, x] box, 0 or 1: the computed slices, and the segment's own where nothing was computed.
        origin: (z, y, x) of its first voxel in the volume.
        axis: array axis along which it was propagated.
        confidence: float32, 0 to 1, of each slice along the axis; means something on `renewed` slices only.
        anchors: {slice: "hand", "corrected" or "kept"} of the run.
        renewed: [first, last] runs of slices that were computed.
        found: whether the structure is there.
        overall: overall confidence.
        seconds: that it took.
    """

    mask: np.ndarray
    origin: tuple
    axis: int
    confidence: np.ndarray
    anchors: dict
    renewed: list
    found: bool = True
    overall: float = 1.0
    seconds: float = 0.0


class SegmentStamp:
    """What a segment was like when a job began, so that no newer edit is ever overwritten."""

    def __init__(self, segmentationNode, segmentId, volumeNode):
        self.mask = reader.readMask(segmentationNode, segmentId, volumeNode)
        self._table = tags.readTag(segmentOf(segmentationNode, segmentId), anchors.TAG)

    def holds(self, segmentationNode, segmentId, volumeNode):
        """Whether it is still the same."""
        try:
            now = reader.readMask(segmentationNode, segmentId, volumeNode)
            table = tags.readTag(segmentOf(segmentationNode, segmentId), anchors.TAG)
        except SceneError:
            return False
        return table == self._table and sameMask(now, self.mask)


def sameMask(one, other):
    """Whether two masks are of the same voxels."""
    if one.voxels is other.voxels:
        return True
    return Mask(*one).origin == Mask(*other).origin and np.array_equal(one.voxels, other.voxels)


class Proposal:
    """What a run proposes for some segments of one segmentation.

    results: {segment ID: ProposedSegment}.
    notes: sentences that the user should read.
    info: {engineVersion, weightsName, weightsSha256, device, modality, modalitySource, seconds, settings}.
    preview: `scene.preview.Preview`, or None while it is not shown.
    """

    def __init__(self, volumeNode, segmentationNode, results, stamps, volumeKey, notes, info):
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._stamps = stamps
        self._volumeKey = volumeKey
        self.results = results
        self.notes = list(notes)
        self.info = info
        self.preview = None
        self._ended = False

    @property
    def volumeNode(self):
        """The volume; None when it is gone from the scene."""
        return _present(self._volumeNode)

    @property
    def segmentationNode(self):
        """The segmentation; None when it is gone from the scene."""
        return _present(self._segmentationNode)

    @property
    def problem(self):
        """Why it can no longer be accepted, a sentence; empty if it can."""
        if self._ended:
            return _("This result was accepted or rejected already.")
        volumeNode, segmentationNode = self.volumeNode, self.segmentationNode
        if volumeNode is None or segmentationNode is None:
            return _("The volume or the segmentation was removed, so the result cannot be used any more.")
        if not self._volumeHolds():
            return _("{name} was changed after the run began: run it again.").format(name=volumeNode.GetName())
        for segmentId, stamp in self._stamps.items():
            if not stamp.holds(segmentationNode, segmentId, volumeNode):
                segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
                return _("{name} was changed after the run began: run it again.").format(
                    name=segment.GetName() if segment is not None else _("A segment")
                )
        return ""

    @property
    def valid(self):
        """Whether it can be accepted: nodes, voxels and segments are as they were when the run began."""
        return not self.problem

    # --- how it is shown ---

    def showPreview(self, opacity=0.6, fill=True, show3D=False):
        """Show it in all views, or change how it is shown.

        Args:
            opacity: 0 to 1.
            fill: whether slice views are filled; the outline is always drawn.
            show3D: whether 3D views show its surface.
        """
        volumeNode, segmentationNode = self.volumeNode, self.segmentationNode
        if self._ended or volumeNode is None or segmentationNode is None:
            return
        shown = opacity if fill else 0.0
        if self.preview is None or self.preview.node is None:
            masks = {segmentId: (result.mask, result.origin) for segmentId, result in self.results.items()}
            self.preview = Preview(segmentationNode, volumeNode, masks, shown, True, show3D)
        else:
            self.preview.setOpacity(shown)
            self.preview.set3D(show3D)
            self.preview.setVisible(True)

    def hidePreview(self):
        """Take the preview out of the scene; the result stays."""
        preview, self.preview = self.preview, None
        if preview is not None:
            preview.delete()

    # --- what becomes of it ---

    def accept(self, editor=None):
        """Write it into the segmentation, as one step that can be undone.

        Args:
            editor: `scene.commit.WidgetEditor` or the like, whose masking and overwrite rules hold; by default a new
                one that leaves other segments as they are.

        Raises:
            JobError: nothing was written; says why.
        """
        problem = self.problem
        if problem:
            raise JobError(problem)
        volumeNode, segmentationNode = self.volumeNode, self.segmentationNode
        self.hidePreview()
        own = None
        if editor is None:
            editor = own = commit.LogicEditor(segmentationNode, volumeNode)
        masks = {segmentId: (result.mask, result.origin) for segmentId, result in self.results.items()}
        try:
            with anchors.noEdit(segmentationNode, self._overwritable(editor), volumeNode):
                commit.accept(editor, segmentationNode, masks, volumeNode)
        except SceneError as error:
            raise JobError(str(error)) from error
        finally:
            if own is not None:
                slicer.mrmlScene.RemoveNode(own.editorNode)
        for segmentId, result in self.results.items():
            self._describe(segmentationNode, segmentId, volumeNode, result)
        self._end()

    def _overwritable(self, editor):
        """Other segments that the editor's rules may let the result overwrite."""
        node = editor.editorNode
        if node is None or node.GetOverwriteMode() == node.OverwriteNone:
            return []
        return [segmentId for segmentId in segmentIdsOf(self._segmentationNode) if segmentId not in self.results]

    def discard(self):
        """Let it go; nothing is written."""
        self.hidePreview()
        self._end()

    def _end(self):
        self._ended = True
        self._stamps = {}

    def _describe(self, segmentationNode, segmentId, volumeNode, result):
        """What the next correction, the review and a later reader have to know."""
        kinds = {index: kind for index, kind in result.anchors.items() if kind != anchors.KEPT}
        anchors.recordAccepted(segmentationNode, segmentId, volumeNode, result.axis, kinds)
        confidence.write(
            segmentationNode, segmentId, result.axis, result.confidence, renewed=result.renewed, anchors=kinds
        )
        provenance.record(
            segmentationNode,
            segmentId,
            engineVersion=self.info["engineVersion"],
            weights={"name": self.info["weightsName"], "sha256": self.info["weightsSha256"]},
            axis=result.axis,
            anchors=kinds,
            settings=self.info["settings"].get(segmentId, {}),
            device=self.info["device"],
        )
        markInProgress(segmentOf(segmentationNode, segmentId))

    def _volumeHolds(self):
        try:
            return voxels.volumeKey(self._volumeNode) == self._volumeKey
        except SceneError:
            return False


def markInProgress(segment):
    """Say that work on a segment has begun; what the user has set otherwise stays."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if logic.GetSegmentStatus(segment) == logic.NotStarted:
        logic.SetSegmentStatus(segment, logic.InProgress)


def runInfo(answer):
    """What an answer says of how it was made; `settings` is empty, to be filled by segment ID."""
    weights = answer.get("weights") or {}
    modality = answer.get("modality") or {}
    return {
        "engineVersion": answer.get("engine_version", ""),
        "weightsName": weights.get("name", ""),
        "weightsSha256": weights.get("sha256", ""),
        "device": answer.get("device", ""),
        "modality": modality.get("used", ""),
        "modalitySource": modality.get("source", ""),
        "seconds": answer.get("seconds", 0.0),
        "settings": {},
    }


def _present(node):
    return node if node is not None and node.GetScene() is not None else None
