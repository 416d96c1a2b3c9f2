"""Episodes across slices: support and queries are different slices, of one volume or of two “patients”."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .contrast import like
from .episode import Episode
from .following import Followed, FollowSettings, Mask, follow
from .training_volume import TrainingVolume
from .transforms import GENTLE, PATIENT, STILL, TransformSettings, apply_transform, draw_transform


@dataclass(frozen=True)
class VolumetricSettings:
    """What is drawn.

    Attributes:
        distance: a query lies at most so many slices from a support.
        absent: chance that a query is a slice past the structure's end (at most `distance` past it); its mask is
            empty. A structure whose end is known is looked for in the first half of the attempts.
        least: share of a slice's pixels that a structure must cover on the support slices, where that can be had: the
            last sliver of a supervoxel shows nothing.
        support: transforms of the supports, one draw for all.
        query: transforms of the queries, one draw for all.
        follow: what counts as the same structure on the next slice.
        attempts: draws until a structure can be followed; then queries are the support slice itself, transformed.
    """

    distance: int = 3
    absent: float = 0.1
    least: float = 0.001
    support: TransformSettings = GENTLE
    query: TransformSettings = GENTLE
    follow: FollowSettings = field(default_factory=FollowSettings)
    attempts: int = 20

    def __post_init__(self) -> None:
        if self.distance < 1 or self.attempts < 1 or not (0 <= self.absent <= 1 and 0 <= self.least <= 1):
            raise InputError(
                "Episodes need a distance and a number of attempts of at least 1, and a chance of absence and a share "
                f"from 0 to 1, not {self.distance}, {self.attempts}, {self.absent} and {self.least}."
            )


VOLUMETRIC = VolumetricSettings()

TWO_PATIENTS = VolumetricSettings(query=PATIENT)


class _Chosen(NamedTuple):
    """Slices and masks of one episode before its transforms."""

    supports: list[int]
    support_masks: list[Mask]
    queries: list[int]
    query_masks: list[Mask]


def volumetric_episode(
    volume: TrainingVolume,
    rng: np.random.Generator,
    shots: int = 1,
    queries: int = 1,
    settings: VolumetricSettings = VOLUMETRIC,
    index: int | None = None,
) -> Episode:
    """Find a superpixel of the support slices on other slices of the same volume.

    Args:
        volume: with superpixels (2D, or better supervoxels, whose ends are known).
        rng: the only source of randomness.
        shots: supports, on different slices where the structure is on so many.
        queries: on other slices than the supports where there are any.
        settings: distances, absence and transforms.
        index: slice to start from; drawn by default. The next one with superpixels is taken where it has none.

    Raises:
        InputError: no such slice, or less than one shot or query.
    """
    return _episode(volume, rng, (shots, queries), settings, index, None)


def two_patients_episode(
    volume: TrainingVolume,
    rng: np.random.Generator,
    shots: int = 1,
    queries: int = 1,
    settings: VolumetricSettings = TWO_PATIENTS,
    index: int | None = None,
    other: TrainingVolume | None = None,
) -> Episode:
    """Find a superpixel of one “patient” in another “patient”.

    Without labels nobody knows where one patient's structure lies in another one. The second “patient” is therefore
    the same volume under one strong, smooth deformation in plane (the same for all queries) and with another contrast,
    shading and noise (`transforms.PATIENT`); so its mask is known exactly. With `other` its grey values also follow
    that volume's: they are mapped, in order, half way to those of the slice at the same relative height. Nothing of
    the other patient's anatomy enters: what is learned is invariance, not how patients differ.

    Args:
        volume: as for `volumetric_episode`.
        rng: the only source of randomness.
        shots: supports.
        queries: slices of the second “patient”.
        settings: with strong transforms for the queries.
        index: slice to start from; drawn by default.
        other: a volume of the same modality that lends its grey values, or None.

    Raises:
        InputError: as for `volumetric_episode`; or `other` is of another modality.
    """
    if other is not None and other.modality != volume.modality:
        raise InputError(
            f"{volume.name} is {volume.modality.upper()} and {other.name} is {other.modality.upper()}; "
            "two patients of one episode must be of one modality."
        )
    return _episode(volume, rng, (shots, queries), settings, index, other)


def _episode(
    volume: TrainingVolume,
    rng: np.random.Generator,
    counts: tuple[int, int],
    settings: VolumetricSettings,
    index: int | None,
    other: TrainingVolume | None,
) -> Episode:
    if min(counts) < 1:
        raise InputError(f"An episode needs at least 1 support and 1 query, not {counts[0]} and {counts[1]}.")
    if index is not None:
        index = volume.next_with_superpixels(index)
    absent = rng.random(counts[1]) < settings.absent
    for attempt in range(settings.attempts + 1):
        last = attempt == settings.attempts
        if 2 * attempt >= settings.attempts:
            absent = np.zeros(counts[1], bool)
        chosen = _choose(volume, rng, counts[0], absent, settings, index, last)
        if chosen is None:
            continue
        rules = replace(settings, support=STILL, query=STILL) if last else settings
        support = _side(volume, chosen.supports, chosen.support_masks, rng, rules.support, None)
        query = _side(volume, chosen.queries, chosen.query_masks, rng, rules.query, other)
        there = torch.tensor([bool(mask.any()) for mask in chosen.query_masks])
        if bool(support[1].flatten(1).any(1).all()) and bool((query[1].flatten(1).any(1) == there).all()):
            break
    return Episode(support[0][:, None], support[1], query[0][:, None], query[1])


def _choose(
    volume: TrainingVolume,
    rng: np.random.Generator,
    shots: int,
    absent: NDArray[np.bool_],
    settings: VolumetricSettings,
    index: int | None,
    anything: bool,
) -> _Chosen | None:
    """A structure and the slices to show it on; None where it is on too few slices, unless anything will do."""
    start = int(rng.choice(volume.usable)) if index is None else index
    superpixel = int(rng.choice(volume.ids_on(start, settings.least)))
    reach = shots + 2 * settings.distance
    masks = _around(volume, start, superpixel, reach, settings.follow)
    present = [i for i in sorted(masks) if masks[i].any()]
    least = settings.least * masks[start].size
    within = max(shots - 1, settings.distance)
    others = [i for i in present if 0 < abs(i - start) <= within and np.count_nonzero(masks[i]) >= least]
    wanted = min(shots - 1, max(0, len(others) - 1))  # one is left for a query
    supports = [start, *(int(i) for i in rng.choice(others, wanted, replace=False))] if wanted else [start]
    near = [i for i in present if i not in supports and _distance(i, supports) <= settings.distance]
    past = [i for i in masks if i not in present and min(abs(i - p) for p in present) <= settings.distance]
    if not anything and (len(supports) < shots or not near or (absent.any() and not past)):
        return None
    supports += [supports[n % len(supports)] for n in range(shots - len(supports))]
    shown = [int(i) for i in rng.permutation(near)] or [start]
    asked = [int(rng.choice(past)) if gone else shown[n % len(shown)] for n, gone in enumerate(absent)]
    return _Chosen(supports, [masks[i] for i in supports], asked, [masks[i] for i in asked])


def _around(
    volume: TrainingVolume, start: int, superpixel: int, reach: int, settings: FollowSettings
) -> dict[int, Mask]:
    """{slice: mask} of all slices within `reach` on which the structure, or its absence, is known."""
    masks: dict[int, Mask] = {}
    for step in (1, -1):
        track: Followed = follow(volume, start, superpixel, step, reach + 1, settings)
        masks |= {start + step * place: mask for place, mask in enumerate(track.masks[: track.known])}
    return masks


def _distance(index: int, supports: list[int]) -> int:
    return min(abs(index - support) for support in supports)


def _side(
    volume: TrainingVolume,
    indices: list[int],
    masks: list[Mask],
    rng: np.random.Generator,
    transforms: TransformSettings,
    other: TrainingVolume | None,
) -> tuple[Tensor, Tensor]:
    """Supports or queries after one transform: images and masks [n, h, w]."""
    images = volume.slices[indices]
    if other is not None:
        middle = int(np.median(indices))
        images = like(images, other.slices[middle * len(other.slices) // len(volume.slices)])
    stack = torch.from_numpy(np.stack(masks))
    return apply_transform(draw_transform(rng, transforms, volume.size), images, stack)
