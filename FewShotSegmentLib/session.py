"""A volume that is worked on again and again: corrections cost their own slices, and none of them is encoded twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from . import checks
from .preprocessing import NormalisedVolume, decide_modality, normalise
from .progress import Progress
from .propagation import FeatureStore, Result, SegmentTask, Stretch, neighbourhood

if TYPE_CHECKING:
    from .engine import Anchors, Engine


@dataclass
class SessionResult(Result):
    """One segment of one call; of a correction only the slices in `renewed` are meant.

    Elsewhere `mask` and `probability` are 0 and `slice_confidence` is 1, as on slices that were never looked at;
    `slices` counts what `mask` holds, and `anchors` are all that were given.

    Attributes:
        renewed: (first, last) of each stretch of slices that this call settled, both included, rising; with the
            earlier result on all other slices it makes up what a call without `around` would give.
    """

    renewed: tuple[Stretch, ...] = ()


class VolumeSession:
    """One volume with what the engine has computed of it.

    Results are those of `Engine.propagate_segments`, bit for bit (on an accelerator, where segments are decoded
    together, up to the rounding of batches of another size). Features follow the engine: when it moves to another
    device or gets another network, those of the old one are let go.

    Attributes:
        notes: what the user should know of this volume and of the last call, a sentence each.
        modality: ("ct" or "mr", "given" or "guessed").
    """

    def __init__(
        self,
        engine: Engine,
        volume: NDArray[np.generic],
        *,
        axis: int = 0,
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        modality: str = "auto",
        cache_bytes: int | None = None,
    ):
        """Take a volume in; it is read at the first call and then let go.

        Args:
            engine: that computes; one call at a time.
            volume: [z, y, x], any real type; CT in HU. Not changed.
            axis: array axis across which the slices lie.
            spacing: mm in array order (z, y, x).
            modality: "ct", "mr", or "auto" to guess from the values.
            cache_bytes: bound on the features kept from call to call, `Settings.session_cache_bytes` by default; 0
                keeps none, and within a call no more than its way back needs.

        Raises:
            InputError: something handed in cannot be used.
        """
        array = checks.check_volume(volume)
        self._engine = engine
        self._axis = checks.check_axis(axis)
        sizes = checks.check_spacing(spacing)
        used, note = decide_modality(checks.check_modality(modality), array)
        self.modality = used, "guessed" if note else "given"
        self._volume_notes = [note] if note else []
        self.notes = list(self._volume_notes)
        self._shape = array.shape
        self._slice_shape = array.shape[: self._axis] + array.shape[self._axis + 1 :]
        self._pixel = sizes[: self._axis] + sizes[self._axis + 1 :]
        self._across = sizes[self._axis]
        self._array: NDArray[np.generic] | None = array
        self._grid: NormalisedVolume | None = None
        self._cache_bytes = engine.settings.session_cache_bytes if cache_bytes is None else cache_bytes
        self._store: FeatureStore | None = None

    def propagate(
        self,
        segments: Mapping[str, Anchors],
        *,
        slice_range: Mapping[str, tuple[int, int]] | tuple[int, int] | None = None,
        around: Mapping[str, Collection[int] | None] | None = None,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        keep_probability: bool = False,
    ) -> dict[str, SessionResult]:
        """Carry structures through the volume, or through the neighbourhood of what has changed.

        Args:
            segments: {name: anchors} with all anchors there are now; see `Engine.propagate`.
            slice_range: first and last slice that may hold a structure, for all or {name: range}.
            around: {name: slices whose anchors are new, changed or gone since the earlier result}. Only slices up to
                the next anchors (or the end of the range) are computed, and those that leave these towards an open
                end, see `neighbourhood`; the rest of the range must be the same as
                for the earlier result. A segment that is not named is computed as a whole. Of a named one every
                anchor may be gone or empty.
            progress: called with (slices done, slices in all), slices of all segments counted; 0 of 0 where there is
                nothing to compute.
            cancelled: asked before every slice.
            keep_probability: True takes 4 bytes more a voxel and segment.

        Returns:
            {name: result} in the order given.

        Raises:
            InputError: something handed in cannot be used.
            DeviceError: out of memory even after retries.
            Cancelled: `cancelled` said yes; no result, but features stay for the next call.
        """
        count = self._shape[self._axis]
        ranges = checks.check_ranges(slice_range, segments, count)
        changed = checks.check_around(around, segments, count)
        checked: dict[str, dict[int, NDArray[np.bool_]]] = {}
        renewed: dict[str, tuple[Stretch, ...]] = {}
        for name, anchors in segments.items():
            new = changed[name]
            checked[name] = checks.check_anchors(
                anchors, count, self._slice_shape, ranges[name], name, may_be_empty=new is not None
            )
            renewed[name] = ((0, count - 1),) if new is None else neighbourhood(new, checked[name], *ranges[name])
        self.notes[:] = self._volume_notes
        self._engine.stages.clear()
        grid = self._normalised()
        results: dict[str, SessionResult] = {}

        def prepare(device: torch.device, thrifty: bool) -> tuple[list[SegmentTask], FeatureStore | None]:
            results.clear()
            tasks = []
            for name, anchors in checked.items():
                results[name] = result = SessionResult(
                    mask=np.zeros(self._shape, bool),
                    probability=np.zeros(self._shape, np.float32) if keep_probability else None,
                    slice_confidence=np.zeros(count, np.float32),
                    anchors=tuple(sorted(anchors)),
                    axis=self._axis,
                    renewed=renewed[name],
                )
                tasks.append(SegmentTask(anchors, ranges[name], result, grid, self._engine.settings, renewed[name]))
            return tasks, self._features(device, thrifty)

        for task in self._engine.sweep(prepare, self.notes, progress, cancelled):
            task.finish()
        return results

    @property
    def kept_bytes(self) -> int:
        """Bytes of features that are kept now."""
        return 0 if self._store is None else self._store.kept_bytes

    def forget(self) -> None:
        """Let go of all features, as when something else needs the memory; the next call encodes anew."""
        self._store = None

    def _normalised(self) -> NormalisedVolume:
        """The volume as the network sees it; made once, after all that is cheaper to refuse has been checked."""
        if self._grid is None:
            assert self._array is not None
            slices = np.moveaxis(self._array, self._axis, 0)
            pixel = self._pixel[0], self._pixel[1]
            with self._engine.stages.timed("normalise"):
                self._grid = normalise(
                    slices, pixel, self.modality[0], self._engine.settings, across=self._across, finest=True
                )
            self._array = None  # a file behind it can be closed
        return self._grid

    def _features(self, device: torch.device, thrifty: bool) -> FeatureStore | None:
        """What is kept for this device; None where nothing is to be kept from call to call."""
        store = self._store
        if store is not None and (thrifty or store.device != device or store.network is not self._engine.network):
            store = self._store = None
        if store is None and self._cache_bytes > 0 and not thrifty:
            store = FeatureStore(self._engine.network, device, None, self._cache_bytes)
            self._store = store
        return store
