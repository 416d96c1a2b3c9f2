"""The support library: annotated slices of one patient that show the engine what to look for in others."""

from ..scene.i18n import _
from .annotated import annotatedRefSteps
from .files import JobFolder
from .job import Job
from .watch import SceneWatch


class LibraryJob(Job):
    """Work on the library; its result is the worker's answer (see messages.Library).

    action: "list", "add", "remove", "import" or "export".
    library: library file; the user's own by default.
    volumeNode, segmentationNode, segmentIds: what to add.
    entries: ids, for "remove" and "export".
    path: file, for "import" and "export".
    """

    def __init__(
        self, host, action="list", *, library="", volumeNode=None, segmentationNode=None, segmentIds=None, entries=(),
        path="",
    ):  # fmt: skip
        super().__init__(host, _("Library"))
        self._action = action
        self._library = str(library)
        self._nodes = (volumeNode, segmentationNode)
        self._segmentIds = segmentIds
        self._entries = [str(entry) for entry in entries]
        self._path = str(path)
        self._folder = JobFolder(host.client)
        self._key = None
        self._watch = None

    def work(self):
        """Write what is to be added; ask."""
        from FewShotSegmentLib.worker.messages import Library

        case = None
        if self._action == "add":
            self._watch = SceneWatch(self._nodes, self.cancel)
            files = self._host.volumeFiles
            refs = yield from annotatedRefSteps(files, self._folder, *self._nodes, self._segmentIds)
            (case,) = refs
            self._key = case.volume.key
        answer = yield Library(
            action=self._action, library=self._library, entries=self._entries, case=case, path=self._path
        )
        self.notes = list(answer.get("notes", ()))
        return answer

    def cleanUp(self):
        """Observers and files."""
        if self._watch is not None:
            self._watch.stop()
        if self._key is not None:
            self._host.volumeFiles.release(self._key)
        self._folder.remove()
