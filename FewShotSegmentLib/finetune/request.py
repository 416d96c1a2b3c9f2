"""One fine-tuning from start to end: read, check, adapt. What the command line and `TrainingLogic` run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..anchors import find_anchors
from ..errors import Cancelled, InputError
from ..images import Volume, read_annotation, read_volume
from ..images.volume import is_folder
from ..settings import Settings
from ..weights import find_weights_folder
from .settings import FinetuneSettings

if TYPE_CHECKING:
    from .cases import AnnotatedVolume
    from .result import FinetuneResult

Loaded = tuple[list["AnnotatedVolume"], list[str]]
"""(volumes, one for each axis that is annotated across; notes)."""


@dataclass(frozen=True)
class AnnotatedArrays:
    """An annotated volume in memory; see `cases.annotate` for what the attributes are."""

    volume: NDArray[np.generic]
    segments: Mapping[str, Mapping[int, object]]
    axis: int = 0
    spacing: Sequence[float] = (1.0, 1.0, 1.0)
    modality: str = "auto"
    name: str = "the volume"
    complete: bool = False

    def load(self, settings: Settings, most_slices: int) -> Loaded:
        """As fine-tuning uses it."""
        from .cases import annotate  # noqa: PLC0415 - imports torch

        volume, notes = annotate(
            self.volume,
            self.segments,
            axis=self.axis,
            spacing=self.spacing,
            modality=self.modality,
            name=self.name,
            complete=self.complete,
            settings=settings,
            most_slices=most_slices,
        )
        return [volume], notes


@dataclass(frozen=True)
class AnnotatedFiles:
    """An annotated volume in files.

    Attributes:
        volume: image file or DICOM folder.
        annotation: `.seg.nrrd` or labelmap, on the volume's voxels.
        segments: names of the segments to use; all by default.
        axis: array axis across which the annotated slices lie; found from the data by default.
        modality: "auto", "ct" or "mr".
        complete: whether each segment is drawn on all slices that it is on.
    """

    volume: Path
    annotation: Path
    segments: Sequence[str] = ()
    axis: int | None = None
    modality: str = "auto"
    complete: bool = False

    def __post_init__(self) -> None:
        for name in ("volume", "annotation"):
            object.__setattr__(self, name, Path(getattr(self, name)))  # texts serve as paths

    def load(self, settings: Settings, most_slices: int) -> Loaded:
        """As fine-tuning uses it.

        Raises:
            InputError: a file cannot be used, or nothing is annotated.
            GeometryError: the annotation does not lie on the volume's voxels.
        """
        volume = read_volume(self.volume)
        groups, notes = self._find_anchors(volume)

        from .cases import annotate  # noqa: PLC0415 - imports torch: a wrong file name must not wait seconds for it

        volumes = []
        for axis, segments in sorted(groups.items()):
            annotated, more = annotate(
                volume.array,
                segments,
                axis=axis,
                spacing=volume.geometry.spacing,
                modality=self.modality if self.modality != "auto" else volume.modality or "auto",
                name=self.volume.name,
                complete=self.complete,
                settings=settings,
                most_slices=most_slices,
            )
            volumes.append(annotated)
            notes += [note for note in more if note not in notes]
        return volumes, notes

    def check(self) -> None:
        """Raise InputError where a file is not there: the last one's name must not wait for all others to be read."""
        is_folder(self.volume)
        if is_folder(self.annotation):
            raise InputError(f"{self.annotation} is a folder; give the annotation's file.")

    def _find_anchors(self, volume: Volume) -> tuple[dict[int, dict[str, dict[int, NDArray[np.bool_]]]], list[str]]:
        """{axis: {segment: masks}} and notes."""
        annotation = read_annotation(self.annotation, volume.geometry)
        groups: dict[int, dict[str, dict[int, NDArray[np.bool_]]]] = {}
        notes: list[str] = []
        names: set[str] = set()
        for segment in annotation.select(self.segments) if self.segments else annotation.segments:
            mask = segment.mask
            if not mask.any() and not self.segments:
                notes.append(f"{segment.name} is empty and was left out.")
                continue
            anchors = find_anchors(mask, volume.geometry.acquisition_axis, self.axis, segment.name)
            key = segment.name
            while key in names:
                key += "′"  # Slicer allows two segments of one name
            names.add(key)
            groups.setdefault(anchors.axis, {})[key] = anchors.masks
            notes += anchors.notes
        if not groups:
            raise InputError(
                f"The annotation {self.annotation.name} is empty; draw a structure on at least two slices."
            )
        return groups, notes


@dataclass(frozen=True)
class FinetuneRequest:
    """What is to be done; nothing is looked at before `run`.

    Attributes:
        cases: annotated volumes.
        settings: time, steps, rate.
        device: "auto", "cpu", "cuda" or "mps".
        weights: folder or name of the weights to start from; the bundled ones by default.
        engine_settings: how volumes are looked at.
    """

    cases: Sequence[AnnotatedArrays | AnnotatedFiles]
    settings: FinetuneSettings = field(default_factory=FinetuneSettings)
    device: str = "auto"
    weights: str | Path | None = None
    engine_settings: Settings = field(default_factory=Settings)

    def run(
        self,
        progress: Callable[[int, int, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> FinetuneResult:
        """Do it; nothing is written (see `store.WeightsStore.save`).

        Args:
            progress: called with (units done, units in all, what is going on).
            cancelled: asked before every step and every slice.

        Raises:
            InputError: a volume or annotation cannot be used, or there is too little to learn from.
            WeightsError: the weights to start from are not there or damaged.
            DeviceError: the device is not there, or out of memory.
            Cancelled: `cancelled` said yes.
        """
        folder = find_weights_folder(self.weights)
        if not self.cases:
            raise InputError("There is no annotated volume to learn from; give at least one.")
        for case in self.cases:
            if isinstance(case, AnnotatedFiles):
                case.check()
        volumes: list[AnnotatedVolume] = []
        notes: list[str] = []
        for case in self.cases:
            _stop_if(cancelled)
            loaded, more = case.load(self.engine_settings, self.settings.most_slices)
            volumes += loaded
            notes += [note for note in more if note not in notes]

        from .held_out import refuse_too_little  # noqa: PLC0415 - imports torch, as all that follow

        refuse_too_little(volumes)
        _stop_if(cancelled)

        from ..engine import Engine  # noqa: PLC0415
        from .adaptation import adapt  # noqa: PLC0415

        engine = Engine.load(self.device, weights_folder=folder, settings=self.engine_settings)
        return adapt(engine, volumes, self.settings, progress, cancelled, notes)


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled and cancelled():
        raise Cancelled()
