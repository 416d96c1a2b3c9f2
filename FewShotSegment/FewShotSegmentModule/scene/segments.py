"""Segments as masks on a volume's grid, and masks as labelmaps that can be written into a segment.

Slicer keeps the labelmaps of a segmentation on a grid of their own (its reference geometry), often a part of the
volume's, sometimes finer, turned, or moved by a parent transform; several segments may share one labelmap. Where the
grids agree nothing is resampled and nothing is lost. Slicer's own ImportLabelmapToSegmentationNode is not used: under
different parent transforms it moves the labelmap twice.
"""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import slicer

from .. import steps
from . import geometry
from .errors import SceneError
from .grids import contentBox, imageArray, imageMatrix, indexShift, orientedImage, resampleSteps, trim
from .i18n import _

LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


class Mask(NamedTuple):
    """A box of a volume.

    Attributes:
        voxels: uint8 [z, y, x], 0 or 1; read only.
        origin: (z, y, x) of its first voxel in the volume.
    """

    voxels: np.ndarray
    origin: tuple


EMPTY = Mask(np.zeros((0, 0, 0), np.uint8), (0, 0, 0))


# --- segments ---


def segmentIdsOf(segmentationNode):
    """IDs of all segments, in their order."""
    content = segmentationNode.GetSegmentation()
    return [content.GetNthSegmentID(index) for index in range(content.GetNumberOfSegments())]


