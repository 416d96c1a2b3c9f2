"""One episode: supports with masks, queries with masks."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import InputError


class Episode(NamedTuple):
    """A small segmentation task: learn from the supports what to find in the queries.

    Images have zero mean and unit deviation over their volume before the transforms, as `preprocessing.normalise` makes
    them; transforms are not followed by another standardisation, as published. H and W are multiples of 16.

    Attributes:
        support_images: float32 [S, 1, H, W].
        support_masks: float32 [S, H, W], 0 or 1; none is empty.
        query_images: float32 [Q, 1, H, W].
        query_masks: float32 [Q, H, W], 0 or 1; zeros where the structure is absent.
    """

    support_images: Tensor
    support_masks: Tensor
    query_images: Tensor
    query_masks: Tensor

    def padded(self, size: tuple[int, int]) -> Episode:
        """The episode on a larger grid, so that episodes of several volumes can be stacked.

        Args:
            size: H and W wanted; what is added lies right and below, 0 in images (their mean) and masks.

        Raises:
            InputError: the episode is larger than that.
        """
        height, width = self.support_masks.shape[-2:]
        if height > size[0] or width > size[1]:
            raise InputError(f"Slices of {height} × {width} pixels do not fit into {size[0]} × {size[1]}.")
        return Episode(*(F.pad(part, (0, size[1] - width, 0, size[0] - height)) for part in self))
