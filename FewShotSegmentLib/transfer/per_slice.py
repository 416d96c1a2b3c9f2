"""The bare few-shot network: every slice segmented on its own, nothing known of its neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import Cancelled
from ..networks import FewShotNetwork
from ..propagation import slice_confidence
from ..settings import Settings
from ..support import Support
from .find import frame_supports, learn, no_overlap
from .query import BATCH, Query
from .result import TransferResult


def segment_slices(
    query: Query,
    supports: Sequence[Support],
    network: FewShotNetwork[Any],
    device: torch.device,
    settings: Settings,
    keep_probability: bool,
    cancelled: Callable[[], bool] | None = None,
) -> TransferResult:
    """Segment every slice with the few-shot network alone.

    The overall confidence is the filled slices' mean, 0 where there are none. A network that sees one slice at a time
    knows little of whether the organ is there at all, so the mask is kept whatever `found` says.

    Args:
        query: the volume, encoded by `network`.
        supports: of the segment.
        network: the few-shot network.
        device: where to compute.
        settings: `support_slices`.
        keep_probability: whether probabilities are wanted.
        cancelled: asked before every batch of slices.

    Raises:
        Cancelled: `cancelled` said yes.
    """
    start = time.perf_counter()
    axis = query.frame.axis
    framed = frame_supports(query, supports, settings)
    memory = learn(framed, network, device)[0] if framed else None
    mask = np.zeros(query.array.shape, bool)
    probability = np.zeros(query.array.shape, np.float32) if keep_probability else None
    sure = np.zeros(len(query.grid.slices), np.float32)
    masks = np.moveaxis(mask, axis, 0)
    chances = None if probability is None else np.moveaxis(probability, axis, 0)
    for first in range(0, len(sure) if framed else 0, BATCH):
        if cancelled and cancelled():
            raise Cancelled()
        features = query.features[first : first + BATCH].to(device).float()
        logits = network.segment(memory, features, query.grid.size)
        found = query.grid.logits_to_native(logits[:, 1:] - logits[:, :1]).sigmoid()
        for index, chance in enumerate(found, first):
            masks[index] = (chance > 0.5).cpu().numpy()
            sure[index] = slice_confidence(chance)
            if chances is not None:
                chances[index] = chance.cpu().numpy()
    filled = masks.any(axis=(1, 2))
    confidence = float(sure[filled].mean()) if filled.any() else 0.0
    sure[filled] *= confidence
    note = "" if framed else no_overlap(supports[0].name)
    seconds = time.perf_counter() - start
    result = TransferResult(mask, probability, sure, confidence, confidence >= 0.5, (), axis, seconds, note)
    result.find_slices()
    return result
