"""From an annotation to anchors: on which plane it was drawn, and what was drawn on each slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from .errors import InputError

AXIS_WORDS = ("z (axis 0)", "y (axis 1)", "x (axis 2)")

_SLAB = 0.25
"""An annotation is flat when its longest stack of neighbouring slices is at most this share of its other extents: two
or three neighbouring slices of an organ still are."""


@dataclass(frozen=True)
class Anchors:
    """One structure's annotated slices.

    Attributes:
        axis: array axis across which they lie.
        masks: {slice index: bool [row, column]}, none empty.
        notes: what its user should know, a sentence each.
    """

    axis: int
    masks: dict[int, NDArray[np.bool_]]
    notes: tuple[str, ...] = ()


def find_anchors(mask: NDArray[np.bool_], acquisition_axis: int, axis: int | None = None, name: str = "") -> Anchors:
    """Anchors of an annotated structure.

    Args:
        mask: bool [z, y, x].
        acquisition_axis: axis taken where the annotation is flat on none.
        axis: axis that its user asked for; found from the data by default.
        name: of the structure, for the text.

    Raises:
        InputError: the annotation is empty, or drawn on two planes and no axis was asked for.
    """
    whose = name or "The structure"
    occupied = [np.flatnonzero(mask.any(axis=tuple(b for b in range(3) if b != a))) for a in range(3)]
    if occupied[0].size == 0:
        raise InputError(f"{whose} is annotated on no slice; draw it on at least one.")
    notes = []
    flat = _flat_axes(occupied)
    if axis is None:
        axis, note = _find_axis(mask, occupied, flat, acquisition_axis, whose)
        notes += [note] if note else []
    elif flat and axis not in flat:
        raise InputError(
            f"{whose} is drawn across {AXIS_WORDS[flat[0]]}, not across {AXIS_WORDS[axis]}; leave out --axis."
        )
    stack = np.moveaxis(mask, axis, 0)
    masks = {int(i): stack[i].copy() for i in occupied[axis]}
    parts = _separate_parts(masks)
    if parts:
        notes.append(
            f"{whose} has {parts[1]} separate parts on slice {parts[0]}; they are carried on as one structure, so give "
            "each its own segment if they are different organs."
        )
    return Anchors(axis, masks, tuple(notes))


def _find_axis(
    mask: NDArray[np.bool_], occupied: list[NDArray[np.int64]], flat: list[int], acquisition_axis: int, whose: str
) -> tuple[int, str | None]:
    """The axis to carry an annotation along, and what has to be said about it."""
    if len(flat) == 1:
        return flat[0], None
    if flat:  # a line or a dot: flat on several axes
        axis = acquisition_axis if acquisition_axis in flat else flat[0]
        return axis, f"{whose} is too thin to tell its plane; it is taken as drawn across {AXIS_WORDS[axis]}."
    planes = _two_planes(mask, occupied)
    if planes:
        raise InputError(
            f"{whose} is annotated on two planes ({planes[0]} and {planes[1]}); keep one, or choose with --axis."
        )
    return acquisition_axis, (
        f"{whose} is annotated on neighbouring slices in all directions; all {occupied[acquisition_axis].size} of them "
        f"across {AXIS_WORDS[acquisition_axis]} are taken as annotated."
    )


def _flat_axes(occupied: list[NDArray[np.int64]]) -> list[int]:
    """Axes on which an annotation is flat: one as a rule, none for a blob, several for a line or a dot."""
    stacks = [_longest_stack(indices) for indices in occupied]
    others = [min(s for b, s in enumerate(stacks) if b != a) for a in range(3)]
    return [a for a in range(3) if stacks[a] == 1 or stacks[a] <= _SLAB * others[a]]


def _longest_stack(indices: NDArray[np.int64]) -> int:
    """Length of the longest run of consecutive indices."""
    return max(len(run) for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1))


def _two_planes(mask: NDArray[np.bool_], occupied: list[NDArray[np.int64]]) -> tuple[str, str] | None:
    """The two slices of different axes that hold nearly all of an annotation, if there are such."""
    total = np.count_nonzero(mask)
    largest = []
    for axis in range(3):
        areas = mask.sum(axis=tuple(b for b in range(3) if b != axis))
        largest.append((int(areas.argmax()), int(areas.max())))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        if min(occupied[a].size, occupied[b].size) < 4:
            continue  # a small blob, not two planes
        both = np.moveaxis(mask, (a, b), (0, 1))[largest[a][0], largest[b][0]]
        covered = largest[a][1] + largest[b][1] - int(both.sum())
        if covered >= 0.9 * total:
            return f"slice {largest[a][0]} of {AXIS_WORDS[a]}", f"slice {largest[b][0]} of {AXIS_WORDS[b]}"
    return None


def _separate_parts(masks: dict[int, NDArray[np.bool_]]) -> tuple[int, int] | None:
    """(slice, number) of parts of similar size that do not touch, on the first slice that has any.

    Specks do not count: a part must have a fifth of the largest one's area.
    """
    for index, mask in masks.items():
        labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True))
        areas = np.bincount(labels.ravel())[1:]
        count = int((areas >= 0.2 * areas.max()).sum())
        if count > 1:
            return index, count
    return None
