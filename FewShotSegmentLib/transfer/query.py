"""The query volume: its slices as the networks see them, and their features, encoded once for all segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import Cancelled
from ..images.geometry import Geometry
from ..networks import FewShotNetwork
from ..preprocessing import NormalisedVolume, normalise
from ..progress import Progress
from ..settings import Settings
from .frame import Frame, find_body

BATCH = 4
"""Slices encoded together: a GPU gains more with more, a CPU nothing from 4 on."""


@dataclass(frozen=True)
class Query:
    """A volume in which organs are to be found.

    Attributes:
        array: [z, y, x], as it was read.
        frame: its pixels as the networks see them.
        grid: its slices along `frame.axis`.
        features: [n, C, h, w] in half precision, on the CPU: 0.4 MB a slice.
    """

    array: NDArray[np.generic]
    frame: Frame
    grid: NormalisedVolume
    features: Tensor

    @property
    def spacing(self) -> float:
        """Distance of two slices in mm."""
        return self.frame.geometry.spacing[self.frame.axis]


def read_query(
    array: NDArray[np.generic],
    geometry: Geometry,
    axis: int,
    modality: str,
    network: FewShotNetwork[Any],
    device: torch.device,
    settings: Settings,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Query:
    """Normalise and encode a volume.

    Args:
        array: [z, y, x], any real type; not changed.
        geometry: of the array.
        axis: array axis across the slices.
        modality: "ct" or "mr".
        network: whose features are wanted.
        device: where to compute.
        settings: as in `normalise`.
        progress: called with (slices done, slices in all).
        cancelled: asked before every batch.

    Raises:
        InputError: see `normalise`.
        Cancelled: `cancelled` said yes.
    """
    slices = np.moveaxis(array, axis, 0)
    spacing = geometry.spacing[:axis] + geometry.spacing[axis + 1 :]
    grid = normalise(slices, (spacing[0], spacing[1]), modality, settings)
    pixel = [n * s / m for n, s, m in zip(grid.native, spacing, grid.size, strict=True)]
    frame = Frame(geometry, axis, grid.size, (pixel[0], pixel[1]), find_body(grid.slices))
    features = []
    for start in range(0, len(grid.slices), BATCH):
        if cancelled and cancelled():
            raise Cancelled()
        batch = grid.slices[start : start + BATCH, None].to(device)
        features.append(network.embed(batch).half().cpu())
        if progress:
            progress(min(start + BATCH, len(grid.slices)), len(grid.slices))
    return Query(array, frame, grid, torch.cat(features))
