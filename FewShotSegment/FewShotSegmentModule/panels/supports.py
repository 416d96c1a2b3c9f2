"""What is looked for in other volumes: ticked entries of the library, and segments of this scene."""

import slicer

from ..signals import Signal


class SupportChoice:
    """Shared by the library, where it is made, and the queue, which uses it.

    entries: ids of library entries.
    names: of these, for sentences.
    useScene: whether the annotated segments of the current segmentation are looked for as well.
    changed: signal.
    """

    def __init__(self, context):
        self._context = context
        self.entries = []
        self.names = []
        self.useScene = False
        self.changed = Signal()

    def sceneSupports(self):
        """[(volume node, segmentation node, None)] of the scene, if it is wanted: the job takes what is drawn."""
        context = self._context
        if not self.useScene or context.volumeNode is None or context.segmentationNode is None:
            return []
        isDrawn = bool(segmentsWithVoxels(context.segmentationNode))
        return [(context.volumeNode, context.segmentationNode, None)] if isDrawn else []

    def isEmpty(self):
        """Whether there is nothing to look for."""
        return not self.entries and not self.sceneSupports()


def segmentsWithVoxels(segmentationNode):
    """IDs of the segments that have a labelmap; others may share it, and to look through it takes too long here."""
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    content = segmentationNode.GetSegmentation()
    found = []
    for number in range(content.GetNumberOfSegments()):
        labelmap = content.GetNthSegment(number).GetRepresentation(name)
        if labelmap is not None and not labelmap.IsEmpty():
            found.append(content.GetNthSegmentID(number))
    return found


def referenceVolume(segmentationNode):
    """The volume on which a segmentation is drawn, or None."""
    return segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
