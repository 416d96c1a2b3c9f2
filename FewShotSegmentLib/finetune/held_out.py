"""Which annotated slices only judge: groups of them, and what is known when a group is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .cases import AnnotatedVolume, evenly

_ANCHORS = 3
"""Annotated slices of a structure that a held-out slice is found from at most, evenly chosen: as in use, where few are
drawn. Between the slices of a complete drawing there is nothing left to find."""

_LONGEST = 24
"""Slices walked from an anchor to the held-out one at most; of a longer way, evenly chosen ones are walked, before and
after alike, so that scoring takes a bounded share of the time."""


@dataclass(frozen=True, order=True)
class Place:
    """A slice of a volume: number of the volume in the list, index along its axis."""

    volume: int
    index: int


@dataclass(frozen=True)
class Way:
    """How a held-out slice is reached.

    Attributes:
        slices: indices that are walked, rising, anchors and the held-out slice among them.
        anchors: those of them whose masks are given.
    """

    slices: tuple[int, ...]
    anchors: tuple[int, ...]


def leave_out(volumes: Sequence[AnnotatedVolume], places: Iterable[Place]) -> list[AnnotatedVolume]:
    """The volumes without any knowledge of these slices."""
    chosen = frozenset(places)
    return [
        volume.without(frozenset(place.index for place in chosen if place.volume == number))
        for number, volume in enumerate(volumes)
    ]


def find_way(volume: AnnotatedVolume, segment: str, index: int) -> Way | None:
    """The way to slice `index` from the annotated slices next to it; None where none of them holds the segment.

    Args:
        volume: of which slice `index` is left out.
        segment: its name.
        index: the held-out slice.
    """
    masks = volume.anchors.get(segment, {})
    filled = volume.filled(segment)
    known = sorted({*evenly(filled, _ANCHORS), *(i for i in masks if not masks[i].any())})
    below = max((i for i in known if i < index), default=None)
    above = min((i for i in known if i > index), default=None)
    anchors = tuple(i for i in (below, above) if i is not None)
    if not any(masks[i].any() for i in anchors):
        return None
    slices = {index, *anchors}
    for anchor in anchors:
        first, last = min(anchor, index), max(anchor, index)
        slices.update(evenly(range(first, last + 1), _LONGEST))
    return Way(tuple(sorted(slices)), anchors)


def choose_folds(volumes: Sequence[AnnotatedVolume], most: int, folds: int) -> list[frozenset[Place]]:
    """Groups of slices to hold out, evenly chosen over volumes and slices.

    With a group left out, every slice of it can still be found from others, and every training has something left to
    learn from.

    Args:
        volumes: all that is annotated.
        most: slices in all.
        folds: groups at most.

    Raises:
        InputError: there is too little to learn from; the text says how much is missing.
    """
    refuse_too_little(volumes)
    groups: list[set[Place]] = [set() for _ in range(folds)]
    for number, place in enumerate(_candidates(volumes, most)):
        turns = [(number + turn) % folds for turn in range(folds)]
        fitting = next((g for g in turns if _can_judge(volumes, groups[g] | {place})), None)
        if fitting is not None:
            groups[fitting].add(place)
    return [frozenset(group) for group in groups if group]


def refuse_too_little(volumes: Sequence[AnnotatedVolume]) -> None:
    """Raise InputError where no structure is drawn on two slices of one volume, or one volume is there twice."""
    seen: dict[tuple[str, int], str] = {}
    for volume in volumes:
        key = volume.identity, volume.axis
        if key in seen:
            both = " and ".join(dict.fromkeys((seen[key], volume.name)))
            raise InputError(
                f"The same volume is given twice ({both}), so a slice that judges would also be learnt from; put its "
                "segments into one annotation."
            )
        seen[key] = volume.name
    counts = [(len(volume.filled(segment)), segment, volume.name) for volume in volumes for segment in volume.anchors]
    if not counts:
        raise InputError("Nothing is annotated; draw a structure on at least two slices of a volume.")
    number, segment, name = max(counts, key=lambda entry: entry[0])
    if number < 2:
        raise InputError(
            f"There is too little to learn from: no structure is drawn on two slices of one volume, one to learn from "
            f"and one to judge by; draw {segment} on at least {2 - number} more slice of {name}."
        )


def _candidates(volumes: Sequence[AnnotatedVolume], most: int) -> list[Place]:
    """Slices to hold out, evenly chosen: about as many of each volume."""
    possible: list[list[Place]] = []
    for number, volume in enumerate(volumes):
        own = [Place(number, i) for i in volume.annotated if _can_judge(volumes, {Place(number, i)})]
        if own:
            possible.append(own)
    possible = [possible[i] for i in evenly(range(len(possible)), most)]
    shares = [most // len(possible) + (i < most % len(possible)) for i in range(len(possible))]
    chosen = []
    for own, share in zip(possible, shares, strict=True):
        number = min(share, len(own))
        chosen += [own[int((i + 0.5) * len(own) / number)] for i in range(number)]
    return chosen


def _can_judge(volumes: Sequence[AnnotatedVolume], group: set[Place]) -> bool:
    """Whether each slice of a group can be found from what is left."""
    left = leave_out(volumes, group)
    for place in group:
        segments = [name for name, masks in volumes[place.volume].anchors.items() if place.index in masks]
        if not any(find_way(left[place.volume], name, place.index) for name in segments):
            return False
    return True
