"""Leave-one-slice-out: how well a held-out slice is found from the annotated slices that are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..devices import is_out_of_memory, repeatable
from ..errors import DeviceError
from ..networks import Propagator, Refiner
from ..propagation import Result, SegmentTask, Sweep
from ..settings import Settings
from .cases import AnnotatedVolume
from .held_out import Place, Way, find_way, leave_out

Scored = tuple[Place, str, float]
"""(slice, segment, score)."""


def score_fold(
    network: Propagator,
    refiner: Refiner | None,
    device: torch.device,
    volumes: Sequence[AnnotatedVolume],
    fold: frozenset[Place],
    settings: Settings,
    cancelled: Callable[[], bool] | None = None,
    walked: Callable[[int], None] | None = None,
) -> list[Scored]:
    """Score of each segment on each slice of a fold, found as the engine finds it in use.

    Args:
        network: the propagator, in evaluation mode, on `device`.
        refiner: to be scored with it, likewise.
        device: where to compute.
        volumes: with all that is annotated.
        fold: slices that are left out.
        settings: the engine's.
        cancelled: asked before every slice.
        walked: told how many slices were walked, now and then.

    Returns:
        Dice, 0 to 1; where the segment is annotated as absent, 1 if nothing is found there, else 0.

    Raises:
        Cancelled: `cancelled` said yes.
        DeviceError: out of memory.
    """
    left = leave_out(volumes, fold)
    scores = []
    for place in sorted(fold):
        for segment, masks in volumes[place.volume].anchors.items():
            if place.index not in masks:
                continue
            way = find_way(left[place.volume], segment, place.index)
            if way is None:
                continue
            found = _find(network, refiner, device, left[place.volume], segment, way, place.index, settings, cancelled)
            scores.append((place, segment, score(found, masks[place.index])))
            if walked:
                walked(len(way.slices))
    return scores


def score(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice of two masks of one shape; where the truth is empty, 1 if nothing is found, else 0."""
    if not truth.any():
        return float(not found.any())
    return float(2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth)))


def _find(
    network: Propagator,
    refiner: Refiner | None,
    device: torch.device,
    volume: AnnotatedVolume,
    segment: str,
    way: Way,
    index: int,
    settings: Settings,
    cancelled: Callable[[], bool] | None,
) -> NDArray[np.bool_]:
    """Mask of slice `index`, carried from the way's anchors."""
    slices = list(way.slices)
    whole = volume.finest or volume.grid
    # where slices of a long way are left out, those that are walked lie farther apart
    apart = (slices[-1] - slices[0]) / (len(slices) - 1)
    grid = replace(whole, slices=whole.slices[slices], distance=whole.distance * apart)
    anchors = {slices.index(i): volume.anchors[segment][i] for i in way.anchors}
    result = Result(
        mask=np.zeros((len(slices), *grid.native), bool),
        probability=None,
        slice_confidence=np.zeros(len(slices), np.float32),
        anchors=tuple(anchors),
        axis=0,
    )
    task = SegmentTask(anchors, (0, len(slices) - 1), result, grid, settings)
    try:
        with repeatable(device):
            Sweep(network, refiner, [task], device, settings).run(None, cancelled)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError("The device ran out of memory while fine-tuning was scored; use device cpu.") from None
        raise
    mask: NDArray[np.bool_] = task.finish().mask[slices.index(index)]
    return mask
