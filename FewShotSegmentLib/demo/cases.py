"""What the engine is given: one annotated slice of each organ, cut out of a reference where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..images import Geometry, Segment, write_segmentation
from ..images.output import Found
from .score import Mask, slices_of

_REFERENCE_SLICES = 4
"""A segment on this many neighbouring slices in every direction is a finished one, not a few annotated slices."""


@dataclass(frozen=True)
class Organ:
    """One organ of a case. Masks are made at each call, so that many organs do not take many volumes.

    Attributes:
        segment: Name, colour and all voxels that are known.
        axis: Array axis across which the annotated slices lie.
        annotated: Indices of the annotated slices.
        cut_down: Whether ``segment`` is a reference of which only ``annotated`` is given to the engine.
    """

    segment: Segment
    axis: int
    annotated: tuple[int, ...]
    cut_down: bool

    @property
    def annotation(self) -> Mask:
        """What the engine is given, bool [z, y, x]."""
        mask = self.segment.mask
        return keep_slices(mask, self.axis, self.annotated) if self.cut_down else mask

    @property
    def reference(self) -> Mask | None:
        """The whole organ, bool [z, y, x]; ``None`` where it is not known."""
        return self.segment.mask if self.cut_down else None


def keep_slices(mask: Mask, axis: int, indices: Sequence[int]) -> Mask:
    """A copy of ``mask`` that is empty on all slices along ``axis`` but those in ``indices``."""
    kept = np.zeros_like(mask)
    chosen = [slice(None)] * 3
    for index in indices:
        chosen[axis] = slice(index, index + 1)
        kept[tuple(chosen)] = mask[tuple(chosen)]
    return kept


def middle_slice(mask: Mask, axis: int) -> int:
    """The slice in the middle of the organ's extent: the median of the sorted slices that hold it."""
    slices = slices_of(mask, axis)
    return slices[len(slices) // 2]


def is_reference(mask: Mask) -> bool:
    """Whether a mask is a whole organ: in every direction on neighbouring slices without a gap, and on several."""
    for axis in range(3):
        slices = slices_of(mask, axis)
        if len(slices) < _REFERENCE_SLICES or slices[-1] - slices[0] + 1 > 1.2 * len(slices):
            return False
    return True


def choose_slices(segments: Sequence[Segment], geometry: Geometry, *, complete: bool = False) -> list[Organ]:
    """Decide for each segment what is annotated: a reference is cut down to its middle slice, the rest stays as it is.

    Args:
        segments: On the voxels of the volume.
        geometry: Of the volume.
        complete: Whether all segments are known to be references, however small they are.

    Returns:
        An organ for each segment that holds a voxel.

    Raises:
        InputError: All segments are empty.
    """
    organs = []
    for segment in segments:
        mask = segment.mask
        if not mask.any():
            continue
        if complete or is_reference(mask):
            axis = geometry.acquisition_axis
            organs.append(Organ(segment, axis, (middle_slice(mask, axis),), cut_down=True))
        else:
            axis = min(range(3), key=lambda a: len(slices_of(mask, a)))
            organs.append(Organ(segment, axis, tuple(slices_of(mask, axis)), cut_down=False))
    if not organs:
        raise InputError("The annotation is empty; draw the structure on at least one slice.")
    return organs


def write_annotation(path: Path, organs: Sequence[Organ], geometry: Geometry) -> None:
    """Write what the engine is given as ``.seg.nrrd``.

    Args:
        path: File to write; an older one is replaced.
        organs: Of the case.
        geometry: Of the volume.
    """
    write_segmentation(
        path, [Found(organ.segment, organ.annotation, (organ.axis, organ.annotated)) for organ in organs], geometry
    )
