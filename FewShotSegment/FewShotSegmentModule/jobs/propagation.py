"""Annotated slices through their own volume, or only around those that were corrected."""

import numpy as np

from ..scene import anchors, compose, geometry, voxels
from ..scene.i18n import _
from .annotated import chosenSegments, lookOf
from .files import JobFolder
from .job import Job, JobError
from .proposal import Proposal, ProposedSegment, SegmentStamp, runInfo
from .watch import SceneWatch

_STACK = 16


class PropagationJob(Job):
    """Propagate segments; its result is a `Proposal`: nothing is written into the segmentation.

    volumeNode: the volume.
    segmentationNode: what is annotated.
    segmentIds: segments; all that something is drawn in by default.
    ranges: {segment ID: (first, last)} or (first, last) for all: slices that may hold the structure.
    device: where to compute.
    weights: name of the weights; the bundled ones by default.
    correct: only around the slices that were edited, or are no anchors any more, since a result was accepted.
    """

    def __init__(
        self, host, volumeNode, segmentationNode, segmentIds=None, *, ranges=None, device="auto", weights=None,
        correct=False,
    ):  # fmt: skip
        super().__init__(host, _("Correct") if correct else _("Propagate"))
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._segmentIds = segmentIds
        self._ranges = ranges
        self._options = {"device": device, "weights": weights or None}
        self._correct = correct
        self._folder = JobFolder(host.client)
        self._key = None
        self._watch = None

    def work(self):
        """Check; write the volume and the anchors; ask; compose the answer with what is drawn."""
        from FewShotSegmentLib.worker.messages import Propagate

        self._checkVolume()
        self._watch = SceneWatch([self._volumeNode, self._segmentationNode], self.cancel)
        chosen = chosenSegments(self._segmentationNode, self._segmentIds)
        stamps = {}
        for segmentId in chosen:
            yield  # reading a large segment takes a moment; from here on the reader has it
            stamps[segmentId] = SegmentStamp(self._segmentationNode, segmentId, self._volumeNode)
        if self._correct:
            chosen = yield from self._changedSteps(chosen)
        runs = {}
        for segmentId in chosen:
            yield
            runs[segmentId] = anchors.anchorsForRun(
                self._segmentationNode, segmentId, self._volumeNode, correct=self._correct
            )
        refs = []
        for segmentId, run in runs.items():
            refs.append((yield from self._segmentSteps(segmentId, run)))
        volume = yield from self._host.volumeFiles.refSteps(self._volumeNode)
        self._key = volume.key
        answer = yield Propagate(volume=volume, segments=refs, **self._options)
        self.notes = list(answer.get("notes", ()))
        if voxels.volumeKey(self._volumeNode) != volume.key:
            raise JobError(
                _("{name} was changed while it was propagated: run it again.").format(name=self._volumeNode.GetName())
            )
        results = {}
        for entry in answer["segments"]:
            key = entry["key"]
            results[key] = yield from self._proposedSteps(entry, runs[key], stamps[key])
            yield
        info = runInfo(answer)
        info["settings"] = {ref.key: self._settings(ref, info) for ref in refs}
        stamps = {segmentId: stamps[segmentId] for segmentId in results}
        return Proposal(self._volumeNode, self._segmentationNode, results, stamps, volume.key, self.notes, info)

    def cleanUp(self):
        """Observers and files."""
        if self._watch is not None:
            self._watch.stop()
        if self._key is not None:
            self._host.volumeFiles.release(self._key)
        self._folder.remove()
        self._host.client.discard(self.answer)

    def _checkVolume(self):
        if self._volumeNode is not None and self._volumeNode.GetScene() is None:
            raise JobError(_("The volume is not in the scene any more: choose another one."))
        voxels.checkVolume(self._volumeNode)

    def _changedSteps(self, segmentIds):
        """Of a correction, the segments that there is something to do for."""
        changed = []
        for segmentId in segmentIds:
            yield
            if self._isChanged(segmentId):
                changed.append(segmentId)
        if changed:
            return changed
        if all(anchors.hasTable(self._segmentationNode, segmentId, self._volumeNode) for segmentId in segmentIds):
            raise JobError(_("No slice was changed since the last result: edit one first."))
        return segmentIds  # `anchorsForRun` says what is missing

    def _isChanged(self, segmentId):
        place = (self._segmentationNode, segmentId, self._volumeNode)
        if not anchors.hasTable(*place):
            return False
        table = anchors.anchorsOf(*place)
        return bool(table.removed) or bool(anchors.editedSlices(*place, table))

    def _segmentSteps(self, segmentId, run):
        from FewShotSegmentLib.worker.messages import SegmentRef

        stacks = (run.masks[first : first + _STACK] for first in range(0, len(run.masks), _STACK))
        file = yield from self._folder.writeSteps(run.masks.shape, stacks)
        name, color, terminology = lookOf(self._segmentationNode, segmentId)
        return SegmentRef(
            key=segmentId,
            name=name,
            slices=[int(index) for index in run.slices],
            file=file,
            axis=int(run.axis),
            color=color,
            terminology=terminology,
            around=None if run.around is None else [int(index) for index in run.around],
            range=self._rangeOf(segmentId),
        )

    def _rangeOf(self, segmentId):
        given = self._ranges.get(segmentId) if isinstance(self._ranges, dict) else self._ranges
        return None if given is None else [int(given[0]), int(given[1])]

    def _proposedSteps(self, entry, run, stamp):
        from FewShotSegmentLib.worker.messages import SegmentResult

        result = SegmentResult(**entry)
        loaded = np.load(result.file, mmap_mode="r", allow_pickle=False)
        shape = geometry.volumeShape(self._volumeNode)
        composed = yield from compose.composeMaskSteps(stamp.mask, result, shape, voxels=loaded)
        return ProposedSegment(
            mask=composed.voxels,
            origin=composed.origin,
            axis=result.axis,
            confidence=np.array(result.confidence, np.float32),
            anchors=run.kinds,
            renewed=result.renewed,
            found=result.found,
            overall=result.overall,
            seconds=result.seconds,
        )

    def _settings(self, ref, info):
        """Of the provenance: what else decided about the result."""
        settings = {"kind": "correct" if self._correct else "propagate"}
        settings["modality"] = info["modality"]
        settings["modalitySource"] = info["modalitySource"]
        if ref.range is not None:
            settings["range"] = ref.range
        if ref.around is not None:
            settings["around"] = ref.around
        return settings
