"""Adapting the weights to what was accepted, and keeping them or not."""

import slicer

from ..scene.i18n import _
from ..scene.segments import segmentIdsOf
from .annotated import annotatedRefSteps, chosenSegments
from .files import JobFolder
from .job import Job, JobError
from .watch import SceneWatch


def isCompleted(segmentationNode, segmentId):
    """Whether the user has set the segment's status to completed: all its slices are right."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    return segment is not None and logic.GetSegmentStatus(segment) == logic.Completed


def completedSegments(segmentationNode):
    """IDs of the segments whose status is completed."""
    ids = segmentIdsOf(segmentationNode)
    return [segmentId for segmentId in ids if isCompleted(segmentationNode, segmentId)]


class FinetuneJob(Job):
    """Adapt the weights; its result is the report (`better`, `verdict`, `before`, `after`, `scores`, …).

    The adapted weights wait in the worker until logic.keepWeights(name) or logic.rollBackWeights().

    cases: [(volume node, segmentation node, segment IDs or None)]; None takes the completed segments, or all that
        something is drawn in where none is completed. Of completed segments all slices are learned from, of others the
        anchors.
    minutes: that it should take.
    steps: of training, in place of minutes.
    """

    def __init__(self, host, cases, *, minutes=5.0, steps=None, device="auto", weights=None):
        super().__init__(host, _("Fine-tuning"))
        self._cases = list(cases)
        self._options = {"minutes": float(minutes), "steps": steps, "device": device, "weights": weights or None}
        self._folder = JobFolder(host.client)
        self._keys = []
        self._watch = None

    def work(self):
        """Write the cases; ask."""
        from FewShotSegmentLib.worker.messages import Finetune

        if not self._cases:
            raise JobError(_("There is no annotated volume to learn from: choose a segmentation."))
        self._watch = SceneWatch([node for case in self._cases for node in case[:2]], self.cancel)
        refs = []
        for volumeNode, segmentationNode, given in self._cases:
            wanted = completedSegments(segmentationNode) or None if given is None else given
            chosen = chosenSegments(segmentationNode, wanted)
            complete = [segmentId for segmentId in chosen if isCompleted(segmentationNode, segmentId)]
            found = yield from annotatedRefSteps(
                self._host.volumeFiles, self._folder, volumeNode, segmentationNode, chosen, complete
            )
            self._keys.append(found[0].volume.key)
            refs += found
        report = yield Finetune(cases=refs, **self._options)
        self.notes = list(report.get("notes", ()))
        return report

    def cleanUp(self):
        """Observers and files."""
        if self._watch is not None:
            self._watch.stop()
        for key in self._keys:
            self._host.volumeFiles.release(key)
        self._folder.remove()
