"""What is annotated, in words: on which slices, what is missing before it can be propagated, and what looks wrong."""

from typing import NamedTuple

import numpy as np

from . import geometry, quality
from .errors import SceneError
from .i18n import _
from .segments import ownGrid, reader, segmentOf
from .tags import ANCHORS, readTag
from .voxels import checkVolume

SLAB = 0.25
"""An annotation is flat when its longest stack of neighbouring slices is at most this share of its other extents: the
engine's rule (FewShotSegmentLib/anchors.py, which needs SimpleITK, whose import would freeze the panel)."""

_HINTED_SLICES = 12
"""At most so many slices are looked at for hints: whoever has drawn more has drawn a structure, not an annotation."""


class Annotation(NamedTuple):
    """What is drawn of a segment.

    Attributes:
        name: of the segment.
        axis: array axis across the slices; None if nothing is drawn or it cannot be told.
        slices: indices along the axis.
        sentence: what is annotated, "Liver: 1 slice, axial 45".
        problem: why it cannot be propagated and what to do; empty if it can.
        hints: what to look at before, a sentence each.
    """

    name: str
    axis: object
    slices: tuple
    sentence: str
    problem: str
    hints: tuple


def describe(segmentationNode, segmentId, volumeNode, axis=None):
    """Say what is annotated.

    Args:
        segmentationNode: segmentation, or None.
        segmentId: of the segment, or empty.
        volumeNode: volume to propagate in, or None.
        axis: array axis that the user has chosen; by default that of the result that was accepted, or else found from
            what is drawn.
    """
    try:
        checkVolume(volumeNode)
    except SceneError as error:
        return _nothing(str(error))
    if segmentationNode is None:
        return _nothing(_("No segmentation is chosen: choose one, or create a new one."))
    if not segmentId:
        return _nothing(_("There is no segment: add one, and draw the structure on one slice."))
    try:
        name = segmentOf(segmentationNode, segmentId).GetName()
        mask = reader.readMask(segmentationNode, segmentId, volumeNode)
        occupied = reader.occupiedSlices(segmentationNode, segmentId, volumeNode)
        if not occupied[0]:
            return _empty(name, reader.isDrawn(segmentationNode, segmentId), volumeNode)
    except SceneError as error:
        return _nothing(str(error))
    found, problem = storedAxis(segmentationNode, segmentId, volumeNode), ""
    if found is None or axis is not None:
        found, problem = annotationAxis(mask, occupied, volumeNode, name, axis)
    if found is None:
        return Annotation(name, None, (), problem, problem, ())
    slices = occupied[found]
    hints = []
    if len(slices) <= _HINTED_SLICES:
        hints += quality.sliceHints(mask, found, slices, name, geometry.axisWord(volumeNode, found), volumeNode)
    if _otherGrid(segmentationNode, volumeNode):
        hints.append(
            _("{name} is kept on a grid turned against {volume}: draw on the volume's own slices.").format(
                name=segmentationNode.GetName(), volume=volumeNode.GetName()
            )
        )
    return Annotation(name, found, slices, sentenceOf(name, slices, volumeNode, found), problem, tuple(hints))


def sentenceOf(name, slices, volumeNode, axis):
    """Few slices by number, many as runs: "Liver: 3 slices, axial 20, 45, 60"."""
    word = geometry.axisWord(volumeNode, axis)
    count = _("1 slice") if len(slices) == 1 else _("{count} slices").format(count=len(slices))
    return _("{name}: {count}, {plane} {numbers}").format(
        name=name, count=count, plane=word, numbers=sliceNumbers(slices)
    )


def sliceNumbers(slices, most=4):
    """Slice numbers in words: "20, 45–47, 60"; of more than a few runs, only the first and last slice."""
    runs = runsOf(slices)
    if len(runs) > most:
        return _("{first} to {last}").format(first=slices[0], last=slices[-1])
    return ", ".join(
        str(first) if first == last else f"{first}, {last}" if last == first + 1 else f"{first}–{last}"
        for first, last in runs
    )


