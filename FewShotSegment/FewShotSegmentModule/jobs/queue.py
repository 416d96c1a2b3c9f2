"""Many volumes, one after the other: what the user does with a folder full of patients."""

from contextlib import suppress

import slicer

from ..scene import sequences, volumes
from ..scene.i18n import _
from ..signals import Signal
from .frames import FrameJob
from .job import CANCELLED, DONE, FAILED, RUNNING, WAITING, JobCancelled, JobError
from .outputs import freeOutput, stemOf
from .transfer import TransferJob

NODE, FILE, FRAME = "node", "file", "frame"
NOT_FOUND = "not found"


class QueueItem:
    """One volume in the queue.

    title: for the list.
    kind: "node", "file" or "frame".
    state: "waiting", "running", "done", "not found", "failed" or "cancelled".
    sentence: what has to be said of it: why it failed, what was not found; else empty.
    job: that is at it, or was last; None before.
    resultNode: segmentation node (of a frame: the sequence of segmentations), or None.
    resultFile: path of what was written, or empty.
    """

    def __init__(self, title, kind, source, frame=0):
        self.title = title
        self.kind = kind
        self.source = source
        self.frame = frame
        self._reset()

    def _reset(self):
        self.state = WAITING
        self.sentence = ""
        self.job = None
        self.resultNode = None
        self.resultFile = ""
        self.loadedNode = None

    @property
    def progress(self):
        """job.Progress while it runs, else None."""
        return self.job.progress if self.job is not None and self.state == RUNNING else None


