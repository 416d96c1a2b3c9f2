"""What can go wrong, said in one plain sentence.

Everything that a user can cause or mend is a `FewShotError`: its text is one sentence that says what is wrong and what
to do, fit to be shown as it is. Anything else that is raised is a mistake of ours and keeps its traceback.
"""

from __future__ import annotations


class FewShotError(Exception):
    """Base of all errors meant for the user; ``str(error)`` is one plain sentence."""


class InputError(FewShotError):
    """The volume, the annotation or an argument cannot be used as it is."""


class GeometryError(InputError):
    """Annotation and volume do not lie on the same voxel grid."""


class OutputError(FewShotError):
    """The result cannot be written where it was asked for."""


class WeightsError(FewShotError):
    """The weights file is missing, damaged or not what its manifest says."""


class LibraryError(FewShotError):
    """A support library cannot be used: damaged, of a newer version, in use, or without the entry asked for."""


class DeviceError(FewShotError):
    """The device asked for is not there, or has not enough memory."""


class Cancelled(FewShotError):  # noqa: N818 - a request that was honoured, not a failure
    """The caller asked to stop; nothing was kept."""

    def __init__(self, message: str = "Cancelled: nothing was written."):
        super().__init__(message)
