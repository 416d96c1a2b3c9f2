r"""Where a support's structure lies on each slice of the query, and how sure that is.

Prototypes ask of each cell alone what it is like; which organ it is, its surroundings tell. So the support's cells, the
foreground's and a ring about it, are laid on the query together, in their arrangement, at every displacement d:

.. math:: s(d) = \sum_x w_x \cos\big(f_s(x), f_q(x + d)\big) - \lambda_d \big(1 - e^{-|d|^2 / 2 r^2}\big),

w half on the mask and half on the ring, features standardised for each slice. The few-shot network's own map joins in
where it lies: its mean probability on the displaced mask less that on the ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..networks import FewShotNetwork
from ..networks.prototypes.similarity import standardise
from ..settings import Settings
from .frame import FramedSlice
from .query import Query

_MATCH_CELLS = 32
"""Cells of a slice's longer side at which arrangements are matched; finer maps are averaged (twice as fine costs
16 times as much)."""


_BATCH = 16
"""Slices compared at a time."""


@dataclass(frozen=True)
class Sighting:
    """What one support slice says about every slice of the query.

    Attributes:
        framed: the support's slice.
        scores: [n], about -1 to 1; 1 would be the support's own slice.
        shifts: (rows, columns) in pixels by which the support's mask has to be moved, [n, 2].
    """

    framed: FramedSlice
    scores: Tensor
    shifts: Tensor


def score_slices(memory: Any, query: Query, network: FewShotNetwork[Any], device: torch.device) -> Tensor:
    """The few-shot network's probability of the segment in each cell of all slices, once for all support slices.

    Returns:
        [n, 1, h, w] at the resolution of matching, on the CPU.
    """
    size = _match_size(query)
    maps = []
    for batch in query.features.split(_BATCH):
        share = network.score(memory, batch.to(device).float()).softmax(1)[:, 1:]
        maps.append(F.interpolate(share, size=size, mode="area").cpu())
    return torch.cat(maps)


def locate(
    framed: FramedSlice,
    support_features: Tensor,
    maps: Tensor,
    query: Query,
    device: torch.device,
    settings: Settings,
) -> Sighting:
    """Match one support slice with all slices of the query.

    Args:
        framed: the support's slice in the query's frame.
        support_features: of the slice, [1, C, h, w].
        maps: from `score_slices`.
        query: the volume.
        device: where to compute.
        settings: weights of the place and of the network's map.
    """
    finer = _finer(query)
    support = _standard(support_features, finer)
    cells = F.interpolate(framed.mask[None, None].to(device), size=support.shape[-2:], mode="area")
    weights, ring = _weights(cells)
    box = _box(weights[0, 0] > 0)
    template = (support * weights)[..., box[0], box[1]]
    reach = settings.place_reach * max(support.shape[-2:])
    margin = max(1, round(settings.place_reach * 2 * max(support.shape[-2:])))
    contrast = cells / cells.sum() - ring / ring.sum().clamp_min(1e-6)
    scores, shifts = [], []
    for batch, own in zip(query.features.split(_BATCH), maps.split(_BATCH), strict=True):
        features = _standard(batch.to(device).float(), finer)
        found = F.conv2d(F.pad(features, (margin,) * 4), template)[:, 0]
        rows = torch.arange(found.shape[1], device=device) - margin - box[0].start
        columns = torch.arange(found.shape[2], device=device) - margin - box[1].start
        near = torch.exp(-(rows[:, None] ** 2 + columns[None] ** 2) / (2 * reach**2))
        found = found - settings.place_weight * (1 - near)
        best, where = found.flatten(1).max(1)
        shift = torch.stack([rows[where // len(columns)], columns[where % len(columns)]], 1)
        there = torch.cat([moved(contrast, int(r), int(c)) for r, c in shift])
        best = best + settings.map_weight * (there * own.to(device)).sum((1, 2, 3))
        scores.append(best.clamp_max(1).cpu())
        shifts.append(shift.cpu())
    cell = [n / m for n, m in zip(query.grid.size, support.shape[-2:], strict=True)]
    pixels = (torch.cat(shifts) * torch.tensor(cell)).round().long()
    return Sighting(framed, torch.cat(scores), pixels)


def _finer(query: Query) -> int:
    """How many cells are averaged to one, per side."""
    return max(1, round(max(query.features.shape[-2:]) / _MATCH_CELLS))


def _match_size(query: Query) -> tuple[int, int]:
    height, width = (-(-n // _finer(query)) for n in query.features.shape[-2:])
    return height, width


def _standard(features: Tensor, finer: int) -> Tensor:
    """Unit vectors of standardised features, at the resolution of matching."""
    if finer > 1:
        features = F.avg_pool2d(features, finer, ceil_mode=True)
    return F.normalize(standardise(features), dim=1)


def _weights(cells: Tensor) -> tuple[Tensor, Tensor]:
    """(weights that add up to 1, half on the mask and half on the ring; the ring), both [1, 1, h, w]."""
    touched = (cells > 0.25 * cells.max()).float()
    around = F.max_pool2d(touched, 3, 1, 1)
    around = F.max_pool2d(around, 3, 1, 1)
    ring = around * (1 - cells)
    inside, outside = cells / cells.sum(), ring / ring.sum().clamp_min(1e-6)
    return (inside + outside) / 2 if bool(ring.sum() > 0) else inside, ring


def _box(chosen: Tensor) -> tuple[slice, slice]:
    """Rows and columns that hold all chosen cells of [h, w]."""
    rows, columns = chosen.any(1).nonzero(), chosen.any(0).nonzero()
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def moved(image: Tensor, rows: int, columns: int, empty: float = 0.0) -> Tensor:
    """[…, h, w] moved by whole cells; what comes in from beyond is `empty`."""
    height, width = image.shape[-2:]
    out = torch.full_like(image, empty)
    if abs(rows) >= height or abs(columns) >= width:
        return out
    there = slice(max(0, rows), height + min(0, rows)), slice(max(0, columns), width + min(0, columns))
    here = slice(max(0, -rows), height - max(0, rows)), slice(max(0, -columns), width - max(0, columns))
    out[..., there[0], there[1]] = image[..., here[0], here[1]]
    return out
