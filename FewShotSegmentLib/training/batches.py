"""What the networks are trained on: sequences for the propagator; few-shot networks take episodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class SequenceBatch(NamedTuple):
    """B sequences: a support slice with its mask, and T slices to which the mask is to be carried.

    Attributes:
        support_images: [B, 1, H, W], zero mean and unit deviation; H and W multiples of 16.
        support_masks: [B, 1, H, W], 0 to 1.
        images: [B, T, H, W], in the order in which they are visited.
        masks: [B, T, H, W], 0 to 1; zeros where the structure is absent.
        other_patient: whether the slices are another patient's than the support, so that places need not agree.
        own_prior: bool [T]: whether the network's own mask or the true one is handed on from slice t; where the true
            one is not known, its own is.
        known: [B, T], 1 where the mask says the truth; others do not count in the loss.
    """

    support_images: Tensor
    support_masks: Tensor
    images: Tensor
    masks: Tensor
    other_patient: bool
    own_prior: Tensor
    known: Tensor

    @property
    def number(self) -> int:
        """How many sequences, B."""
        return len(self.images)

    @property
    def weight(self) -> float:
        """How many masks are known: what the loss is a mean over."""
        return float(self.known.sum())

    @property
    def slices(self) -> int:
        """Slices that pass through the network, supports included."""
        return self.images.shape[0] * (self.images.shape[1] + 1)

    def to(self, device: torch.device) -> SequenceBatch:
        """The same on a device."""
        moved: list[Any] = [value.to(device) if isinstance(value, Tensor) else value for value in self]
        return SequenceBatch(*moved)

    def pieces(self, number: int) -> list[SequenceBatch]:
        """In at most so many pieces along B."""
        along = (*self[:4], self.known)
        cuts = [tensor.tensor_split(min(number, self.number)) for tensor in along]
        return [
            SequenceBatch(support, drawn, images, masks, self.other_patient, self.own_prior, known)
            for support, drawn, images, masks, known in zip(*cuts, strict=True)
        ]
