"""What looks wrong with an annotation before it is propagated."""

import numpy as np
import vtk

from .geometry import volumeShape
from .grids import imageArray
from .i18n import _

TINY = 25
"""Pixels; a smaller drawing tells the network little."""

_RAGGED = 2.5
"""How many times as long as a circle's of the same area a contour may be; organs with lobes stay below 2."""

_LINE = 60
"""Pixels; what is nowhere broad but smaller than this may well be a small vessel."""

_FAR = 4
"""A slice this many times as far from the next one as the others are from theirs was probably not meant."""


def sliceHints(mask, axis, slices, name, plane, volumeNode):
    """What looks wrong on annotated slices.

    Args:
        mask: `segments.Mask`.
        axis: array axis across the slices.
        slices: indices.
        name: of the segment.
        plane: word for the axis.
        volumeNode: the volume.

    Returns:
        Sentences, each saying what to do; each only once, for the first slice that it is true of.
    """
    rows, columns = (size for other, size in enumerate(volumeShape(volumeNode)) if other != axis)
    origin = [start for other, start in enumerate(mask.origin) if other != axis]
    stack = np.moveaxis(mask.voxels, axis, 0)
    found = {}
    for index in slices:
        picture = stack[index - mask.origin[axis]]
        for kind, text in _pictureHints(picture, origin, (rows, columns)):
            found.setdefault(kind, text.format(name=name, slice=f"{plane} {index}"))
    far = farSlice(slices)
    if far is not None:
        found["far"] = _("{slice} of {name} lies far from the others: check that it was meant.").format(
            name=name, slice=f"{plane} {far}"
        )
    return list(found.values())


def _pictureHints(picture, origin, size):
    """(kind, sentence to be filled in) of one slice."""
    area = int(np.count_nonzero(picture))
    if area < TINY:
        yield "tiny", _("{name} is tiny on {slice}: draw it where it is larger.")
        return
    if area >= 0.98 * size[0] * size[1]:
        yield "whole", _("{name} covers all of {slice}: erase it there and draw only the structure.")
        return
    hole = largestHole(picture)
    if hole > 0.5 * area:
        yield "ring", _("{name} is only an outline on {slice}: fill its inside.")
    elif thin(picture):
        yield "open", _("{name} is only a line on {slice}: close the outline and fill its inside.")
    elif contourRatio(picture) > _RAGGED:
        yield "ragged", _("{name} has a ragged contour on {slice}: smooth it, or draw it again.")
    areas = partAreas(picture)
    if hole <= 0.5 * area and sum(part >= 0.2 * max(areas) for part in areas) > 1:
        yield (
            "parts",
            _("{name} has separate parts on {slice}: use one segment for each, if they are different organs."),
        )
    high = [np.flatnonzero(picture.any(axis=1 - side)) for side in range(2)]
    if any(start + h[0] == 0 or start + h[-1] == n - 1 for start, h, n in zip(origin, high, size, strict=True)):
        yield "border", _("{name} reaches the border of the image on {slice}: check that it was meant.")


def farSlice(slices):
    """A first or last slice that lies much further away from its neighbor than the others do; None if there is none."""
    if len(slices) < 4:
        return None
    gaps = np.diff(slices)
    for end, gap, others in ((slices[0], gaps[0], gaps[1:]), (slices[-1], gaps[-1], gaps[:-1])):
        if gap > _FAR * max(others):
            return int(end)
    return None


def contourRatio(picture):
    """Length of the contour over that of a circle of the same area, on the pixel grid: about 1.3 for a disk."""
    padded = np.pad(picture, 1).astype(bool)
    length = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    return length / (2 * np.sqrt(np.pi * np.count_nonzero(picture)))


def thin(picture):
    """Whether a drawing is a line: nowhere broader than about four pixels, and long for that."""
    inner = np.pad(picture, 2).astype(bool)
    for _turn in range(2):
        inner = inner & np.roll(inner, 1, 0) & np.roll(inner, -1, 0) & np.roll(inner, 1, 1) & np.roll(inner, -1, 1)
    return not inner.any() and np.count_nonzero(picture) > _LINE


def partAreas(picture):
    """Pixels of each part that touches no other, not even at a corner."""
    # a gap of one pixel does not make two organs; and VTK's parts are joined by edges, ours by corners too
    grown = np.pad(picture, 1).astype(bool)
    grown = grown | np.roll(grown, 1, 0)
    grown = grown | np.roll(grown, 1, 1)
    return _labelAreas(grown)


def largestHole(picture):
    """Pixels of the largest region that the drawing encloses; 0 if there is none."""
    outside = _labelAreas(~np.pad(picture, 1).astype(bool), corner=True)
    return max(outside[1:], default=0)


def _labelAreas(picture, corner=False):
    """Pixels of each connected part; with ``corner``, that of the part at the corner first."""
    image = vtk.vtkImageData()
    image.SetDimensions(picture.shape[1], picture.shape[0], 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    imageArray(image)[0] = picture
    parts = vtk.vtkImageConnectivityFilter()
    parts.SetInputData(image)
    parts.SetScalarRange(1, 1)
    parts.SetExtractionModeToAllRegions()
    parts.SetLabelModeToSizeRank()
    parts.SetLabelScalarTypeToInt()
    parts.Update()
    labels = imageArray(parts.GetOutput())[0]
    areas = np.bincount(labels.ravel())
    order = [label for label in range(1, len(areas)) if areas[label]]
    if corner:
        first = int(labels[0, 0])
        order = [first] + [label for label in order if label != first]
    return [int(areas[label]) for label in order]
