"""FewShotSegment's engine: annotate one slice of an organ, get the volume.

    from FewShotSegmentLib import Engine

    engine = Engine.load(device="auto")
    result = engine.propagate(volume, {45: mask}, spacing=(5.0, 0.8, 0.8), modality="ct")

Rooms, in the order in which data flows through them: `images` (read, geometry, write), `preprocessing` (normalise),
`networks` (encode, match, decode), `propagation` (remember and carry), `weights`; `engine` puts them together,
`session` keeps what a volume's corrections need, `worker` is all of it as a resident process, and `cli` is a thin
shell. Nothing here imports Slicer or Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import Cancelled, DeviceError, FewShotError, GeometryError, InputError, OutputError, WeightsError
from .settings import Settings
from .version import __version__

if TYPE_CHECKING:
    from .engine import Engine
    from .propagation import Result
    from .session import VolumeSession

__all__ = [
    "Cancelled",
    "DeviceError",
    "Engine",
    "FewShotError",
    "GeometryError",
    "InputError",
    "OutputError",
    "Result",
    "Settings",
    "VolumeSession",
    "WeightsError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is used: `fewshotsegment --help` and Slicer's start must not wait for it."""
    if name == "Engine":
        from .engine import Engine  # noqa: PLC0415

        return Engine
    if name == "Result":
        from .propagation import Result  # noqa: PLC0415

        return Result
    if name == "VolumeSession":
        from .session import VolumeSession  # noqa: PLC0415

        return VolumeSession
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