def segmentOf(segmentationNode, segmentId):
    """The vtkSegment.

    Raises:
        SceneError: there is none of that ID.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId) if segmentId else None
    if segment is None:
        raise SceneError(_("The segment is not there any more: choose another one."))
    return segment


def labelmapOf(segmentationNode, segmentId):
    """The labelmap that holds the segment, maybe with others (`GetLabelValue`); None if nothing was drawn yet.

    Raises:
        SceneError: there is no such segment, or it is a surface without labelmap.
    """
    segment = segmentOf(segmentationNode, segmentId)
    labelmap = segment.GetRepresentation(LABELMAP)
    if labelmap is None and segment.GetRepresentation(SURFACE) is not None:
        raise SceneError(
            _(
                "{name} is a surface: in the Segmentations module, create its binary labelmap and make it the source."
            ).format(name=segment.GetName())
        )
    return labelmap


def labelBox(labelmap, labelValue):
    """Where one label is in a labelmap.

    Returns:
        (bool [z, y, x], (k, j, i) of its first voxel in the labelmap's own indices); None if it is nowhere.
    """
    content = contentBox(labelmap)
    if content is None:
        return None
    first, end = content
    part = imageArray(labelmap)[tuple(slice(f, e) for f, e in zip(first, end, strict=True))]
    trimmed = trim(part == labelValue, first)
    if trimmed is None:
        return None
    extent = labelmap.GetExtent()
    box, origin = trimmed
    return box, tuple(start + extent[2 * (2 - axis)] for axis, start in enumerate(origin))


# --- reading ---


class SegmentReader:
    """Reads segments on volumes' grids and keeps what was read until a labelmap, grid or transform changes."""

    def __init__(self, keptBytes=128 * 1024 * 1024):
        self._keptBytes = keptBytes
        self._kept = OrderedDict()  # (segmentation, segment, volume) -> (stamp, Mask, occupied slices)

    def readMask(self, segmentationNode, segmentId, volumeNode):
        """The segment on the volume's grid, as the smallest box that holds it.

        Raises:
            SceneError: there is no such segment, or it is a surface without labelmap.
        """
        return steps.run(self.readMaskSteps(segmentationNode, segmentId, volumeNode))

    def readMaskSteps(self, segmentationNode, segmentId, volumeNode):
        """`readMask` in pieces, for large segments under another transform or on another grid: they are resampled.

        What was read is kept, so that afterwards all that reads it, `readMask` and `occupiedSlices` too, is quick.
        """
        return (yield from self._readSteps(segmentationNode, segmentId, volumeNode))[0]

    def occupiedSlices(self, segmentationNode, segmentId, volumeNode):
        """Slices that the segment is on: three sorted tuples of indices, one for each array axis.

        Raises:
            SceneError: as `readMask`.
        """
        return steps.run(self._readSteps(segmentationNode, segmentId, volumeNode))[1]

    def maskSlices(self, segmentationNode, segmentId, volumeNode, axis, indices):
        """Slices of the segment as uint8 [n, row, column] over the whole volume's rows and columns.

        Rows and columns are the array axes that remain when `axis` is moved to the front.

        Raises:
            SceneError: as `readMask`.
        """
        mask = self.readMask(segmentationNode, segmentId, volumeNode)
        return slicesOf(mask, axis, indices, geometry.volumeShape(volumeNode))

    def isDrawn(self, segmentationNode, segmentId):
        """Whether the segment has any voxel, inside the volume or not."""
        labelmap = labelmapOf(segmentationNode, segmentId)
        return labelmap is not None and labelBox(labelmap, _labelValue(segmentationNode, segmentId)) is not None

    def forget(self):
        """Let go of all that is kept."""
        self._kept.clear()

    def _readSteps(self, segmentationNode, segmentId, volumeNode):
        labelmap = labelmapOf(segmentationNode, segmentId)
        if labelmap is None:
            return EMPTY, ((), (), ())
        labelValue = _labelValue(segmentationNode, segmentId)
        key = (segmentationNode.GetID(), segmentId, volumeNode.GetID())
        stamp = (labelmap.GetMTime(), labelValue, _placeStamp(volumeNode), _placeStamp(segmentationNode))
        if key in self._kept and self._kept[key][0] == stamp:
            self._kept.move_to_end(key)
            return self._kept[key][1:]
        mask = yield from _maskOnVolumeSteps(labelmap, labelValue, segmentationNode, volumeNode)
        mask.voxels.flags.writeable = False
        self._kept[key] = (stamp, mask, occupiedOf(mask))
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(kept[1].voxels.nbytes for kept in self._kept.values()) > self._keptBytes:
            self._kept.popitem(last=False)
        return self._kept[key][1:]


def _labelValue(segmentationNode, segmentId):
    return segmentOf(segmentationNode, segmentId).GetLabelValue()


def _placeStamp(node):
    """Changes when a node is moved, or a volume gets another grid."""
    parent = node.GetParentTransformNode()
    moved = (parent.GetID(), parent.GetTransformToWorldMTime()) if parent is not None else None
    if not node.IsA("vtkMRMLVolumeNode"):
        return moved
    return moved, geometry.ijkToRas(node).tobytes(), geometry.volumeShape(node)


def _maskOnVolumeSteps(labelmap, labelValue, segmentationNode, volumeNode):
    found = labelBox(labelmap, labelValue)
    shape = geometry.volumeShape(volumeNode)
    if found is None or min(shape) == 0:
        return EMPTY
    box, origin = found
    between = geometry.transformBetween(segmentationNode, volumeNode)
    own, target = imageMatrix(labelmap), geometry.ijkToRas(volumeNode)
    reach = np.maximum(np.abs(origin), np.add(origin, box.shape))
    shift = indexShift(own, target, between[0], reach) if between[1] is None else None
    if shift is None:
        moved = yield from resampleSteps(box, origin, own, target, ((0, 0, 0), np.subtract(shape, 1)), between)
        return EMPTY if moved is None else Mask(moved[0].astype(np.uint8), moved[1])
    start = np.add(origin, shift)
    inside = clip(box, start, shape)
    if inside is None:
        return EMPTY
    return Mask(inside[0].astype(np.uint8), inside[1])


def clip(box, origin, shape):
    """What of a box lies in an array of a shape: (box, origin) trimmed, or None."""
    first = np.maximum(origin, 0)
    last = np.minimum(np.add(origin, box.shape), shape)
    if (last <= first).any():
        return None
    part = box[tuple(slice(f - o, n - o) for f, n, o in zip(first, last, origin, strict=True))]
    if part.shape == box.shape:
        return box, tuple(int(f) for f in first)
    return trim(part, tuple(int(f) for f in first))


def occupiedOf(mask):
    """Slices that a mask is on, for each array axis."""
    if mask.voxels.size == 0:
        return (), (), ()
    box = mask.voxels.view(bool)
    flat = box.any(axis=0)
    along = (box.reshape(box.shape[0], -1).any(axis=1), flat.any(axis=1), flat.any(axis=0))
    return tuple(tuple(int(index) + mask.origin[axis] for index in np.flatnonzero(along[axis])) for axis in range(3))


def slicesOf(mask, axis, indices, shape):
    """Slices of a mask as uint8 [n, row, column] over the whole array of a shape."""
    rows, columns = (other for other in range(3) if other != axis)
    out = np.zeros((len(indices), shape[rows], shape[columns]), np.uint8)
    if mask.voxels.size == 0:
        return out
    stack = np.moveaxis(mask.voxels, axis, 0)
    height, width = stack.shape[1:]
    top, left = mask.origin[rows], mask.origin[columns]
    for number, index in enumerate(indices):
        if 0 <= index - mask.origin[axis] < len(stack):
            out[number, top : top + height, left : left + width] = stack[index - mask.origin[axis]]
    return out


reader = SegmentReader()
"""The one that the module's parts share."""

readMask, occupiedSlices, maskSlices = reader.readMask, reader.occupiedSlices, reader.maskSlices


# --- for writing ---


def referenceGrid(segmentationNode, volumeNode):
    """The grid that Slicer keeps the segmentation on.

    Returns:
        (4 × 4 from indices to the segmentation's coordinates, (k, j, i) first, (k, j, i) last voxel). A segmentation
        that has none yet is given the volume's.
    """
    text = referenceText(segmentationNode)
    if not text:
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        text = referenceText(segmentationNode)
    image = slicer.vtkOrientedImageData()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False)
    extent = image.GetExtent()
    return imageMatrix(image), (extent[4], extent[2], extent[0]), (extent[5], extent[3], extent[1])


