"""The inference core: one sweep up and one sweep down through a volume, all segments together.

Going slice by slice with all segments, instead of segment by segment, lets them share each slice's features without
keeping the features of a whole volume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import Cancelled
from ..networks import MemoryEntry, Propagator, Refiner, SliceFeatures
from ..networks.refiner import Moved
from ..preprocessing import Window, WindowedVolume
from ..progress import Progress
from ..settings import Settings
from ..stages import Stages
from .features import FeatureStore
from .memory import RunMemory, stack_entries
from .neighbours import NeighbourStore
from .plan import DOWN, UP
from .segment import RunState, SegmentTask

_EPS = 1e-6
"""Probabilities this near to 0 and 1 are as good as certain; their logits stay finite."""


class Sweep:
    """Carries segments through a volume."""

    def __init__(
        self,
        network: Propagator,
        refiner: Refiner | None,
        tasks: Sequence[SegmentTask],
        device: torch.device,
        settings: Settings,
        segments_per_call: int = 1,
        stages: Stages | None = None,
    ):
        """Prepare.

        Args:
            network: the propagator.
            refiner: corrects moved masks; without one they are taken as they are.
            tasks: segments to be carried.
            device: where to compute.
            settings: of the engine.
            segments_per_call: segments of one window that are decoded together.
            stages: where the time goes is added here.
        """
        self._network = network
        self._refiner = refiner
        self._stages = Stages() if stages is None else stages
        self._tasks = tasks
        self._device = device
        self._settings = settings
        self._segments_per_call = segments_per_call
        self._neighbours = NeighbourStore(settings, device)
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
            store = FeatureStore(self._network, self._device, up & down, bound)
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
        for together in _same_window(due):
            tasks = [task for task, _ in together]
            start = time.perf_counter()
            image, features = self._see(store, together[0][1].view, index)
            _share_time(tasks, start)
            for position in range(0, len(together), self._segments_per_call):
                chunk = together[position : position + self._segments_per_call]
                for batch in _same_length(chunk):
                    self._carry_on(index, batch, image, features, store)
        for task in starting:
            start = time.perf_counter()
            if not task.remembers(index):
                image, features = self._see(store, task.view(index), index)
                mask = task.anchor_mask(index, self._device)
                with self._stages.timed("remember"):
                    task.remember(index, self._network.remember(image, features, mask))
            task.set_out(index, direction, self._device, self._neighbours)
            _share_time([task], start)

    def _see(self, store: FeatureStore, view: WindowedVolume, index: int) -> tuple[Tensor, SliceFeatures]:
        with self._stages.timed("encode"):
            return store.get(view, index)

    def _carry_on(
        self,
        index: int,
        batch: list[tuple[SegmentTask, RunState]],
        image: Tensor,
        features: SliceFeatures,
        store: FeatureStore,
    ) -> None:
        """Move, match, decode, refine and remember one slice for some segments of one window."""
        start = time.perf_counter()
        states = [state for _, state in batch]
        with self._stages.timed("register"):
            seen, priors = zip(*(state.guide.move(index, state.prior) for state in states), strict=True)
            prior = torch.cat(priors)
        with self._stages.timed("match and decode"):
            readout = self._network.read(features, stack_entries([state.memory.entries() for state in states]))
            found = self._network.decode(features, readout, prior)[0].sigmoid()
        with self._stages.timed("refine"):
            shown = Moved(*(torch.cat(parts) for parts in zip(*seen, strict=True)))
            logits, presence = self._refine(shown, prior, found)
        going_on = []
        with self._stages.timed("write"):
            for place, (task, state) in enumerate(batch):
                own = logits[place : place + 1]
                if task.settle(state, index, own, presence[place]):
                    state.prior = own.sigmoid()
                    going_on.append((task, state, presence[place]))
                    self._done += 1
                else:  # the slices that this run will not visit any more are done too
                    self._done += 1 + abs(state.run.last - index)
        with self._stages.timed("remember"):
            self._remember(index, going_on, image, features, store)
        _share_time([task for task, _ in batch], start)

    def _remember(
        self,
        index: int,
        going_on: list[tuple[SegmentTask, RunState, float]],
        image: Tensor,
        features: SliceFeatures,
        store: FeatureStore,
    ) -> None:
        """Remember a slice with its masks; a run whose structure has left the window goes on through another one."""
        staying = []
        for task, state, presence in going_on:
            view = task.outgrown(state, presence)
            if view is None:
                staying.append(state)
                continue
            mask = task.move_window(state, view)
            # what it remembers was seen through the old window, so this slice stands for all of it
            entry = self._network.remember(*store.get(view, index), mask)
            state.memory = RunMemory(entry, self._settings.recent_slices)
        if staying:
            entries = self._network.remember(image, features, torch.cat([state.prior for state in staying]))
            for state, *parts in zip(staying, *(part.split(1) for part in entries), strict=True):
                state.memory.add(MemoryEntry(*parts))

    def _refine(self, seen: Moved, moved: Tensor, found: Tensor) -> tuple[Tensor, list[float]]:
        """Logits of three opinions, and how likely each structure is there.

        Args:
            seen: what the refiner sees.
            moved: masks as registration has moved them, [N, 1, h, w].
            found: the propagator's, likewise.
        """
        share, kept = self._settings.network_share, self._settings.moved_share
        if self._refiner is None:
            return torch.logit(share * found + (1 - share) * moved, eps=_EPS), [1.0] * len(moved)
        logits, presence = self._refiner(seen)
        refined = F.interpolate(logits, size=moved.shape[-2:], mode="bilinear", align_corners=False).sigmoid()
        mixed = share * found + (1 - share) * (kept * moved + (1 - kept) * refined)
        # every step blurs the mask that it moves; after forty a cord of a few pixels has no pixel over one half left
        return torch.logit(mixed, eps=_EPS) * self._settings.sharpening, presence.sigmoid().tolist()


def _share_time(tasks: list[SegmentTask], start: float) -> None:
    """Put the time since `start` down to these segments, in equal shares."""
    for task in tasks:
        task.seconds += (time.perf_counter() - start) / len(tasks)


def _same_window(due: list[tuple[SegmentTask, RunState]]) -> list[list[tuple[SegmentTask, RunState]]]:
    """Runs by the window they see slices through: those of one window share a slice's features."""
    groups: dict[Window, list[tuple[SegmentTask, RunState]]] = {}
    for task, state in due:
        groups.setdefault(state.view.window, []).append((task, state))
    return list(groups.values())


def _same_length(chunk: list[tuple[SegmentTask, RunState]]) -> list[list[tuple[SegmentTask, RunState]]]:
    """Segments whose memories have the same number of entries, so that they can be stacked."""
    groups: dict[int, list[tuple[SegmentTask, RunState]]] = {}
    for task, state in chunk:
        groups.setdefault(len(state.memory.entries()), []).append((task, state))
    return list(groups.values())
