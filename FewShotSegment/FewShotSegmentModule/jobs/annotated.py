"""Segments of the scene as the worker is given them."""

import vtk

from ..scene import anchors, annotation, geometry, segments
from ..scene.errors import SceneError
from ..scene.i18n import _
from ..scene.segments import segmentOf

SLICES_AT_ONCE = 16
"""Slices written in one step: 4 MB of 512 × 512."""

TERMINOLOGY_TAG = "TerminologyEntry"


def lookOf(segmentationNode, segmentId):
    """(name, [red, green, blue], terminology entry) of a segment."""
    segment = segmentOf(segmentationNode, segmentId)
    terminology = vtk.reference("")
    segment.GetTag(TERMINOLOGY_TAG, terminology)
    color = [min(1.0, max(0.0, float(part))) for part in segment.GetColor()]
    return segment.GetName() or segmentId, color, str(terminology)


def nonEmptySegments(segmentationNode):
    """IDs of the segments that something is drawn in."""
    ids = segments.segmentIdsOf(segmentationNode)
    return [segmentId for segmentId in ids if segments.reader.isDrawn(segmentationNode, segmentId)]


def chosenSegments(segmentationNode, segmentIds=None):
    """The segments asked for, or all that something is drawn in.

    Raises:
        SceneError: there are none.
    """
    if segmentationNode is None:
        raise SceneError(_("No segmentation is chosen: choose one, or create a new one."))
    if segmentationNode.GetScene() is None:
        raise SceneError(_("The segmentation is not in the scene any more: choose another one."))
    chosen = list(segmentIds) if segmentIds is not None else nonEmptySegments(segmentationNode)
    if not chosen and segmentIds is None and segmentationNode.GetSegmentation().GetNumberOfSegments():
        name = segmentationNode.GetName()
        raise SceneError(_("Nothing is drawn in {name} yet: draw the structure on one slice.").format(name=name))
    if not chosen:
        raise SceneError(_("There is no segment: add one, and draw the structure on one slice."))
    for segmentId in chosen:
        segmentOf(segmentationNode, segmentId)
    return chosen


def drawnSlices(segmentationNode, segmentId, volumeNode, complete=False):
    """Slices on which a segment can be trusted.

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        volumeNode: volume.
        complete: the segment was checked on all slices that it is on: these, instead of its anchors.

    Returns:
        (array axis, sorted indices).

    Raises:
        SceneError: nothing is drawn, or on two planes.
    """
    table = anchors.anchorsOf(segmentationNode, segmentId, volumeNode)
    occupied = segments.reader.occupiedSlices(segmentationNode, segmentId, volumeNode)
    if table.axis is None or not occupied[0]:
        raise SceneError(annotation.describe(segmentationNode, segmentId, volumeNode).problem)
    everywhere = occupied[table.axis]
    if complete:
        return table.axis, everywhere
    edited = anchors.editedSlices(segmentationNode, segmentId, volumeNode, table)
    drawn = tuple(sorted({*table.entries, *edited} & set(everywhere)))
    # none of a segmentation that was loaded or transferred: then all of it
    return table.axis, drawn or everywhere


def annotatedRefSteps(files, folder, volumeNode, segmentationNode, segmentIds=None, complete=()):
    """Write a volume and its segments for the worker.

    Args:
        files: `files.VolumeFiles`; release the volume's key when it is no longer needed.
        folder: `files.JobFolder` for the masks.
        volumeNode: volume.
        segmentationNode: segmentation.
        segmentIds: segments; all that something is drawn in by default.
        complete: IDs of those that are right on all slices.

    Returns:
        [messages.AnnotatedRef]: the complete segments and the others apart, if there are both.
    """
    from FewShotSegmentLib.worker.messages import AnnotatedRef, SegmentRef

    if volumeNode is None or volumeNode.GetScene() is None:
        raise SceneError(_("The annotated volume is not in the scene any more: choose another one."))
    groups = {True: [], False: []}
    for segmentId in chosenSegments(segmentationNode, segmentIds):
        whole = segmentId in complete
        axis, slices = drawnSlices(segmentationNode, segmentId, volumeNode, whole)
        name, color, terminology = lookOf(segmentationNode, segmentId)
        yield
        file = yield from folder.writeSteps(
            (len(slices), *planeShape(volumeNode, axis)),
            (
                segments.reader.maskSlices(segmentationNode, segmentId, volumeNode, axis, slices[first:last])
                for first, last in _pieces(len(slices))
            ),
        )
        groups[whole].append(
            SegmentRef(
                key=segmentId,
                name=name,
                slices=[int(index) for index in slices],
                file=file,
                axis=int(axis),
                color=color,
                terminology=terminology,
            )
        )
    volume = yield from files.refSteps(volumeNode)
    return [AnnotatedRef(volume, found, complete=whole) for whole, found in groups.items() if found]


def planeShape(volumeNode, axis):
    """(rows, columns) of a volume's slices across an axis."""
    return tuple(size for other, size in enumerate(geometry.volumeShape(volumeNode)) if other != axis)


def _pieces(count):
    return ((first, min(first + SLICES_AT_ONCE, count)) for first in range(0, count, SLICES_AT_ONCE))
