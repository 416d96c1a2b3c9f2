"""One segment on its way through the volume: its runs, its memory and what it has found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks import MemoryEntry
from ..preprocessing import NormalisedVolume, Window, WindowedVolume, box_of_mask, window_around
from ..settings import Settings
from .confidence import slice_confidence
from .extent import Extent
from .fusion import Vote, fuse
from .guide import Guide
from .memory import RunMemory
from .neighbours import NeighbourStore
from .plan import Run, Stretch, next_behind, plan_runs
from .result import Result
from .taper import Taper, shrink

_GONE = -20.0
"""Logit of a mask that is not there any more."""


@dataclass
class RunState:
    """A run under way.

    Attributes:
        run: where it goes.
        memory: what it remembers, as its window shows it.
        guide: where its mask moves to.
        prior: the mask it carried last, [1, 1, h, w] of its window, 0 to 1.
        taper: how large its masks can be, where it goes towards an open end.
        extent: how far the annotated slices say that the structure reaches, likewise.
    """

    run: Run
    memory: RunMemory
    guide: Guide
    prior: Tensor
    taper: Taper | None = None
    extent: Extent | None = None

    @property
    def view(self) -> WindowedVolume:
        """The window it sees slices through."""
        return self.guide.view


class SegmentTask:
    """Holds one segment's anchors and runs, and writes its slices as they are settled."""

    def __init__(
        self,
        anchors: Mapping[int, NDArray[np.bool_]],
        slice_range: tuple[int, int],
        result: Result,
        volume: NormalisedVolume,
        settings: Settings,
        renewed: Sequence[Stretch] | None = None,
    ):
        """Prepare a segment.

        Args:
            anchors: {slice index: bool [row, column]}.
            slice_range: first and last slice that may be visited.
            result: to be filled; its arrays are all zero.
            volume: the slices it is carried through.
            settings: memory and fusion.
            renewed: stretches from anchor to anchor (see `neighbourhood`) that are to be settled, everything by
                default; nothing is written elsewhere, anchors included.
        """
        renewed = [(0, len(volume.slices) - 1)] if renewed is None else renewed
        self.anchors = dict(anchors)
        self.runs = [run for run in plan_runs(anchors, *slice_range) if run.reaches(renewed)]
        self.result = result
        self.seconds = 0.0
        self._volume = volume
        self._settings = settings
        self._mask = np.moveaxis(result.mask, result.axis, 0)
        self._probability = None if result.probability is None else np.moveaxis(result.probability, result.axis, 0)
        self._remembered: dict[int, MemoryEntry] = {}
        self._votes: dict[int, tuple[Vote, WindowedVolume]] = {}
        self._views: dict[int, WindowedVolume] = {}
        self._under_way: list[RunState] = []
        result.slice_confidence[:] = 1.0
        for index, mask in self.anchors.items():
            if not any(first <= index <= last for first, last in renewed):
                continue
            self._mask[index] = mask
            if self._probability is not None:
                self._probability[index] = mask

    def starts_at(self, index: int, direction: int) -> list[Run]:
        """Runs that leave slice `index` in this direction."""
        return [run for run in self.runs if run.anchor == index and run.direction == direction]

    def view(self, index: int) -> WindowedVolume:
        """The window that anchor `index` is seen through, and so are the runs that leave it."""
        if index not in self._views:
            size = self._volume.size
            window = window_around(box_of_mask(self.anchors[index], size), size, self._settings)
            self._views[index] = self._view(window)
        return self._views[index]

    def _view(self, window: Window) -> WindowedVolume:
        return WindowedVolume(self._volume, window, self._settings.window_size)

    def anchor_mask(self, index: int, device: torch.device) -> Tensor:
        """Mask of anchor `index` as the network sees it, [1, 1, h, w], 0 to 1."""
        return self.view(index).mask_to_grid(self.anchors[index], device)

    def remembers(self, index: int) -> bool:
        """Whether anchor `index` has been remembered; once is enough for both directions."""
        return index in self._remembered

    def remember(self, index: int, entry: MemoryEntry) -> None:
        """Keep what anchor `index` is remembered as."""
        self._remembered[index] = entry

    def set_out(self, index: int, direction: int, device: torch.device, neighbours: NeighbourStore) -> None:
        """Begin the runs that leave anchor `index` in this direction; it must have been remembered."""
        for run in self.starts_at(index, direction):
            memory = RunMemory(self._remembered[index], self._settings.recent_slices)
            mask = self.anchor_mask(index, device)
            guide = Guide(neighbours.get(self.view(index), run), run, index, mask, self._settings)
            state = RunState(run, memory, guide, mask)
            if not run.meets:
                state.taper = self._taper(run)
                diameter = guide.origin.diameter / self._volume.distance
                state.extent = Extent(run, self.anchors, diameter, self._settings)
            self._under_way.append(state)

    def _taper(self, run: Run) -> Taper:
        """Bounds of a run towards an open end; nothing but its anchor and the next one behind it tells of them."""
        behind = next_behind(run, self.anchors)
        step = self._volume.distance
        inner = None if behind is None else (abs(behind - run.anchor) * step, self._area(behind))
        (rows, columns), (native_rows, native_columns) = self._volume.size, self._volume.native
        pixel = rows / native_rows * (columns / native_columns)
        return Taper(self._area(run.anchor), step, pixel, self._settings, inner)

    def _area(self, index: int) -> float:
        """Of anchor `index`'s mask, in pixels of the normalised slices."""
        return float(self._volume.mask_to_grid(self.anchors[index], torch.device("cpu")).sum())

    def outgrown(self, state: RunState, presence: float) -> WindowedVolume | None:
        """The window that a run needs from now on, where its mask has travelled to the edge of the one it has.

        Args:
            state: the run.
            presence: how likely the structure is there, 0 to 1; a doubtful one is not followed.
        """
        view, size, settings = state.view, self._volume.size, self._settings
        mask = state.prior[0, 0] > 0.5
        box = view.box_of(mask)
        if box is None or presence < settings.follow_presence or view.window.holds(box, size):
            return None
        area = float(mask.sum()) * view.pixel_area
        if area > settings.follow_area * state.guide.origin.area:
            return None
        window = window_around(box, size, settings, least=view.window.side)
        return None if window == view.window else self._view(window)

    def move_window(self, state: RunState, view: WindowedVolume) -> Tensor:
        """Go on through another window from the slice just done; returns its mask there, [1, 1, h, w]."""
        native = state.view.logits_to_native(torch.logit(state.prior, eps=1e-6))[0] > 0
        mask = view.mask_to_grid(native.cpu().numpy(), state.prior.device)
        state.guide = state.guide.through(view, mask)
        state.prior = mask
        return mask

    def due(self, index: int) -> RunState | None:
        """The run that visits slice `index` now, if one is still under way (runs of one direction never overlap)."""
        return next((state for state in self._under_way if state.run.visits(index)), None)

    def settle(self, state: RunState, index: int, logits: Tensor, presence: float) -> bool:
        """Take in what a run found on slice `index`; False when the run ends there.

        A run towards an open end stops where it finds nothing, where the structure is more likely not there than there,
        or where it is too unsure of what it finds (then nothing is written for that slice); one towards another anchor
        has no reason to think that the structure ends.

        Args:
            state: the run.
            index: of the slice.
            logits: of its mask, [1, 1, h, w] of its window.
            presence: how likely the structure is there at all, 0 to 1.
        """
        if state.run.meets:
            found = bool((logits > 0).any())
            self._meet(state, index, logits, presence, found)
        else:
            if state.extent is not None:
                presence = state.extent.weigh(presence, abs(index - state.run.anchor))
            if state.taper is not None:
                self._bound(state, state.taper, index, logits, presence)
            probability = state.view.logits_to_native(logits)[0].sigmoid()
            found = bool((probability > 0.5).any())
            confidence = slice_confidence(probability, presence)
            if found and (presence < self._settings.stop_presence or confidence < self._settings.stop_confidence):
                found = False
                gone = presence < self._settings.stop_presence
                self.result.slice_confidence[index] = 1 - presence if gone else confidence
            else:
                self._write(index, probability, confidence)
        if not found:
            self._stop(state, index)
        elif index == state.run.last:
            self._under_way.remove(state)
        return found and index != state.run.last

    def _bound(self, state: RunState, taper: Taper, index: int, logits: Tensor, presence: float) -> None:
        """Make a mask as small as its structure can be by now; `logits` are changed in place."""
        distance = abs(index - state.run.anchor) * self._volume.distance
        unit = state.view.pixel_area
        area = float((logits > 0).sum()) * unit
        bound = taper.bound(distance, presence)
        # every slice's own picture counts too: where slices are thick there are only a few to learn the taper from
        share = min(self._settings.taper_cut, self._settings.taper_unsure * (1 - presence))
        bound = max(bound, (1 - share) * area)
        cut = area > bound
        if cut:
            pixels = round(bound / unit)
            logits.copy_(shrink(logits, pixels) if pixels else torch.full_like(logits, _GONE))
            area = bound
        taper.add(distance, area, cut)

    def _meet(self, state: RunState, index: int, logits: Tensor, presence: float, found: bool) -> None:
        """Between two anchors: wait for the other run's vote, then write what both say."""
        vote = Vote(logits, slice_confidence(logits[0, 0].sigmoid(), presence), abs(index - state.run.anchor))
        own = vote, state.view
        other = self._votes.pop(index, None)
        # a run that has lost the structure has no say where the other still sees it: between two anchors it exists
        votes = [v for v in (own if found else None, other) if v is not None]
        if votes:
            # runs may see the slice through different windows; they agree on the volume's own grid
            same_grid = [replace(v, logits=view.logits_to_native(v.logits)[:, None]) for v, view in votes]
            probability = fuse(same_grid, self._settings.fusion_sharpness)[0, 0].sigmoid()
            self._write(index, probability, max(v.confidence for v in same_grid) * slice_confidence(probability))
        else:
            self.result.slice_confidence[index] = vote.confidence
        if found and other is None:
            self._votes[index] = own

    def _stop(self, state: RunState, index: int) -> None:
        """End a run that found nothing on slice `index`; the slices behind it inherit that slice's confidence."""
        self._under_way.remove(state)
        if not state.run.meets:
            for behind in range(index, state.run.last + state.run.direction, state.run.direction):
                self.result.slice_confidence[behind] = self.result.slice_confidence[index]

    def _write(self, index: int, probability: Tensor, confidence: float) -> None:
        """Write one slice's probabilities [row, column]."""
        self._mask[index] = (probability > 0.5).cpu().numpy()
        if self._probability is not None:
            self._probability[index] = probability.cpu().numpy()
        self.result.slice_confidence[index] = confidence

    def finish(self) -> Result:
        """The filled result."""
        self.result.find_slices()
        self.result.seconds = self.seconds
        return self.result