def runsOf(slices):
    """(first, last) of each run of neighbouring slices."""
    runs = []
    for index in sorted(slices):
        if runs and index == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def storedAxis(segmentationNode, segmentId, volumeNode):
    """Array axis of the result that was accepted, `anchors.recordAccepted`; None if there is none of this volume."""
    value = readTag(segmentOf(segmentationNode, segmentId), ANCHORS)
    if not isinstance(value, dict) or value.get("shape") != list(geometry.volumeShape(volumeNode)):
        return None
    return value["axis"] if value.get("axis") in (0, 1, 2) else None


def annotationAxis(mask, occupied, volumeNode, name="", axis=None):
    """The array axis across which a segment is drawn.

    Args:
        mask: `segments.Mask`, not empty.
        occupied: its slices, for each array axis.
        volumeNode: its volume.
        name: of the segment, for the sentence.
        axis: that the user has chosen.

    Returns:
        (axis, problem); the axis is None, and the problem a sentence, if it is drawn on two planes and none was chosen.
    """
    flat = flatAxes(occupied)
    if axis is not None:
        if flat and axis not in flat:
            return axis, _("{name} is drawn on {drawn} slices, not on {chosen} ones: choose {drawn}.").format(
                name=name, drawn=geometry.axisWord(volumeNode, flat[0]), chosen=geometry.axisWord(volumeNode, axis)
            )
        return axis, ""
    acquisition = geometry.acquisitionAxis(volumeNode)
    if flat:
        return (acquisition if acquisition in flat else flat[0]), ""
    planes = twoPlanes(mask, occupied)
    if planes is None:
        return acquisition, ""
    words = [f"{geometry.axisWord(volumeNode, plane)} {index}" for plane, index in planes]
    return None, _("{name} is drawn on two planes ({first} and {second}): erase one of them.").format(
        name=name, first=words[0], second=words[1]
    )


def flatAxes(occupied):
    """Array axes on which an annotation is flat: one as a rule, none for a blob, several for a line or a dot."""
    stacks = [max(last - first + 1 for first, last in runsOf(indices)) for indices in occupied]
    others = [min(stack for b, stack in enumerate(stacks) if b != a) for a in range(3)]
    return [a for a in range(3) if stacks[a] == 1 or stacks[a] <= SLAB * others[a]]


def twoPlanes(mask, occupied):
    """((axis, slice), (axis, slice)) that hold nearly all of an annotation; None if there are no such."""
    box = mask.voxels
    flat = box.sum(axis=0, dtype=np.int32)
    areas = (
        box.reshape(box.shape[0], -1).sum(axis=1, dtype=np.int64),
        flat.sum(axis=1),
        flat.sum(axis=0),
    )
    total = int(areas[0].sum())
    largest = [(int(a.argmax()), int(a.max())) for a in areas]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        if min(len(occupied[a]), len(occupied[b])) < 4:
            continue  # a small blob, not two planes
        both = np.moveaxis(box, (a, b), (0, 1))[largest[a][0], largest[b][0]]
        if largest[a][1] + largest[b][1] - int(both.sum()) >= 0.9 * total:
            return (a, largest[a][0] + mask.origin[a]), (b, largest[b][0] + mask.origin[b])
    return None


def _nothing(problem):
    return Annotation("", None, (), problem, problem, ())


def _empty(name, drawn, volumeNode):
    if drawn:
        problem = _("{name} lies outside {volume}, or between its slices: draw it on a slice of this volume.").format(
            name=name, volume=volumeNode.GetName()
        )
    else:
        problem = _("{name} is not drawn yet: draw it on one slice.").format(name=name)
    return Annotation(name, None, (), problem, problem, ())


def _otherGrid(segmentationNode, volumeNode):
    """Whether slices of the segmentation's grid run obliquely through the volume."""
    matrix, general = geometry.transformBetween(segmentationNode, volumeNode)
    if general is not None:
        return True
    grid = ownGrid(segmentationNode)
    if grid is None:
        return False
    turn = np.abs(np.linalg.inv(geometry.ijkToRas(volumeNode))[:3, :3] @ matrix[:3, :3] @ grid[:3, :3])
    # each of its axes runs along one of the volume's, whatever their order, direction and size
    return bool((np.sort(turn, axis=0)[1] > 0.02 * turn.max(axis=0)).any())
