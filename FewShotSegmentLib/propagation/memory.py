"""What one run remembers: its anchor for good, and the last slices it has been through."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from ..networks import MemoryEntry


class RunMemory:
    """Anchor and recent slices of one run.

    The anchor stays, because every other entry is the run's own work and drifts; the recent slices follow the organ's
    change of shape and place.
    """

    def __init__(self, anchor: MemoryEntry, recent_slices: int):
        self._anchor = anchor
        self._recent: deque[MemoryEntry] = deque(maxlen=recent_slices)

    def add(self, entry: MemoryEntry) -> None:
        """Remember the slice just done; the oldest recent one is forgotten."""
        self._recent.appendleft(entry)

    def entries(self) -> list[MemoryEntry]:
        """Anchor first, then recent slices, latest first."""
        return [self._anchor, *self._recent]


def stack_entries(memories: list[list[MemoryEntry]]) -> list[MemoryEntry]:
    """Memories of several segments, all of the same length, as one batch."""
    return [
        MemoryEntry(*(_stack(parts) for parts in zip(*column, strict=True))) for column in zip(*memories, strict=True)
    ]


def _stack(parts: tuple[Tensor, ...]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
