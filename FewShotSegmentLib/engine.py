"""The engine's public face: a volume and an annotated slice in, a segmented volume out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .allocator import keep_freed_memory
from .devices import repeatable, resolve_device, with_less_memory
from .errors import WeightsError
from .networks import Propagator, Refiner
from .progress import Progress
from .propagation import FeatureStore, Result, SegmentTask, Sweep
from .session import VolumeSession
from .settings import Settings
from .stages import Stages
from .weights import WeightsInfo, find_weights, load_refiner, load_state

Anchors = Mapping[int, object]
"""{slice index along the axis: mask [row, column] of bool or 0/1}."""

Prepare = Callable[[torch.device, bool], tuple[list[SegmentTask], FeatureStore | None]]
"""Makes what one attempt works with, from its device and whether memory is short there: tasks with empty results, and
the features kept for them if any are."""


class Engine:
    """A loaded network, ready to carry masks through volumes; make one with `Engine.load`.

    One engine serves any number of volumes, one call at a time. A volume that is worked on again and again (annotate,
    correct, correct once more) is better carried through in a `VolumeSession`.

    Attributes:
        network: the mask propagator, in evaluation mode on `device`.
        device: where it computes.
        weights: the manifest's entry of its weights.
        refiner: corrects masks that have been moved to the next slice; None to take them as they are.
        settings: numbers that shape the result.
        stages: seconds of each stage of the last call.
        notes: what the last call wants its user to know, a sentence each (a guessed modality, a retry).
        modality: ("ct" or "mr", "given" or "guessed") of the last call.
    """

    def __init__(
        self,
        network: Propagator,
        device: torch.device,
        weights: WeightsInfo,
        settings: Settings | None = None,
        refiner: Refiner | None = None,
    ):
        self.settings = settings or Settings()
        self.device = device
        self.weights = weights
        self.network = network.eval().requires_grad_(False).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # faster on a CPU too
        self.refiner = refiner
        if refiner is not None:
            refiner.eval().requires_grad_(False).to(device)
            refiner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.stages = Stages()
        self.notes: list[str] = []
        self.modality = ("", "")

    @classmethod
    def load(
        cls,
        device: str | torch.device = "auto",
        *,
        weights: str | None = None,
        weights_folder: str | Path | None = None,
        settings: Settings | None = None,
    ) -> Engine:
        """Load weights, after checking their checksum.

        On Linux this also sets the process's allocator to keep up to 256 MiB of freed memory (see `allocator`).

        Args:
            device: "auto", "cpu", "cuda", "cuda:1", … or "mps".
            weights: the propagator's name in the manifest; the first one by default.
            weights_folder: folder with a manifest and weights; the bundled one by default. A folder without a refiner
                is used with the bundled one.
            settings: numbers that shape the result.

        Raises:
            DeviceError: the device is not there.
            WeightsError: the weights are missing, damaged or another network's.
        """
        keep_freed_memory()
        where = resolve_device(device)
        folder = Path(weights_folder) if weights_folder else None
        info = find_weights(weights, folder)
        if info.network != "propagator":
            raise WeightsError(
                f"The weights {info.name} are of the network {info.network}, but the propagator's are needed here."
            )
        network = Propagator()
        try:
            network.load_state_dict(load_state(info))
        except RuntimeError as error:
            raise WeightsError(f"The weights {info.name} do not fit the propagator; use others.") from error
        return cls(network, where, info, settings, load_refiner(folder))

    def propagate(
        self,
        volume: NDArray[np.generic],
        anchors: Anchors,
        *,
        axis: int = 0,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        modality: str = "auto",
        slice_range: tuple[int, int] | None = None,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Result:
        """Carry one structure's annotated slices through a volume.

        Args:
            volume: [z, y, x], any real type; CT in HU. Not changed.
            anchors: annotated slices along `axis`; each is kept voxel for voxel. An empty mask says that the structure
                is absent on that slice: it is not carried past it.
            axis: array axis across which the slices lie.
            spacing: mm in array order (z, y, x).
            modality: "ct", "mr", or "auto" to guess from the values (then `notes` says what was guessed).
            slice_range: first and last slice, both included, that may hold the structure; all slices by default.
            progress: called with (slices done, slices in all).
            cancelled: asked before every slice; True stops.

        Returns:
            Mask, probabilities and confidence; see `Result`.

        Raises:
            InputError: something handed in cannot be used.
            DeviceError: out of memory even after retries.
            Cancelled: `cancelled` said yes; nothing is kept.
        """
        return self.propagate_segments(
            volume,
            {"": anchors},
            axis=axis,
            spacing=spacing,
            modality=modality,
            slice_range=slice_range,
            progress=progress,
            cancelled=cancelled,
        )[""]

    def propagate_segments(
        self,
        volume: NDArray[np.generic],
        segments: Mapping[str, Anchors],
        *,
        axis: int = 0,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        modality: str = "auto",
        slice_range: tuple[int, int] | None = None,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        keep_probability: bool = True,
    ) -> dict[str, Result]:
        """Carry several structures through a volume; slices are encoded once for all of them.

        A structure's result does not depend on the others.

        Args:
            volume: as in `propagate`.
            segments: {name: anchors}, all along the same axis.
            axis: as in `propagate`, like all that follow.
            spacing: mm in array order.
            modality: "ct", "mr" or "auto".
            slice_range: first and last slice that may hold a structure.
            progress: slices of all segments count.
            cancelled: asked before every slice.
            keep_probability: False saves 4 bytes a voxel and segment.

        Returns:
            {name: result} in the order given.
        """
        session = VolumeSession(self, volume, axis=axis, spacing=spacing, modality=modality, cache_bytes=0)
        self.notes, self.modality = session.notes, session.modality
        return dict(
            session.propagate(
                segments,
                slice_range=slice_range,
                progress=progress,
                cancelled=cancelled,
                keep_probability=keep_probability,
            )
        )

    def sweep(
        self,
        prepare: Prepare,
        notes: list[str],
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[SegmentTask]:
        """Carry segments through a volume, with less memory or on the CPU if the device has too little (for `session`).

        Args:
            prepare: makes what one attempt works with.
            notes: what had to be done is added here, a sentence each.
            progress: called with (slices done, slices in all); an attempt begins at 0 again.
            cancelled: asked before every slice.

        Returns:
            The tasks of the attempt that fitted, filled in.

        Raises:
            DeviceError: none fitted.
            Cancelled: `cancelled` said yes.
        """

        def attempt(device: torch.device, thrifty: bool, per_call: int) -> list[SegmentTask]:
            tasks, store = prepare(device, thrifty)
            settings = replace(self.settings, feature_cache_bytes=0) if thrifty else self.settings
            # parameters are moved in place, so the network stays where the retry ended: later volumes fit there too
            self.network.to(device)
            if self.refiner is not None:
                self.refiner.to(device)
            self.device = device
            with repeatable(device):
                sweep = Sweep(self.network, self.refiner, tasks, device, settings, per_call, self.stages)
                sweep.run(progress, cancelled, store)
            return tasks

        here = self.device
        per_call = 1 if here.type == "cpu" else self.settings.segments_per_call
        attempts = [("as usual", lambda: attempt(here, False, per_call))]
        if here.type != "cpu":
            attempts.append(("in smaller pieces", lambda: attempt(here, True, 1)))
            attempts.append(("on the CPU", lambda: attempt(torch.device("cpu"), False, 1)))
        return with_less_memory(attempts, notes)
