"""What is known of the segments on display: read once after each change, not once by each section."""

import logging
from typing import NamedTuple

import slicer
from slicer.i18n import tr as _

from ..scene import anchors, annotation, geometry
from ..scene.errors import SceneError
from ..scene.segments import reader

EDITS = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
)
"""Events of a segmentation whose segments are not what they were."""


class SegmentFacts(NamedTuple):
    """What is known of a segment.

    annotation: `scene.annotation.Annotation`.
    table: `scene.anchors.AnchorTable`; without axis where nothing can be said.
    accepted: whether the segment is a result, or was taken for one: the table's anchors are not all there is.
    edited: slices that were changed since.
    occupied: slices that the segment is on, along the table's axis.
    problem: why nothing can be said of it; empty if something can.
    """

    annotation: object
    table: object
    accepted: bool
    edited: tuple
    occupied: frozenset
    problem: str

    @property
    def axis(self):
        """Array axis across the slices, or None."""
        return self.table.axis

    @property
    def anchors(self):
        """{slice: kind}, sorted: what the next run would keep as drawn."""
        kinds = {**self.table.entries, **dict.fromkeys(self.edited, anchors.CORRECTED)}
        return {index: kinds[index] for index in sorted(kinds)}

    @property
    def corrections(self):
        """Slices whose neighborhood the next update computes again."""
        return tuple(sorted({*self.edited, *self.table.removed}))


def _unknown(problem):
    nothing = annotation.Annotation("", None, (), problem, problem, ())
    return SegmentFacts(nothing, anchors.AnchorTable(None, 0), False, (), frozenset(), problem)


class Facts:
    """Reads what is known of segments and keeps it until something changes."""

    def __init__(self, context):
        self.context = context
        self._known = {}
        for signal in (context.annotationChanged, context.selectionChanged, context.parameterNodeChanged):
            signal.connect(self.forget)

    def forget(self):
        """Read all anew when it is asked for."""
        self._known = {}

    def of(self, segmentId=None):
        """Facts of a segment, by default of the selected one."""
        segmentId = self.context.segmentId if segmentId is None else segmentId
        if segmentId not in self._known:
            self._known[segmentId] = self._read(segmentId)
        return self._known[segmentId]

    def _read(self, segmentId):
        where = (self.context.segmentationNode, segmentId, self.context.volumeNode)
        found = annotation.describe(*where)
        if not segmentId or None in where:
            return _unknown(found.problem)
        try:
            table = anchors.anchorsOf(*where)
            edited = anchors.editedSlices(*where, table)
            occupied = () if table.axis is None else reader.occupiedSlices(*where)[table.axis]
        except SceneError as error:
            return _unknown(str(error))
        except Exception:
            logging.exception("FewShotSegment: a segment could not be read")
            return _unknown(_("The segment could not be read; please report it with Copy diagnostics."))
        return SegmentFacts(found, table, table.accepted is not None, edited, frozenset(occupied), "")

    def places(self, axis, slices):
        """Slices in words: "axial 40, 52"."""
        return _("{word} {slices}").format(
            word=geometry.axisWord(self.context.volumeNode, axis), slices=annotation.sliceNumbers(sorted(slices))
        )


def factsOf(context):
    """The one that all sections share."""
    if getattr(context, "facts", None) is None:
        context.facts = Facts(context)
    return context.facts