def ownGrid(segmentationNode):
    """4 × 4 of the grid that was chosen for the segmentation; None if none was."""
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    text = segmentationNode.GetSegmentation().GetConversionParameter(name)
    if not text:
        return None
    image = slicer.vtkOrientedImageData()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False)
    return imageMatrix(image)


def referenceText(segmentationNode):
    """Slicer's text for the segmentation's grid, which is wide enough for all its segments; empty if it has none."""
    logic = slicer.vtkSlicerSegmentEditorLogic
    return logic.GetReferenceImageGeometryStringFromSegmentation(segmentationNode.GetSegmentation())


def labelmapFromMask(mask, origin, volumeNode, segmentationNode, cover=None):
    """A mask of the volume as labelmap in the segmentation's own coordinates and on its grid.

    Parent transforms of the two nodes are taken into account. What lies outside the segmentation's grid is cut off, as
    the Segment Editor does.

    Args:
        mask: [z, y, x], 0 or 1.
        origin: (z, y, x) of its first voxel in the volume.
        volumeNode: the volume.
        segmentationNode: the segmentation.
        cover: segment ID whose present voxels the labelmap's extent shall hold too (with 0 where the mask is not).

    Returns:
        vtkOrientedImageData, uint8, 0 or 1.
    """
    own = geometry.ijkToRas(volumeNode)
    target, first, last = referenceGrid(segmentationNode, volumeNode)
    between = geometry.transformBetween(volumeNode, segmentationNode)
    box = np.asarray(mask) != 0
    placed = trim(box, tuple(origin))
    if placed is not None:
        reach = np.add(placed[1], placed[0].shape)
        shift = indexShift(own, target, between[0], reach) if between[1] is None else None
        if shift is None:
            placed = steps.run(resampleSteps(placed[0], placed[1], own, target, (first, last), between))
        else:
            start = np.add(placed[1], shift)
            placed = clip(placed[0], np.subtract(start, first), np.subtract(last, first) + 1)
            placed = placed and (placed[0], tuple(np.add(placed[1], first)))
    covered = _presentBox(segmentationNode, cover, target) if cover else None
    boxes = [b for b in (placed and (placed[1], placed[0].shape), covered) if b]
    if not boxes:
        boxes = [(first, (1, 1, 1))]
    low = np.min([b[0] for b in boxes], axis=0)
    high = np.max([np.add(*b) for b in boxes], axis=0)
    whole = np.zeros(tuple(high - low), np.uint8)
    if placed is not None:
        start = np.subtract(placed[1], low)
        whole[tuple(slice(s, s + n) for s, n in zip(start, placed[0].shape, strict=True))] = placed[0]
    return orientedImage(whole, tuple(int(v) for v in low), target)


def _presentBox(segmentationNode, segmentId, target):
    """((k, j, i) of the first voxel, shape) of what a segment holds now, on its segmentation's grid."""
    labelmap = labelmapOf(segmentationNode, segmentId)
    found = labelBox(labelmap, _labelValue(segmentationNode, segmentId)) if labelmap is not None else None
    if found is None:
        return None
    box, origin = found
    shift = indexShift(imageMatrix(labelmap), target, np.eye(4), np.add(origin, box.shape))
    return (np.add(origin, shift), box.shape) if shift is not None else None
