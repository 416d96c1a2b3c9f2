"""Annotated volumes as fine-tuning uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import InputError
from ..preprocessing import NormalisedVolume, decide_modality, normalise
from ..settings import Settings
from ..support.collect import volume_id
from .settings import FinetuneSettings

_BEYOND_ENDS = (1, 3)
"""Slices beyond a completely drawn structure's end that are taken as annotated: here it is not."""


@dataclass(frozen=True)
class AnnotatedVolume:
    """One volume with its annotated slices, all across one axis.

    Attributes:
        name: for its user.
        identity: the same for the same voxels.
        grid: slices as the network sees them.
        axis: array axis across which they lie.
        modality: "ct" or "mr".
        anchors: {segment: {slice index: bool [row, column]}}; an empty mask says that the segment is not there.
        hidden: slices that must not be used at all, since they are to judge.
        finest: slices as the engine cuts its windows from them, to judge with; `grid` if None.
    """

    name: str
    identity: str
    grid: NormalisedVolume
    axis: int
    modality: str
    anchors: Mapping[str, Mapping[int, NDArray[np.bool_]]]
    hidden: frozenset[int] = frozenset()
    finest: NormalisedVolume | None = None

    def filled(self, segment: str) -> list[int]:
        """Slices on which a segment is drawn, rising."""
        return sorted(index for index, mask in self.anchors.get(segment, {}).items() if mask.any())

    @property
    def annotated(self) -> list[int]:
        """Slices on which something is annotated, be it absence; rising."""
        return sorted({index for masks in self.anchors.values() for index in masks})

    def without(self, indices: frozenset[int]) -> AnnotatedVolume:
        """The same without any knowledge of these slices."""
        anchors = {
            segment: {index: mask for index, mask in masks.items() if index not in indices}
            for segment, masks in self.anchors.items()
        }
        return replace(self, anchors=anchors, hidden=self.hidden | indices)


def annotate(
    volume: NDArray[np.generic],
    segments: Mapping[str, Mapping[int, object]],
    *,
    axis: int = 0,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    modality: str = "auto",
    name: str = "the volume",
    complete: bool = False,
    settings: Settings | None = None,
    most_slices: int = FinetuneSettings.most_slices,
) -> tuple[AnnotatedVolume, list[str]]:
    """An annotated volume from arrays.

    Args:
        volume: [z, y, x], any real type; CT in HU. Not changed.
        segments: {name: {slice index along `axis`: mask [row, column] of bool or 0/1}}; an empty mask says that the
            segment is absent on that slice.
        axis: array axis across which the slices lie.
        spacing: mm in array order.
        modality: "ct", "mr", or "auto" to guess from the values (then noted).
        name: of the volume, for texts.
        complete: whether each segment is drawn on all slices that it is on, so that it is absent elsewhere.
        settings: how volumes are looked at; the engine's.
        most_slices: of each segment; where more are drawn, evenly chosen ones are used.

    Returns:
        (the annotated volume, what its user should know, a sentence each).

    Raises:
        InputError: nothing is annotated, or something cannot be used.
    """
    array = checks.check_volume(volume)
    axis = checks.check_axis(axis)
    sizes = checks.check_spacing(spacing)
    slices = np.moveaxis(array, axis, 0)
    notes: list[str] = []
    anchors = {}
    for segment, given in segments.items():
        checked = checks.check_anchors(given, len(slices), slices.shape[1:], (0, len(slices) - 1), segment)
        anchors[segment], note = _choose_slices(checked, segment, len(slices), complete, most_slices)
        notes += [note] if note else []
    if not anchors:
        raise InputError(f"No structure is annotated on {name}; draw it on at least two slices.")
    used, note = decide_modality(checks.check_modality(modality), array)
    notes += [note] if note else []
    pixel = sizes[:axis] + sizes[axis + 1 :]
    size, chosen = (pixel[0], pixel[1]), settings or Settings()
    grid = normalise(slices, size, used, chosen, across=sizes[axis])
    finest = normalise(slices, size, used, chosen, across=sizes[axis], finest=True)
    return AnnotatedVolume(name, volume_id(array), grid, axis, used, anchors, finest=finest), notes


def evenly(indices: Sequence[int], most: int) -> list[int]:
    """At most so many of the indices, evenly chosen, the first and the last among them."""
    if len(indices) <= most:
        return list(indices)
    places = np.rint(np.linspace(0, len(indices) - 1, most)).astype(int)
    return [indices[i] for i in places]


def _choose_slices(
    masks: dict[int, NDArray[np.bool_]], segment: str, count: int, complete: bool, most: int
) -> tuple[dict[int, NDArray[np.bool_]], str | None]:
    """The masks to use, rising, with absence beyond the ends where the drawing is complete; and what is to be said."""
    filled = sorted(index for index, mask in masks.items() if mask.any())
    empty = [index for index, mask in masks.items() if not mask.any()]
    chosen = evenly(filled, most)
    note = None
    if len(chosen) < len(filled):
        note = f"{segment} is annotated on {len(filled)} slices; {len(chosen)} of them, evenly spaced, are used."
    kept = {index: masks[index] for index in (*chosen, *evenly(sorted(empty), most))}
    if complete:
        nothing = np.zeros_like(masks[filled[0]])
        for step in _BEYOND_ENDS:
            kept |= {i: nothing for i in (filled[0] - step, filled[-1] + step) if 0 <= i < count and i not in masks}
    return dict(sorted(kept.items())), note
