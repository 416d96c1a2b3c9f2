"""One frame of a sequence of volumes."""

from ..scene import sequences, voxels
from ..scene.i18n import _
from .job import JobError
from .transfer import TransferJob


class FrameJob(TransferJob):
    """Find structures in one frame; the segmentation goes into a sequence of segmentations, which is the result.

    sequenceNode: of volumes.
    frame: number of the frame.
    results: {sequence node: sequence of segmentations}, shared by the frames of one run.
    """

    def __init__(self, host, sequenceNode, frame, results, **settings):
        super().__init__(host, **settings)
        self._sequenceNode = sequenceNode
        self._frame = frame
        self._results = results

    def _checkNode(self):
        if self._sequenceNode.GetScene() is None:
            raise JobError(_("The sequence is not in the scene any more."))
        self.watch(self._sequenceNode)
        frames = sequences.frames(self._sequenceNode)
        if self._frame >= len(frames):
            raise JobError(_("{name} has fewer frames now.").format(name=self._sequenceNode.GetName()))
        self._indexValue, self._volumeNode = frames[self._frame]
        voxels.checkVolume(self._volumeNode)

    def _place(self, node):
        """Put a copy of the result into the sequence; the result's own node never gets into the scene."""
        target = self._results.get(self._sequenceNode)
        if target is None or target.GetScene() is None:
            target = sequences.createSegmentationSequence(self._sequenceNode)
            self._results[self._sequenceNode] = target
        sequences.setFrame(target, self._indexValue, node)
        return target
