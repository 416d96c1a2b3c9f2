"""What the sections of the panel share: the selection, the slice on screen, and one line for messages."""

import logging

import slicer
import vtk

from ..scene import geometry
from ..signals import Signal

INFO, WARNING, ERROR = "info", "warning", "error"


class PanelContext:
    """Shared by all sections; holds no widgets but the embedded editor.

    logic: FewShotSegmentLogic.
    editorWidget: the embedded qMRMLSegmentEditorWidget; set by the annotation section.
    editor: `scene.commit.WidgetEditor` on it; set by the annotation section.
    parameterNode: FewShotSegmentParameterNode wrapper, or None while a scene is closed.
    proposal: `jobs.proposal.Proposal` that waits for Accept or Reject, or None; set by the propagate section.
    supportChoice: `panels.supports.SupportChoice`, what is looked for in other volumes; set by the library section.
    queueTitles(): names of what is in the queue, which diagnostics must not tell; set by the queue's section.
    ensureReady(thenDo=None): whether the engine can run; if not, asks whether to set it up, and calls `thenDo` once
        that has succeeded. To be called on the user's click only; set by the set-up section.

    Signals:
        selectionChanged(): volume, segmentation or segment.
        annotationChanged(): voxels or names of the segmentation (collected, not at every stroke).
        sliceChanged(): a slice view shows another slice.
        message(level, sentence): for the line at the top of the panel.
        parameterNodeChanged(): another scene.
        proposalChanged(): there is a new proposal (see `proposal`), or none any more.
        accepted(segmentIds): a proposal was written.
    """

    def __init__(self, logic, resourcePath):
        self.logic = logic
        self.resourcePath = resourcePath
        self.editorWidget = None
        self.editor = None
        self.supportChoice = None
        self.queueTitles = lambda: []
        self.ensureReady = lambda thenDo=None: True
        self.selectionChanged = Signal()
        self.annotationChanged = Signal()
        self.sliceChanged = Signal()
        self.message = Signal()
        self.parameterNodeChanged = Signal()
        self.proposalChanged = Signal()
        self.accepted = Signal()
        self._proposal = None
        self._parameterNode = None
        self._told = ""

    # --- selection ---

    @property
    def parameterNode(self):
        """State that is saved with the scene, or None."""
        return self._parameterNode

    @parameterNode.setter
    def parameterNode(self, node):
        self._parameterNode = node
        self.parameterNodeChanged.emit()
        self.selectionChanged.emit()

    @property
    def proposal(self):
        """What waits for Accept or Reject, or None."""
        return self._proposal

    @proposal.setter
    def proposal(self, proposal):
        self._proposal = proposal
        self.proposalChanged.emit()

    @property
    def volumeNode(self):
        """The source volume, or None."""
        return self._parameterNode.volume if self._parameterNode else None

    @property
    def segmentationNode(self):
        """What is annotated, or None."""
        return self._parameterNode.segmentation if self._parameterNode else None

    @property
    def segmentId(self):
        """ID of the segment selected in the editor; empty if none."""
        segmentation = self.segmentationNode
        if segmentation is None or self.editorWidget is None:
            return ""
        segmentId = self.editorWidget.currentSegmentID() or ""
        return segmentId if segmentId and segmentation.GetSegmentation().GetSegment(segmentId) else ""

    def segmentIds(self):
        """The segments that a button acts on: the selected one, or all visible ones."""
        segmentation = self.segmentationNode
        if segmentation is None:
            return []
        if not self._parameterNode.allVisible:
            return [self.segmentId] if self.segmentId else []
        segmentation.CreateDefaultDisplayNodes()
        visible = vtk.vtkStringArray()
        segmentation.GetDisplayNode().GetVisibleSegmentIDs(visible)
        return [visible.GetValue(index) for index in range(visible.GetNumberOfValues())]

    # --- slices on screen ---

    def sliceNodes(self):
        """Slice nodes of the layout: those on screen first."""
        nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
        return sorted(nodes, key=lambda node: not node.IsMappedInLayout())

    def currentSlice(self, axis=None):
        """(array axis, slice index) that a slice view shows; of that axis if one is given; None if no view does."""
        if self.volumeNode is None:
            return None
        for node in self.sliceNodes():
            found, index = geometry.arrayAxisOfSlice(node, self.volumeNode)
            if found is not None and (axis is None or found == axis):
                return found, index
        return None

    def jumpTo(self, axis, index):
        """Show a slice in every view that lies across the axis; False if there is none."""
        shown = False
        if self.volumeNode is None:
            return shown
        for node in self.sliceNodes():
            found, _ = geometry.arrayAxisOfSlice(node, self.volumeNode)
            if found == axis:
                node.SetSliceOffset(geometry.sliceOffsetOf(self.volumeNode, axis, index, node))
                shown = True
        return shown

    # --- messages ---

    def say(self, sentence):
        """Tell the user something in the panel's message line; an empty sentence clears it."""
        self._tell(INFO, sentence)

    def warn(self, sentence):
        """Tell the user of something to look at."""
        logging.warning("FewShotSegment: %s", sentence)
        self._tell(WARNING, sentence)

    def fail(self, sentence):
        """Tell the user what went wrong; in the message line, without a pop-up that has to be clicked away."""
        logging.warning("FewShotSegment: %s", sentence)
        self._tell(ERROR, sentence)

    def takeBack(self, sentence):
        """Clear the message line if this is what it says: it is no longer so."""
        if sentence and sentence == self._told:
            self.say("")

    def _tell(self, level, sentence):
        self._told = sentence
        self.message.emit(level, sentence)
