"""The inference core: one sweep up and one sweep down through a volume, all segments together.

Going slice by slice with all segments, instead of segment by segment, lets them share each slice's features without
keeping the features of a whole volume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import Cancelled
from ..networks import MemoryEntry, Propagator, SliceFeatures
from ..preprocessing import NormalisedVolume
from ..progress import Progress
from ..settings import Settings
from .features import FeatureStore
from .memory import stack_entries
from .plan import DOWN, UP
from .segment import RunState, SegmentTask, stack_priors


class Sweep:
    """Carries segments through a volume."""

    def __init__(
        self,
        network: Propagator,
        volume: NormalisedVolume,
        tasks: Sequence[SegmentTask],
        device: torch.device,
        settings: Settings,
        segments_per_call: int = 1,
    ):
        self._network = network
        self._volume = volume
        self._tasks = tasks
        self._device = device
        self._settings = settings
        self._segments_per_call = segments_per_call
        self._done = 0
        self._total = sum(len(run) for task in tasks for run in task.runs)

    @torch.inference_mode()
    def run(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        store: FeatureStore | None = None,
    ) -> None:
        """Fill in all tasks.

        Args:
            progress: called after every slice.
            cancelled: asked before every slice.
            store: features of this volume, kept from sweep to sweep; one for this sweep alone by default.

        Raises:
            Cancelled: `cancelled` said yes.
        """
        up, down = self._wanted(UP), self._wanted(DOWN)
        if store is None:
            bound = self._settings.feature_cache_bytes
            store = FeatureStore(self._network, self._volume, self._device, up & down, bound)
        if progress:
            progress(0, self._total)
        for direction, wanted in ((UP, sorted(up)), (DOWN, sorted(down, reverse=True))):
            if direction == DOWN:
                store.on_the_way_back()
            for index in wanted:
                if cancelled and cancelled():
                    raise Cancelled()
                self._visit(index, direction, store)
                if progress:
                    progress(self._done, self._total)

    def _wanted(self, direction: int) -> set[int]:
        """Slices that may be looked at in this direction, anchors included."""
        wanted: set[int] = set()
        for task in self._tasks:
            for run in task.runs:
                if run.direction == direction:
                    wanted.update(range(min(run.anchor, run.last), max(run.anchor, run.last) + 1))
        return wanted

    def _visit(self, index: int, direction: int, store: FeatureStore) -> None:
        """All that happens on one slice: runs under way are carried on, new ones set out."""
        due = [(task, state) for task in self._tasks if (state := task.due(index)) is not None]
        starting = [task for task in self._tasks if task.starts_at(index, direction)]
        to_remember = [task for task in starting if not task.remembers(index)]
        if due or to_remember:
            start = time.perf_counter()
            image, features = store.get(index)
            _share_time([task for task, _ in due] + to_remember, start)
            for position in range(0, len(due), self._segments_per_call):
                self._carry_on(index, due[position : position + self._segments_per_call], image, features)
            for task in to_remember:
                start = time.perf_counter()
                mask = task.anchor_mask(index, self._device)
                task.remember(index, self._network.remember(image, features, mask))
                _share_time([task], start)
        for task in starting:
            task.set_out(index, direction, self._device)

    def _carry_on(
        self, index: int, chunk: list[tuple[SegmentTask, RunState]], image: Tensor, features: SliceFeatures
    ) -> None:
        """Read, decode and remember one slice for some segments."""
        start = time.perf_counter()
        for batch in _same_length(chunk):
            states = [state for _, state in batch]
            readout = self._network.read(features, stack_entries([state.memory.entries() for state in states]))
            logits, _ = self._network.decode(features, readout, stack_priors(states))
            going_on = []
            for (task, state), own in zip(batch, logits.split(1), strict=True):
                if task.settle(state, index, own):
                    state.prior = own.sigmoid()
                    going_on.append(state)
                    self._done += 1
                else:  # the slices that this run will not visit any more are done too
                    self._done += 1 + abs(state.run.last - index)
            if going_on:
                entries = self._network.remember(image, features, stack_priors(going_on))
                for state, *parts in zip(going_on, *(part.split(1) for part in entries), strict=True):
                    state.memory.add(MemoryEntry(*parts))
        _share_time([task for task, _ in chunk], start)


def _share_time(tasks: list[SegmentTask], start: float) -> None:
    """Put the time since `start` down to these segments, in equal shares."""
    for task in tasks:
        task.seconds += (time.perf_counter() - start) / len(tasks)


def _same_length(chunk: list[tuple[SegmentTask, RunState]]) -> list[list[tuple[SegmentTask, RunState]]]:
    """Segments whose memories have the same number of entries, so that they can be stacked."""
    groups: dict[int, list[tuple[SegmentTask, RunState]]] = {}
    for task, state in chunk:
        groups.setdefault(len(state.memory.entries()), []).append((task, state))
    return list(groups.values())
