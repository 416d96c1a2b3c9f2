"""The chosen slices' masks: the propagator takes the support's slice, moved to its place, for the slice next door."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
import torch
from numpy.typing import NDArray

from ..networks import Propagator
from ..propagation import slice_confidence
from .choose import Choice
from .locate import moved
from .query import Query

_SPECK = 0.2
"""Parts below this share of the largest one's area are specks."""


@dataclass(frozen=True)
class DrawnAnchor:
    """One anchor's mask.

    Attributes:
        choice: where it lies and how well it matched.
        mask: bool [row, column] of the query's own pixels.
        probability: float32 [row, column], 0 to 1; 0 where parts were dropped.
        confidence: see `slice_confidence`.
    """

    choice: Choice
    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    confidence: float


def draw_anchor(choice: Choice, query: Query, network: Propagator, device: torch.device) -> DrawnAnchor:
    """Carry a support's mask to the query's slice on which it was found.

    The support's slice is moved as a whole, so that both slices agree in place and the propagator's penalty on distance
    holds; its moved mask is the prior.

    Args:
        choice: support slice and query slice.
        query: the volume.
        network: the mask propagator.
        device: where to compute.
    """
    framed = choice.sighting.framed
    rows, columns = (int(n) for n in choice.sighting.shifts[choice.index])
    image = moved(framed.image, rows, columns, float(framed.image.min()))[None, None].to(device)
    mask = moved(framed.mask, rows, columns)[None, None].to(device)
    if not bool(mask.any()):
        empty = np.zeros(query.grid.native, bool)
        return DrawnAnchor(choice, empty, empty.astype(np.float32), 0.0)
    last = torch.channels_last
    image = image.contiguous(memory_format=last)
    known = network.encode(image)
    entry = network.remember(image, known, mask)
    features = network.encode(query.grid.image(choice.index, device).contiguous(memory_format=last))
    logits, _ = network.decode(features, network.read(features, [entry]), mask)
    probability = query.grid.logits_to_native(logits)[0].sigmoid()
    prior = query.grid.logits_to_native(mask)[0] > 0
    found = _belonging((probability > 0.5).cpu().numpy(), prior.cpu().numpy())
    kept = probability.cpu().numpy() * (found | (probability <= 0.5).cpu().numpy())
    return DrawnAnchor(choice, found, kept, slice_confidence(torch.from_numpy(kept)))


def _belonging(mask: NDArray[np.bool_], prior: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Connected parts of a mask that touch the prior and are no specks; all of it where none touches."""
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    touching = np.zeros(len(areas), bool)
    touching[np.unique(labels[prior])] = True
    if not (areas[touching] > 0).any():
        return mask
    keep = touching & (areas >= _SPECK * areas[touching].max())
    keep[0] = False
    return np.asarray(keep[labels])
