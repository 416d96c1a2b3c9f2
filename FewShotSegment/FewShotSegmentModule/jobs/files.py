"""Voxels on their way to the worker: files in the client's private folder, written in pieces."""

import itertools
import shutil
import tempfile
from contextlib import contextmanager, suppress

import numpy as np

from ..scene import geometry, voxels
from ..scene.i18n import _
from ..scene.modality import modalityOf
from .job import JobError

KEPT = 2
"""Volumes whose files stay although no job needs them: the one that is corrected again and again, and one before it."""


@contextmanager
def plainWriteErrors(folder):
    """Say in one sentence what kept a file from being written (as a rule a full disk)."""
    try:
        yield
    except OSError as error:
        raise JobError(
            _("The voxels could not be written to {folder}: {reason}. Free some space there and try again.").format(
                folder=folder, reason=error.strerror or error
            ),
            repr(error),
        ) from error


class VolumeFiles:
    """Files of volumes, each written once and kept as long as it is of use.

    folder: returns the folder; called at first use only.
    onForget: called with the key of a volume whose file has gone.
    """

    def __init__(self, folder, onForget):
        self._folder = folder
        self._onForget = onForget
        self._paths = {}  # key → path, the ones used last at the end
        self._users = {}  # key → number of jobs that need it
        self._gone = set()  # keys of volumes that are no longer in the scene
        self._numbers = itertools.count(1)

    def refSteps(self, volumeNode):
        """Write a volume, unless it is there; call `release` with the key when it is no longer needed.

        Yields:
            After each piece of at most 8 MB.

        Returns:
            messages.VolumeRef.

        Raises:
            SceneError: the engine cannot take the volume, or it was changed meanwhile.
            JobError: it cannot be written.
        """
        from FewShotSegmentLib.worker.messages import VolumeRef

        key = voxels.volumeKey(volumeNode)
        if key not in self._paths or not self._paths[key].is_file():  # systems tidy up temporary folders
            with plainWriteErrors(tempfile.gettempdir()):
                folder = self._folder() / "volumes"
            # of its own, since two jobs may write the same volume at the same time
            path = folder / f"{next(self._numbers)}-{key}.npy"
            with plainWriteErrors(folder):
                folder.mkdir(exist_ok=True)
                yield from voxels.writeVolumeSteps(volumeNode, path)
            if key in self._paths and self._paths[key].is_file():
                path.unlink(missing_ok=True)
            else:
                self._paths[key] = path
        self._paths[key] = self._paths.pop(key)
        self._users[key] = self._users.get(key, 0) + 1
        self._tidy()
        return VolumeRef(
            key=key,
            file=str(self._paths[key]),
            ijk_to_lps=[[float(value) for value in row] for row in geometry.ijkToLps(volumeNode)],
            modality=modalityOf(volumeNode),
            name=volumeNode.GetName() or "the volume",
        )

    def release(self, key):
        """A job no longer needs a volume's file."""
        self._users[key] = self._users.get(key, 0) - 1
        if self._users[key] <= 0:
            self._users.pop(key)
        self._tidy()

    def forgetAll(self):
        """The volumes are gone from the scene: their voxels go too, as soon as no job needs them."""
        self._gone.update(self._paths)
        self._tidy()

    def _tidy(self):
        """Let go of what nobody needs, but for the last ones; of one node, only the newest stays."""
        unused = [key for key in self._paths if key not in self._users]
        newest = {key.split("-", 1)[0]: key for key in self._paths}
        outdated = [key for key in unused if newest[key.split("-", 1)[0]] != key or key in self._gone]
        others = [key for key in unused if key not in outdated]
        for key in [*outdated, *others[: max(0, len(others) - KEPT)]]:
            with suppress(OSError):  # Windows keeps what the worker has open; the folder goes with the client
                self._paths.pop(key).unlink(missing_ok=True)
            self._gone.discard(key)
            self._onForget(key)


class JobFolder:
    """A folder in the client's private one for the files of one job; made at first use."""

    _numbers = itertools.count(1)

    def __init__(self, client):
        self._client = client
        self._path = None
        self._names = itertools.count()

    @property
    def path(self):
        """Of it."""
        if self._path is None:
            with plainWriteErrors(tempfile.gettempdir()):
                path = self._client.folder / "jobs" / str(next(self._numbers))
                path.mkdir(parents=True)
            self._path = path
        return self._path

    def writeSteps(self, shape, stacks):
        """Write masks of slices as one `.npy` uint8, in pieces.

        Args:
            shape: of the whole, (slices, rows, columns).
            stacks: yields pieces of it, [n, rows, columns], each at most some MB.

        Yields:
            After each piece.

        Returns:
            The path, as text.
        """
        path = self.path / f"{next(self._names)}.npy"
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(int(size) for size in shape)}
        with plainWriteErrors(self.path), open(path, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for stack in stacks:
                stream.write(np.ascontiguousarray(stack, np.uint8).data)
                yield
        return str(path)

    def remove(self):
        """Remove it; what the worker has open under Windows stays until the client's folder goes."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None
