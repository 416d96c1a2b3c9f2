"""One segment on its way through the volume: its runs, its memory and what it has found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks import MemoryEntry
from ..preprocessing import NormalisedVolume
from ..settings import Settings
from .confidence import slice_confidence
from .fusion import Vote, fuse
from .memory import RunMemory
from .plan import Run, Stretch, plan_runs
from .result import Result


@dataclass
class RunState:
    """A run under way: what it remembers and the mask it carried last ([1, 1, h, w], 0 to 1)."""

    run: Run
    memory: RunMemory
    prior: Tensor


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
        self._votes: dict[int, Vote] = {}
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

    def anchor_mask(self, index: int, device: torch.device) -> Tensor:
        """Mask of anchor `index` as the network sees it, [1, 1, h, w], 0 to 1."""
        return self._volume.mask_to_grid(self.anchors[index], device)

    def remembers(self, index: int) -> bool:
        """Whether anchor `index` has been remembered; once is enough for both directions."""
        return index in self._remembered

    def remember(self, index: int, entry: MemoryEntry) -> None:
        """Keep what anchor `index` is remembered as."""
        self._remembered[index] = entry

    def set_out(self, index: int, direction: int, device: torch.device) -> None:
        """Begin the runs that leave anchor `index` in this direction; it must have been remembered."""
        for run in self.starts_at(index, direction):
            memory = RunMemory(self._remembered[index], self._settings.recent_slices)
            self._under_way.append(RunState(run, memory, self.anchor_mask(index, device)))

    def due(self, index: int) -> RunState | None:
        """The run that visits slice `index` now, if one is still under way (runs of one direction never overlap)."""
        return next((state for state in self._under_way if state.run.visits(index)), None)

    def settle(self, state: RunState, index: int, logits: Tensor) -> bool:
        """Take in what a run found on slice `index` (logits [1, 1, h, w]); False when the run ends there.

        A run towards an open end stops where it finds nothing, or is too unsure of what it finds (then nothing is
        written for that slice); one towards another anchor has no reason to think that the structure ends.
        """
        probability = self._volume.logits_to_native(logits)[0].sigmoid()
        found = bool((probability > 0.5).any())
        if state.run.meets:
            self._meet(state, index, logits, found)
        else:
            confidence = slice_confidence(probability)
            if found and confidence < self._settings.stop_confidence:
                found = False
                self.result.slice_confidence[index] = confidence
            else:
                self._write(index, probability)
        if not found:
            self._stop(state, index)
        elif index == state.run.last:
            self._under_way.remove(state)
        return found and index != state.run.last

    def _meet(self, state: RunState, index: int, logits: Tensor, found: bool) -> None:
        """Between two anchors: wait for the other run's vote, then write what both say."""
        vote = Vote(logits, slice_confidence(logits[0, 0].sigmoid()), abs(index - state.run.anchor))
        other = self._votes.pop(index, None)
        # a run that has lost the structure has no say where the other still sees it: between two anchors it exists
        votes = [v for v in (vote if found else None, other) if v is not None]
        if votes:
            self._write(index, self._volume.logits_to_native(fuse(votes, self._settings.fusion_sharpness))[0].sigmoid())
        else:
            self.result.slice_confidence[index] = vote.confidence
        if found and other is None:
            self._votes[index] = vote

    def _stop(self, state: RunState, index: int) -> None:
        """End a run that found nothing on slice `index`; the slices behind it inherit that slice's confidence."""
        self._under_way.remove(state)
        if not state.run.meets:
            for behind in range(index, state.run.last + state.run.direction, state.run.direction):
                self.result.slice_confidence[behind] = self.result.slice_confidence[index]

    def _write(self, index: int, probability: Tensor) -> None:
        """Write one slice's probabilities [row, column]."""
        self._mask[index] = (probability > 0.5).cpu().numpy()
        if self._probability is not None:
            self._probability[index] = probability.cpu().numpy()
        self.result.slice_confidence[index] = slice_confidence(probability)

    def finish(self) -> Result:
        """The filled result."""
        self.result.find_slices()
        self.result.seconds = self.seconds
        return self.result


def stack_priors(states: list[RunState]) -> Tensor:
    """Priors of several segments as one batch, [N, 1, h, w]."""
    return states[0].prior if len(states) == 1 else torch.cat([state.prior for state in states])
