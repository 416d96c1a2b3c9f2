"""The Segment Editor as the effect reaches it, in the shape that `scene.commit` writes through."""

import slicer


class EffectEditor:
    """The editor that the effect belongs to: its undo, its rules of masking and overwriting."""

    def __init__(self, scriptedEffect):
        self._effect = scriptedEffect

    @property
    def editorNode(self):
        """Node with the rules; None if the editor has none."""
        return self._effect.parameterSetNode()

    @property
    def segmentationNode(self):
        """Segmentation that is edited."""
        return self.editorNode.GetSegmentationNode() if self.editorNode is not None else None

    def saveStateForUndo(self):
        """Remember the segmentation as it is."""
        self._effect.saveStateForUndo()

    def modifySegment(self, segmentationNode, segmentId, labelmap):
        """Replace a segment by a labelmap, by the rules."""
        mode = slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeSet
        self._effect.modifySegmentByLabelmap(segmentationNode, segmentId, labelmap, mode)
