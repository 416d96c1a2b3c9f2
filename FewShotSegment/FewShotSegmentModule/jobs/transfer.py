"""Structures that were annotated in some volumes, found in another one."""

import numpy as np
import slicer

from ..scene import anchors, confidence, geometry, provenance, segments, voxels
from ..scene.i18n import _
from .annotated import TERMINOLOGY_TAG, annotatedRefSteps
from .files import JobFolder
from .job import Job, JobError
from .proposal import markInProgress, runInfo
from .watch import SceneWatch


class TransferJob(Job):
    """Find structures in one volume.

    Its result is a new segmentation node (of a file: the path of the segmentation that was written), or None where
    nothing was found.

    volumeNode: to look in; or None with queryFile (image file or DICOM folder) and output (a file that does not exist).
    supports: [(volume node, segmentation node, segment IDs or None for all)] that show what to look for.
    entries: ids of library entries that do.
    library: library file; the user's own by default.
    method: few-shot network.
    found, notFound: names of the structures, once it is done.
    """

    def __init__(
        self, host, *, volumeNode=None, queryFile="", output="", supports=(), entries=(), library="", method="dspnet",
        device="auto", weights=None,
    ):  # fmt: skip
        super().__init__(host, _("Other volumes"))
        self.found = []
        self.notFound = []
        self._volumeNode = volumeNode
        self._queryFile = str(queryFile)
        self._output = str(output)
        self._supports = list(supports)
        self._entries = [str(entry) for entry in entries]
        self._options = {"library": str(library), "method": method, "device": device, "weights": weights or None}
        self._folder = JobFolder(host.client)
        self._keys = []
        self._structures = {}
        self._watch = None

    def watch(self, *nodes):
        """Cancel the job when one of these nodes goes."""
        if self._watch is None:
            self._watch = SceneWatch(nodes, self.cancel)
        else:
            for node in nodes:
                self._watch.add(node)

    def unwatch(self):
        """Observe the scene no longer."""
        if self._watch is not None:
            self._watch.stop()

    def work(self):
        """Write the volumes; ask; make a segmentation of the answer."""
        from FewShotSegmentLib.worker.messages import Transfer

        if not self._supports and not self._entries:
            raise JobError(_("There is nothing to look for: choose entries of the library, or an annotated volume."))
        if not self._queryFile:
            self._checkNode()
        refs = yield from self._supportSteps()
        query = stamp = None
        if not self._queryFile:
            query = yield from self._host.volumeFiles.refSteps(self._volumeNode)
            self._keys.append(query.key)
            stamp = voxels.volumeKey(self._volumeNode)
        answer = yield Transfer(
            query=query,
            query_file=self._queryFile,
            output=self._output,
            entries=self._entries,
            supports=refs,
            **self._options,
        )
        self.notes = list(answer.get("notes", ()))
        self._structures = {structure["key"]: structure for structure in answer["structures"]}
        found = [segment for segment in answer["segments"] if segment["found"]]
        names = {segment["key"]: self._structures[segment["key"]]["name"] for segment in answer["segments"]}
        self.found = [names[segment["key"]] for segment in found]
        self.notFound = [names[segment["key"]] for segment in answer["segments"] if not segment["found"]]
        if self._queryFile:
            return answer.get("output") or self._output
        if voxels.volumeKey(self._volumeNode) != stamp:
            raise JobError(
                _("{name} was changed meanwhile: look for the structures again.").format(
                    name=self._volumeNode.GetName()
                )
            )
        return (yield from self._resultSteps(answer, found)) if found else None

    def cleanUp(self):
        """Observers and files."""
        self.unwatch()
        for key in self._keys:
            self._host.volumeFiles.release(key)
        self._folder.remove()
        self._host.client.discard(self.answer)

    def _checkNode(self):
        if self._volumeNode is None or self._volumeNode.GetScene() is None:
            raise JobError(_("The volume is not in the scene any more."))
        voxels.checkVolume(self._volumeNode)
        self.watch(self._volumeNode)

    def _supportSteps(self):
        refs = []
        for volumeNode, segmentationNode, segmentIds in self._supports:
            self.watch(volumeNode, segmentationNode)
            found = yield from annotatedRefSteps(
                self._host.volumeFiles, self._folder, volumeNode, segmentationNode, segmentIds
            )
            self._keys.append(found[0].volume.key)
            refs += found
        return refs

    def _resultSteps(self, answer, found):
        """A segmentation node of what was found; it appears in the scene when it is complete."""
        volumeNode = self._volumeNode
        # the result will lie under the volume's transform; until it is in the scene it lies under none
        grid = geometry.withoutTransform(volumeNode)
        node = slicer.vtkMRMLSegmentationNode()
        names = ", ".join(self.found)
        name = _("{volume} – {names}").format(volume=volumeNode.GetName(), names=names)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
        node.SetReferenceImageGeometryParameterFromVolumeNode(grid)
        added = []
        for segment in found:
            mask = np.load(segment["file"], allow_pickle=False)
            yield
            labelmap = segments.labelmapFromMask(mask, tuple(segment["origin"]), grid, node)
            yield
            added.append((segment, self._addSegment(node, segment, labelmap)))
            yield
        for segment, segmentId in added:
            self._describe(node, segmentId, grid, segment, answer)
            yield
        return self._place(node)

    def _place(self, node):
        """Put the result into the scene, beside its volume; returns what the job made."""
        slicer.mrmlScene.AddNode(node)
        node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
        # after the transform: Slicer brings the volume's grid under the segmentation's
        node.SetReferenceImageGeometryParameterFromVolumeNode(self._volumeNode)
        node.CreateDefaultDisplayNodes()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item, sibling = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(self._volumeNode)
        if item and sibling:
            hierarchy.SetItemParent(item, hierarchy.GetItemParent(sibling))
        return node

    def _addSegment(self, node, segment, labelmap):
        structure = self._structures[segment["key"]]
        segmentId = node.GetSegmentation().AddEmptySegment("", structure["name"], structure["color"])
        if structure["terminology"]:
            node.GetSegmentation().GetSegment(segmentId).SetTag(TERMINOLOGY_TAG, structure["terminology"])
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetBinaryLabelmapToSegment(labelmap, node, segmentId, logic.MODE_REPLACE)
        return segmentId

    def _describe(self, node, segmentId, grid, segment, answer):
        """What is known of it: how sure, where from; edits of it are corrections."""
        confidence.write(node, segmentId, segment["axis"], segment["confidence"])
        anchors.adopt(node, segmentId, grid, segment["axis"])
        markInProgress(segments.segmentOf(node, segmentId))
        info = runInfo(answer)
        provenance.record(
            node,
            segmentId,
            engineVersion=info["engineVersion"],
            weights={"name": info["weightsName"], "sha256": info["weightsSha256"]},
            axis=segment["axis"],
            anchors=dict.fromkeys(segment["anchors"], "found"),
            settings={
                "kind": "transfer",
                "method": self._options["method"],
                "entries": self._entries,
                "annotatedVolumes": len(self._supports),
                "overallConfidence": round(float(segment["overall"]), 3),
                "modality": info["modality"],
                "modalitySource": info["modalitySource"],
            },
            device=info["device"],
        )
