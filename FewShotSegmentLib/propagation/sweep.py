"""The inference core: one sweep up and one sweep down through a volume, all segments together.

Going slice by slice with all segments, instead of segment by segment, lets them share each slice's features without
keeping the features of a whole volume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ..errors import Cancelled
from ..networks import Propagator, SliceFeatures
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
    def run(self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        """Fill in all tasks.

        Args:
            progress: called after every slice.
            cancelled: asked before every slice.

        Raises:
            Cancelled: `cancelled` said yes.
        """
        up, down = self._wanted(UP), self._wanted(DOWN)
        store = FeatureStore(self._network, self._volume, self._device, up & down, self._settings.feature_cache_bytes)
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
        needs_features = [task for task in starting if task.anchor_entry(index) is None]
        if due or needs_features:
            start = time.perf_counter()
            image, features = store.get(index)
            share = (time.perf_counter() - start) / (len(due) + len(needs_features))
            for task in [task for task, _ in due] + needs_features:
                task.seconds += share
            for chunk in _chunks(due, self._segments_per_call):
                self._carry_on(index, chunk, image, features)
            for task in needs_features:
                self._set_out(index, direction, task, image, features)
        for task in starting:
            if task not in needs_features:
                self._set_out(index, direction, task, None, None)

    def _set_out(
        self, index: int, direction: int, task: SegmentTask, image: Tensor | None, features: SliceFeatures | None
    ) -> None:
        """Start a segment's run from its anchor; the anchor is encoded and remembered once for both directions."""
        start = time.perf_counter()
        mask = self._volume.mask_to_grid(task.anchors[index], self._device)
        entry = task.anchor_entry(index)
        if entry is None:
            assert image is not None and features is not None
            entry = self._network.remember(image, features, mask)
        for run in task.starts_at(index, direction):
            task.start(run, entry, mask)
        task.seconds += time.perf_counter() - start

    def _carry_on(
        self, index: int, chunk: list[tuple[SegmentTask, RunState]], image: Tensor, features: SliceFeatures
    ) -> None:
        """Read, decode and remember one slice for some segments."""
        start = time.perf_counter()
        states = [state for _, state in chunk]
        for batch in _same_length(chunk):
            states = [state for _, state in batch]
            readout = self._network.read(features, stack_entries([state.memory.entries() for state in states]))
            logits, _ = self._network.decode(features, readout, stack_priors(states))
            going_on = []
            for (task, state), own in zip(batch, logits.split(1), strict=True):
                planned = abs(state.run.last - index)
                goes_on = task.settle(state, index, own)
                self._done += 1 + (0 if goes_on else planned)
                if goes_on:
                    state.prior = own.sigmoid()
                    going_on.append(state)
            if going_on:
                entries = self._network.remember(image, features, stack_priors(going_on))
                for position, state in enumerate(going_on):
                    state.memory.add(type(entries)(*(_row(part, position) for part in entries)))
        share = (time.perf_counter() - start) / len(chunk)
        for task, _ in chunk:
            task.seconds += share


def _row(part: Tensor, position: int) -> Tensor:
    return part if part.shape[0] == 1 else part[position : position + 1]


def _chunks(due: list[tuple[SegmentTask, RunState]], size: int) -> Iterator[list[tuple[SegmentTask, RunState]]]:
    for start in range(0, len(due), size):
        yield due[start : start + size]


def _same_length(chunk: list[tuple[SegmentTask, RunState]]) -> list[list[tuple[SegmentTask, RunState]]]:
    """Segments whose memories have the same number of entries, so that they can be stacked."""
    groups: dict[int, list[tuple[SegmentTask, RunState]]] = {}
    for task, state in chunk:
        groups.setdefault(len(state.memory.entries()), []).append((task, state))
    return list(groups.values())
