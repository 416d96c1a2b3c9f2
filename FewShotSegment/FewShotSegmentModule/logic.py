"""The scripting interface: everything that the panel does, for scripts with and without Slicer's windows."""

from typing import NamedTuple

from .jobs import worker
from .jobs.files import VolumeFiles
from .jobs.finetuning import FinetuneJob
from .jobs.job import RequestJob
from .jobs.propagation import PropagationJob
from .jobs.queue import Queue
from .jobs.steprunner import ImmediateRunner, StepRunner
from .jobs.supports import LibraryJob
from .jobs.transfer import TransferJob
from .scene import anchors
from .scene.i18n import _
from .scene.segments import segmentIdsOf

MOST_ERRORS = 10


class Remembered(NamedTuple):
    """A failure, for diagnostics: what was done, what the user was told, and more of it."""

    title: str
    sentence: str
    detail: str


class FewShotSegmentLogic:
    """Propagates annotated slices through volumes, and to other patients' volumes.

    Ten lines that segment a volume from one drawn slice, in Slicer's Python console or in a script; `mask` is a uint8
    array [z, y, x] of the volume's shape in which one slice is drawn:

        from FewShotSegment import FewShotSegmentLogic
        volume = slicer.util.loadVolume("CT.nrrd")
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        liver = segmentation.GetSegmentation().AddEmptySegment("", "Liver")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, liver, volume)
        logic = FewShotSegmentLogic()
        logic.accept(logic.propagate(volume, segmentation))
        slicer.util.saveNode(segmentation, "Liver.seg.nrrd")
        logic.close()

    That logic has a worker of its own; the panel's is `slicer.util.getModuleLogic("FewShotSegment")`.

    Methods that are not called start… wait until they are done. They raise `jobs.job.JobError`, whose text is a
    sentence that says what is wrong and what to do, or `jobs.job.JobCancelled`. Those called start… return a
    `jobs.job.Job` at once. The worker starts with the first request; PyTorch never gets into Slicer's own process.

    lastErrors: the last failures, for diagnostics.
    """

    def __init__(self, makeTransport=None, runner=None):
        """Make one; nothing is started.

        Args:
            makeTransport: returns a `FewShotSegmentLib.worker.transport.Transport`, for tests; the worker's process by
                default.
            runner: runs steps (`jobs.steprunner`); by a timer in Slicer, at once where there is no event loop.
        """
        self.lastErrors = []
        self._makeTransport = makeTransport
        self._client = None
        self._ticker = None
        self._files = None
        self._runner = runner
        self._jobs = []
        self._library = None

    # --- results for scripts: these wait ---

    def propagate(
        self, volumeNode, segmentationNode, segmentIds=None, *, ranges=None, device="auto", weights=None, correct=False
    ):
        """Carry annotated slices through their volume.

        Args:
            volumeNode: CT or MR volume.
            segmentationNode: segmentation with annotated slices.
            segmentIds: segments to propagate; all that something is drawn in by default.
            ranges: (first, last) slice that may hold the structure, or {segment ID: (first, last)}.
            device: "auto", "cpu", "cuda", "cuda:1", … or "mps".
            weights: name of the weights; the bundled ones by default.
            correct: compute only around the slices that were edited since a result was accepted.

        Returns:
            jobs.proposal.Proposal; nothing is written before `accept`.
        """
        return self.startPropagation(
            volumeNode, segmentationNode, segmentIds, ranges=ranges, device=device, weights=weights, correct=correct
        ).wait()

    def accept(self, proposal, editor=None):
        """Write a proposal into its segmentation, as one step that can be undone.

        Args:
            proposal: what `propagate` returned.
            editor: `scene.commit.WidgetEditor` or `LogicEditor` whose masking and overwrite rules hold; by default
                other segments are left as they are.

        Raises:
            JobError: the volume or a segment was changed since the run began: run it again. Nothing was written.
        """
        proposal.accept(editor)

    def reject(self, proposal):
        """Let a proposal go; nothing is written."""
        proposal.discard()

    def adopt(self, volumeNode, segmentationNode, segmentIds=None):
        """Take whole segments, loaded from a file for example, as accepted: edits from now on can be corrected.

        Args:
            volumeNode: volume.
            segmentationNode: segmentation.
            segmentIds: segments; all by default.

        Raises:
            scene.errors.SceneError: a segment is empty.
        """
        for segmentId in segmentIds or segmentIdsOf(segmentationNode):
            anchors.adopt(segmentationNode, segmentId, volumeNode)

    def transfer(
        self, volumeNode, supports=(), entries=(), *, library="", method="dspnet", device="auto", weights=None
    ):
        """Find structures that were annotated in other volumes.

        Args:
            volumeNode: volume to look in.
            supports: [(volume node, segmentation node, segment IDs or None for all)] that show what to look for.
            entries: ids of library entries that do.
            library: library file; the user's own by default.
            method: few-shot network.
            device: as in `propagate`.
            weights: as in `propagate`.

        Returns:
            A new segmentation node, or None if nothing was found.
        """
        return self.startTransfer(
            volumeNode, supports, entries, library=library, method=method, device=device, weights=weights
        ).wait()

    def addToLibrary(self, volumeNode, segmentationNode, segmentIds=None, *, library=""):
        """Add annotated segments to the support library, for other patients' volumes.

        Returns:
            Their ids.
        """
        answer = self.startLibrary(
            "add", volumeNode=volumeNode, segmentationNode=segmentationNode, segmentIds=segmentIds, library=library
        ).wait()
        return answer["added"]

    def libraryEntries(self, library=""):
        """What the library holds: dicts with id, name, color, modality, slices, added, terminology, thumbnail."""
        return self.startLibrary("list", library=library).wait()["entries"]

    def removeFromLibrary(self, entries, library=""):
        """Remove entries from the support library; returns their ids."""
        return self.startLibrary("remove", entries=entries, library=library).wait()["removed"]

    def importLibrary(self, path, library=""):
        """Add what another library file holds; returns the ids."""
        return self.startLibrary("import", path=path, library=library).wait()["added"]

    def exportLibrary(self, path, entries=(), library=""):
        """Write entries (all by default) to a library file of their own, which must not exist; returns its path."""
        return self.startLibrary("export", path=path, entries=entries, library=library).wait()["path"]

    def finetune(self, cases, *, minutes=5.0, steps=None, device="auto", weights=None):
        """Adapt the weights to annotated volumes; they wait until `keepWeights` or `rollBackWeights`.

        Args:
            cases: [(volume node, segmentation node, segment IDs or None)]; None takes the segments whose status is
                completed, or all that something is drawn in.
            minutes: time that it should take.
            steps: of training, in place of minutes.
            device: as in `propagate`.
            weights: to start from, as in `propagate`.

        Returns:
            Report: `better`, `verdict`, `before`, `after`, `scores`, ….
        """
        return self.startFinetuning(cases, minutes=minutes, steps=steps, device=device, weights=weights).wait()

    def keepWeights(self, name):
        """Keep what the last fine-tuning made, under a name that `propagate` can then be given. Returns the name."""
        from FewShotSegmentLib.worker.messages import FinetuneKeep

        return self.startRequest(FinetuneKeep(name=name), _("Keep weights")).wait()["name"]

    def rollBackWeights(self):
        """Drop what the last fine-tuning made, also if it was kept."""
        from FewShotSegmentLib.worker.messages import FinetuneKeep

        self.startRequest(FinetuneKeep(name=""), _("Roll back")).wait()

    def devices(self):
        """What can compute here: a dict with devices, auto, versions, threads."""
        from FewShotSegmentLib.worker.messages import Devices

        return self.startRequest(Devices(), _("Devices")).wait()

    def weightsList(self):
        """Weights that there are: dicts with name, sha256, licence, training_data, bytes, folder, bundled, network."""
        from FewShotSegmentLib.worker.messages import Weights

        return self.startRequest(Weights(), _("Weights")).wait()["weights"]

    # --- for the panel: these return at once ---

    def startPropagation(self, volumeNode, segmentationNode, segmentIds=None, **options):
        """As `propagate`; returns a PropagationJob, whose result is the proposal."""
        self._prepare()
        return PropagationJob(self, volumeNode, segmentationNode, segmentIds, **options).start()

    def startTransfer(self, volumeNode, supports=(), entries=(), **options):
        """As `transfer`; returns a TransferJob, whose result is the segmentation node."""
        self._prepare()
        return TransferJob(self, volumeNode=volumeNode, supports=supports, entries=entries, **options).start()

    def startLibrary(self, action="list", **options):
        """Work on the support library ("list", "add", "remove", "import", "export"); returns a LibraryJob.

        Pictures of the entries stay until the next LibraryJob is done.
        """
        self._prepare()
        job = LibraryJob(self, action, **options)
        job.finished.connect(self._onLibrary)
        return job.start()

    def startFinetuning(self, cases, **options):
        """As `finetune`; returns a FinetuneJob, whose result is the report."""
        self._prepare()
        return FinetuneJob(self, cases, **options).start()

    def startRequest(self, request, title=""):
        """Ask the worker (`FewShotSegmentLib.worker.messages`); returns a Job, whose result is the answer."""
        self._prepare()
        return RequestJob(self, request, title).start()

    def newQueue(self):
        """A `jobs.queue.Queue` of many volumes, files and frames of sequences."""
        return Queue(self)

    # --- for jobs ---

    @property
    def client(self):
        """The worker's client; made at first use. The worker itself starts with the first request."""
        self._prepare()
        return self._client

    @property
    def existingClient(self):
        """The worker's client, or None if there is none yet."""
        return self._client

    @property
    def runner(self):
        """Runs the jobs' own steps."""
        if self._runner is None:
            self._runner = StepRunner() if worker.hasEventLoop() else ImmediateRunner()
        return self._runner

    @property
    def volumeFiles(self):
        """Volumes that the worker was given."""
        self._prepare()
        return self._files

    @property
    def busy(self):
        """Whether a job is not through."""
        return bool(self._jobs)

    @property
    def failures(self):
        """The last failures, the newest last."""
        return list(self.lastErrors)

    def submit(self, request, *, onProgress, onDone, onFailed, onCancelled):
        """Hand a request to the worker; returns the client's ticket."""
        ticket = self.client.submit(
            request, on_progress=onProgress, on_done=onDone, on_failed=onFailed, on_cancelled=onCancelled
        )
        self.watchWorker()
        return ticket

    def watchWorker(self):
        """Let the timer look after the worker for as long as it has something to do."""
        if self._ticker is not None:
            self._ticker.start()

    def begun(self, job):
        """A job has started."""
        self._jobs.append(job)

    def ended(self, job):
        """A job is settled."""
        if job in self._jobs:
            self._jobs.remove(job)

    def remember(self, title, sentence, detail=""):
        """Keep a failure for diagnostics."""
        self.lastErrors.append(Remembered(title, sentence, detail))
        del self.lastErrors[:-MOST_ERRORS]

    def sceneClosed(self):
        """Let go of the voxels of volumes that are gone with their scene, here and in the worker."""
        if self._files is not None:
            self._files.forgetAll()

    def close(self):
        """End all jobs and the worker, and remove its files; the next call starts it anew."""
        for job in list(self._jobs):
            job.cancel(_("Stopped, because the module was closed: nothing was changed."))
        if self._runner is not None:
            self._runner.stop()
        if self._ticker is not None:
            self._ticker.stop()
        client, self._client, self._ticker, self._files, self._library = self._client, None, None, None, None
        if client is not None:
            client.close()

    def _prepare(self):
        if self._client is None:
            self._client, self._ticker = worker.makeClient(self._makeTransport)
            client = self._client
            self._files = VolumeFiles(lambda: client.folder, self._forget)

    def _forget(self, key):
        """The file of a volume is gone: the worker need not keep anything of it, either."""
        from FewShotSegmentLib.worker.messages import Forget

        if self._client is not None and self._client.worker_info is not None:
            self._client.submit(Forget(keys=[key]))
            self.watchWorker()

    def _onLibrary(self, job):
        if job.answer and self._client is not None:
            before, self._library = self._library, job.answer
            if before is not None:
                self._client.discard(before)
