"""A run's result together with what the segment holds already."""

import numpy as np

from .. import steps
from .segments import EMPTY, Mask, trim

_PIECE_BYTES = 8 * 1024 * 1024
"""Copied in one piece: some ms."""


def composeMask(current, result, volumeShape, voxels=None, keep=None):
    """`composeMaskSteps` at once."""
    return steps.run(composeMaskSteps(current, result, volumeShape, voxels, keep))


def composeMaskSteps(current, result, volumeShape, voxels=None, keep=None):
    """What the segment is to hold: the result where it was computed, the present segment elsewhere.

    Args:
        current: (mask, origin) of the segment as it is, `segments.readMask`.
        result: messages.SegmentResult.
        volumeShape: (z, y, x) of the volume.
        voxels: the result's mask, uint8 [z, y, x] box; read from `result.file` by default.
        keep: slices that stay as they are though they were computed; the result's anchors by default. A transfer's
            anchors were found, not drawn: pass ().

    Yields:
        After each piece.

    Returns:
        `segments.Mask`.
    """
    if voxels is None:
        voxels = np.load(result.file, mmap_mode="r", allow_pickle=False)
    axis, length = result.axis, volumeShape[result.axis]
    renewed = np.zeros(length, bool)
    for first, last in result.renewed:
        renewed[first : last + 1] = True
    for index in result.anchors if keep is None else keep:
        renewed[index] = False
    old, new = Mask(*current), Mask(voxels, tuple(result.origin))
    boxes = [(mask, taken) for mask, taken in ((old, ~renewed), (new, renewed)) if mask.voxels.size]
    if not boxes:
        return EMPTY
    low = np.min([mask.origin for mask, _ in boxes], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask, _ in boxes], axis=0)
    out = np.zeros(tuple(high - low), np.uint8)
    for mask, taken in boxes:
        place = tuple(slice(o - s, o - s + n) for o, s, n in zip(mask.origin, low, mask.voxels.shape, strict=True))
        here, there = np.moveaxis(out[place], axis, 0), np.moveaxis(mask.voxels, axis, 0)
        indices = np.flatnonzero(taken[mask.origin[axis] : mask.origin[axis] + len(there)])
        most = max(1, _PIECE_BYTES // (there[0].size or 1))
        for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1):
            for first in range(0, run.size, most):
                piece = slice(run[first], run[first : first + most][-1] + 1)
                here[piece] = there[piece]
                yield
    trimmed = trim(out.view(bool), tuple(int(s) for s in low))
    return EMPTY if trimmed is None else Mask(trimmed[0].view(np.uint8), trimmed[1])
