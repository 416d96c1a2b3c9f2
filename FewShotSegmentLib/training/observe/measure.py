"""How good weights are: Dice on labelled volumes, of which the network is given one annotated slice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine import Engine
from ...images.annotation import Annotation, Segment
from ...networks import FewShotNetwork, Propagator
from ...preprocessing import decide_modality
from ...settings import Settings
from ...support import Support, collect_supports
from ...transfer.frame import query_axis
from ...transfer.per_slice import segment_slices
from ...transfer.query import read_query
from ...weights import WeightsInfo
from .labelled import LabelledVolume

_IN_TRAINING = WeightsInfo("in training", Path(), "propagator", "", 0, "", "", "", {})


class Score(NamedTuple):
    """Dice over the whole volume, and over the slices from a structure's first to its last; nan where that is empty."""

    whole: float
    own: float


@dataclass(frozen=True)
class Scored:
    """One structure of one case.

    Attributes:
        group: of the case.
        case: its name.
        structure: its name.
        score: of what was found.
    """

    group: str
    case: str
    structure: str
    score: Score


Measure = Callable[[torch.nn.Module, torch.device], list[Scored]]
"""A network in evaluation mode → scores."""


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Dice of two masks; nan if the truth is empty."""
    if not truth.any():
        return math.nan
    return float(2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth)))


def score(found: NDArray[np.bool_], truth: NDArray[np.bool_], given: Iterable[int]) -> Score:
    """Score of a mask [slice, row, column]; slices that were given would flatter it and are left out."""
    counted = np.ones(len(truth), bool)
    counted[list(given)] = False
    held = np.flatnonzero(truth.any((1, 2)))
    own = counted.copy()
    own[: held[0]] = own[held[-1] + 1 :] = False
    return Score(dice(found[counted], truth[counted]), dice(found[own], truth[own]))


def mean_scores(scored: Sequence[Scored]) -> dict[str, Score]:
    """Mean over each group's structures by group, and over groups under the name ""; nan left out."""
    by_group: dict[str, list[Score]] = {}
    for one in scored:
        by_group.setdefault(one.group or "all", []).append(one.score)
    means = {group: _mean(scores) for group, scores in by_group.items()}
    return means | {"": _mean(list(means.values()))}


def measure_propagator(
    network: Propagator, device: torch.device, cases: Sequence[LabelledVolume], size: int
) -> list[Scored]:
    """One annotated slice, the middle one, is carried through its own volume, as `propagate` does it.

    Args:
        network: in evaluation mode afterwards, and on the device.
        device: where to compute.
        cases: volumes with their structures.
        size: pixels of the longer side of a slice.
    """
    # the network alone: beside a refiner, or registered masks, little of what it has learned would show
    engine = Engine(network, device, _IN_TRAINING, Settings(long_side=size, network_share=1.0))
    return [one for case in cases for one in _carried(engine, case)]


def _carried(engine: Engine, case: LabelledVolume) -> list[Scored]:
    given = {name: case.middle(name) for name in case.masks}
    results = engine.propagate_segments(
        case.volume.array,
        {name: {index: case.stack(name)[index]} for name, index in given.items()},
        axis=case.axis,
        spacing=case.volume.geometry.spacing,
        modality=_modality(case),
        keep_probability=False,
    )
    found = {name: np.moveaxis(result.mask, case.axis, 0) for name, result in results.items()}
    return [_scored(case, name, score(mask, case.stack(name), [given[name]])) for name, mask in found.items()]


@torch.inference_mode()
def measure_few_shot(
    network: FewShotNetwork[Any], device: torch.device, cases: Sequence[LabelledVolume], size: int
) -> list[Scored]:
    """The middle slice of a structure in the case before, of the same group, is the support for every slice of a case.

    The network is alone: slice by slice, nothing is propagated. The support is laid on the query by the directions of
    the world and the bodies' middles, as `transfer --no-propagation` does it. No slice of the query is given.

    Args:
        network: as in `measure_propagator`.
        device: where to compute.
        cases: at least two of a group that share a structure's name; others have no part in it.
        size: pixels of the longer side of a slice.
    """
    network.eval().requires_grad_(False).to(device)
    settings = Settings(long_side=size)
    scored = []
    for support, query in pairs(cases):
        volume = query.volume
        modality, _ = decide_modality(_modality(query), volume.array)
        known: dict[int, Any] = {}
        for name in (n for n in query.masks if n in support.masks):
            shown = _one_slice(support, name, settings)
            axis = query_axis(shown, volume.geometry).axes[0]
            if axis not in known:
                known[axis] = read_query(volume.array, volume.geometry, axis, modality, network, device, settings)
            found = segment_slices(known[axis], [shown], network, device, settings, keep_probability=False).mask
            scored.append(_scored(query, name, score(np.moveaxis(found, query.axis, 0), query.stack(name), [])))
    return scored


def pairs(cases: Sequence[LabelledVolume]) -> list[tuple[LabelledVolume, LabelledVolume]]:
    """(support, query): each case of a group with the one before it, the first with the last, if they share a name."""
    groups: dict[str, list[LabelledVolume]] = {}
    for case in cases:
        groups.setdefault(case.files.group, []).append(case)
    return [
        (group[place - 1], query)
        for group in groups.values()
        for place, query in enumerate(group)
        if len(group) > 1 and group[place - 1].masks.keys() & query.masks.keys()
    ]


def _one_slice(case: LabelledVolume, name: str, settings: Settings) -> Support:
    """A structure with its middle slice annotated."""
    index = case.middle(name)
    layer = np.zeros(case.volume.array.shape, np.uint8)
    np.moveaxis(layer, case.axis, 0)[index] = case.stack(name)[index]
    drawn = Annotation([Segment(name, (1.0, 0.0, 0.0), 1, {}, layer, 1)], case.volume.geometry, {}, case.files.labels)
    supports, _ = collect_supports(
        case.volume, drawn, axis=case.axis, modality=_modality(case), settings=settings
    )  # fmt: skip
    return supports[0]


def _modality(case: LabelledVolume) -> str:
    return case.volume.modality or case.files.modality


def _scored(case: LabelledVolume, name: str, found: Score) -> Scored:
    return Scored(case.files.group, case.files.name, name, found)


def _mean(scores: Sequence[Score]) -> Score:
    columns = (np.array([one[i] for one in scores if not math.isnan(one[i])]) for i in (0, 1))
    return Score(*(float(column.mean()) if len(column) else math.nan for column in columns))