class Queue:
    """Finds structures in volumes of the scene, files and frames of sequences, one at a time.

    One that fails does not keep the others from their turn. Results never replace anything.

    items: QueueItem, in the order of their turns.

    Signals: changed() items came, went, or the queue began or ended; itemChanged(index); finished() nothing is left to
    do.
    """

    def __init__(self, host):
        self.items = []
        self.changed = Signal()
        self.itemChanged = Signal()
        self.finished = Signal()
        self._host = host
        self._settings = None
        self._current = None
        self._sequences = {}  # sequence node → what its results are put into

    # --- what is in it ---

    def addVolume(self, volumeNode):
        """A volume of the scene; frames of a sequence if it is a vtkMRMLSequenceNode. Returns the new items."""
        if volumeNode.IsA("vtkMRMLSequenceNode"):
            return self.addSequence(volumeNode)
        return self._add([QueueItem(volumeNode.GetName() or "", NODE, volumeNode)])

    def addFolder(self, itemId):
        """All volumes below an item of the subject hierarchy. Returns the new items."""
        return [item for node in volumes.folderVolumes(itemId) for item in self.addVolume(node)]

    def addFiles(self, paths):
        """Image files, or folders of DICOM files. Returns the new items."""
        return self._add([QueueItem(stemOf(path), FILE, str(path)) for path in paths])

    def addSequence(self, sequenceNode):
        """All frames of a sequence of volumes. Returns the new items."""
        name = sequenceNode.GetName() or ""
        titles = [
            _("{name}, frame {number}").format(name=name, number=number + 1)
            for number in range(len(sequences.frames(sequenceNode)))
        ]
        return self._add([QueueItem(title, FRAME, sequenceNode, number) for number, title in enumerate(titles)])

    def remove(self, index):
        """Take an item out of the list; it is cancelled first. Results stay."""
        self.cancelItem(index)
        del self.items[index]
        self.changed.emit()

    def clear(self):
        """Empty the list; results stay."""
        self.cancel()
        self.items.clear()
        self.changed.emit()

    def _add(self, items):
        for item in items:
            same = (i for i in self.items if i.source == item.source and i.frame == item.frame and i.state == WAITING)
            if next(same, None) is None:
                self.items.append(item)
        self.changed.emit()
        if self.running:
            self._soon()
        return [item for item in items if item in self.items]

    # --- its course ---

    @property
    def running(self):
        """Whether it was started and is not through."""
        return self._settings is not None

    def start(
        self, supports=(), entries=(), *, library="", method="dspnet", device="auto", weights=None, outputFolder=""
    ):
        """Begin with the first item that waits; returns at once in Slicer.

        Args:
            supports: (volume node, segmentation node, segment IDs or None for all) to look for.
            entries: ids of library entries to look for.
            library: library file; the user's own by default.
            method: few-shot network.
            device: where to compute.
            weights: name of the weights; the bundled ones by default.
            outputFolder: where the results of files are written; beside each file by default.
        """
        if self.running:
            return
        self._settings = {
            "supports": list(supports),
            "entries": list(entries),
            "library": library,
            "method": method,
            "device": device,
            "weights": weights,
        }
        self._outputFolder = outputFolder
        self._sequences = {}
        self.changed.emit()
        self._soon()

    def cancel(self):
        """Stop; what is done stays."""
        for index, item in enumerate(self.items):
            if item.state == WAITING and self.running:
                self._settle(index, CANCELLED)
        if self._current is not None and self._current.job is not None:
            self._current.job.cancel()

    def cancelItem(self, index):
        """Leave out one that waits, or stop the one that runs; the others go on."""
        item = self.items[index]
        if item is self._current:
            item.job.cancel()
        elif item.state == WAITING:
            self._settle(index, CANCELLED)

    def retry(self, index):
        """Let one that failed, was cancelled or was not found wait for its turn again."""
        item = self.items[index]
        if item.state in (FAILED, CANCELLED, NOT_FOUND):
            item._reset()
            self.itemChanged.emit(index)
            if self.running:
                self._soon()

    def wait(self):
        """Block until it is through (for scripts)."""
        while self.running:
            if self._current is not None:
                job = self._current.job
                with suppress(JobError, JobCancelled):  # it is in the item
                    job.wait()
            else:
                self._next()

    def openResult(self, index):
        """Bring an item's result into the scene, if it is not there, and make it visible.

        Returns:
            (volume node or None, segmentation node or None).
        """
        item = self.items[index]
        if item.kind == FRAME:
            return self._openFrame(item)
        volumeNode = item.source
        if item.kind == FILE:
            volumeNode = item.loadedNode
            if _isGone(volumeNode):
                volumeNode = item.loadedNode = slicer.util.loadVolume(volumes.fileToLoad(item.source))
            if _isGone(item.resultNode) and item.resultFile:
                item.resultNode = slicer.util.loadSegmentation(item.resultFile)
        if not _isGone(item.resultNode):
            item.resultNode.SetDisplayVisibility(True)
        return (None if _isGone(volumeNode) else volumeNode), (None if _isGone(item.resultNode) else item.resultNode)

    @staticmethod
    def _openFrame(item):
        if _isGone(item.resultNode) or _isGone(item.source):
            return None, None
        segmentationNode = sequences.showWith(item.source, item.resultNode)
        browser = sequences.browserOf(item.source)
        if browser is None:
            return None, None
        browser.SetSelectedItemNumber(item.frame)
        return browser.GetProxyNode(item.source), segmentationNode

    def _soon(self):
        # not from within the last item's own signals
        self._host.runner.add(self._next)

    def _next(self):
        """Take up the next item; returns False: one call is all there is to it."""
        if not self.running or self._current is not None:
            return False
        item = next((item for item in self.items if item.state == WAITING), None)
        if item is None:
            self._settings = None
            self.changed.emit()
            self.finished.emit()
            return False
        self._current = item
        item.state = RUNNING
        item.job = self._jobOf(item)
        item.job.changed.connect(lambda: self._tell(item))
        item.job.finished.connect(lambda job: self._finished(item, job))
        self._tell(item)
        item.job.start()
        return False

    def _jobOf(self, item):
        if item.kind == FILE:
            output = freeOutput(item.source, self._outputFolder)
            return TransferJob(self._host, queryFile=item.source, output=output, **self._settings)
        if item.kind == FRAME:
            return FrameJob(self._host, item.source, item.frame, self._sequences, **self._settings)
        return TransferJob(self._host, volumeNode=item.source, **self._settings)

    def _finished(self, item, job):
        self._current = None
        item.sentence = job.sentence
        item.state = job.state
        if job.state == DONE:
            item.state = DONE if job.found else NOT_FOUND
            item.sentence = " ".join(job.notes)
            if item.kind == FILE:
                item.resultFile = job.result or ""
            else:
                item.resultNode = job.result
        self._tell(item)
        if self.running:
            self._soon()

    def _settle(self, index, state):
        self.items[index].state = state
        self.itemChanged.emit(index)

    def _tell(self, item):
        if item in self.items:
            self.itemChanged.emit(self.items.index(item))


def _isGone(node):
    return node is None or node.GetScene() is None
