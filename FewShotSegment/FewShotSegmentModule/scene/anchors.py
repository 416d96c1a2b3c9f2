"""Which slices of a segment were drawn by its user, and which were computed.

Before anything was accepted, what is drawn is what the user has drawn. After that, each slice's accepted mask is known
by a fingerprint: a slice that differs now was edited, and becomes an anchor. All of it lies in a tag of the segment, so
that it is undone with the segment and saved with it. Removing an anchor makes its slice count as computed again.
"""

import zlib
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from . import geometry
from .annotation import annotationAxis, describe, runsOf
from .errors import SceneError
from .i18n import _
from .segments import reader, segmentOf, slicesOf
from .tags import ANCHORS, readTag, writeTag

TAG = ANCHORS

HAND, CORRECTED, KEPT = "hand", "corrected", "kept"
"""Drawn before it was propagated; edited afterwards; not the user's, but to be left as it is in this run."""

REACH = 10
"""Slices on either side of an edit that are computed anew where no anchor is nearer and none was ever drawn: a
segmentation that was loaded has no anchors, and is not to be redone as a whole for one edited slice."""

_NOWHERE = "0" * 8


@dataclass
class AnchorTable:
    """The anchors of a segment.

    Attributes:
        axis: array axis across the slices; None while nothing is drawn.
        length: slices along it.
        entries: {slice: HAND or CORRECTED}.
        accepted: {slice: fingerprint} of the slices that were not empty when a result was last accepted, or the
            segmentation adopted; None before.
        adopted: whether the segment was not propagated but taken over as a whole; see `REACH`.
        removed: slices that were anchors and are not any more, not yet propagated again.
        shape: (z, y, x) of the volume that it is about.
        note: why what was stored is not used, a sentence; else empty.
    """

    axis: int | None
    length: int
    entries: dict = field(default_factory=dict)
    accepted: dict | None = None
    adopted: bool = False
    removed: set = field(default_factory=set)
    shape: tuple | None = None
    note: str = ""

    @property
    def slices(self):
        """Slices of the anchors, sorted."""
        return tuple(sorted(self.entries))

    def remove(self, index):
        """Let a slice count as computed again."""
        if self.entries.pop(index, None) is not None:
            self.removed.add(index)


class RunAnchors(NamedTuple):
    """What the engine is given of a segment.

    Attributes:
        slices: indices along the axis, sorted.
        masks: uint8 [n, row, column], 0 or 1; empty ones mean that the structure is not there.
        axis: array axis across the slices.
        around: slices whose anchors are new, changed or gone; None for a run of the whole volume.
        kinds: {slice: HAND, CORRECTED or KEPT}.
    """

    slices: tuple
    masks: np.ndarray
    axis: int
    around: tuple | None
    kinds: dict


# --- stored in the segment ---


def anchorsOf(segmentationNode, segmentId, volumeNode, axis=None):
    """The segment's table: as stored; or, where there is none, from what is drawn (nothing is stored by this).

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        volumeNode: volume.
        axis: array axis that the user has chosen, for a segment without table.

    Raises:
        SceneError: there is no such segment, or it is a surface without labelmap.
    """
    table = _stored(segmentationNode, segmentId, volumeNode)
    if table is not None and not table.note:
        return table
    note = table.note if table is not None else ""
    occupied = reader.occupiedSlices(segmentationNode, segmentId, volumeNode)
    if not occupied[0]:
        return AnchorTable(None, 0, note=note)
    mask = reader.readMask(segmentationNode, segmentId, volumeNode)
    found, _problem = annotationAxis(mask, occupied, volumeNode, axis=axis)
    if found is None:
        return AnchorTable(None, 0, note=note)
    shape = geometry.volumeShape(volumeNode)
    return AnchorTable(found, shape[found], dict.fromkeys(occupied[found], HAND), shape=shape, note=note)


def hasTable(segmentationNode, segmentId, volumeNode):
    """Whether a table is stored that fits the volume, that is: something was accepted or adopted."""
    table = _stored(segmentationNode, segmentId, volumeNode)
    return table is not None and not table.note


def store(segmentationNode, segmentId, table):
    """Keep a table in the segment; one without axis removes what is kept."""
    segment = segmentOf(segmentationNode, segmentId)
    if table is None or table.axis is None:
        writeTag(segment, TAG, None)
        return
    value = {"axis": table.axis, "length": table.length, "removed": sorted(table.removed)}
    value["adopted"] = table.adopted
    value["shape"] = list(table.shape or ())
    value["anchors"] = {kind: sorted(s for s, k in table.entries.items() if k == kind) for kind in (HAND, CORRECTED)}
    if table.accepted is not None:
        value["accepted"] = [
            [first, "".join(table.accepted[index] for index in range(first, last + 1))]
            for first, last in runsOf(table.accepted)
        ]
    writeTag(segment, TAG, value)


def _stored(segmentationNode, segmentId, volumeNode):
    value = readTag(segmentOf(segmentationNode, segmentId), TAG)
    if value is None:
        return None
    try:
        table = AnchorTable(int(value["axis"]), int(value["length"]), adopted=bool(value["adopted"]))
        table.removed.update(map(int, value["removed"]))
        for kind in (HAND, CORRECTED):
            table.entries.update(dict.fromkeys(map(int, value["anchors"][kind]), kind))
        if "accepted" in value:
            table.accepted = {
                first + number: text[8 * number : 8 * number + 8]
                for first, text in value["accepted"]
                for number in range(len(text) // 8)
            }
        table.shape = tuple(map(int, value["shape"]))
        if not 0 <= table.axis < 3:
            return None
    except (KeyError, TypeError, ValueError, IndexError):
        return None  # not ours, or damaged: as if it were not there
    if table.shape != geometry.volumeShape(volumeNode):
        table.note = _("The stored anchors belong to a volume of another size: they are not used.")
    return table


def forget(segmentationNode, segmentId):
    """Remove the table: what is drawn counts as drawn by hand."""
    writeTag(segmentOf(segmentationNode, segmentId), TAG, None)


def removeAnchor(segmentationNode, segmentId, volumeNode, index):
    """Let a slice count as computed again, and keep that; the next correction computes its neighborhood.

    Raises:
        SceneError: nothing was accepted yet, so that all slices are only drawn: erase it instead.
    """
    if not hasTable(segmentationNode, segmentId, volumeNode):
        raise SceneError(_("Nothing was propagated yet: erase the slice instead."))
    table = anchorsOf(segmentationNode, segmentId, volumeNode)
    edited = index in editedSlices(segmentationNode, segmentId, volumeNode, table)
    if edited:
        mask = reader.readMask(segmentationNode, segmentId, volumeNode)
        table.entries.setdefault(index, CORRECTED)
        table.accepted[index] = fingerprints(mask, table.axis).get(index, _NOWHERE)
    table.remove(index)
    store(segmentationNode, segmentId, table)


# --- what was edited ---


def fingerprints(mask, axis):
    """{slice: eight hexadecimal digits} of the slices that are not empty; they change with shape and place.

    Several parts of the panel ask after each edit, so the last masks' are kept.
    """
    for known, knownAxis, prints in _known:
        if known.voxels is mask.voxels and known.origin == mask.origin and knownAxis == axis:
            return dict(prints)
    prints = _fingerprints(mask, axis)
    if not mask.voxels.flags.writeable:  # others may change without notice
        _known.append((mask, axis, prints))
    return dict(prints)


_known = deque(maxlen=4)


def _fingerprints(mask, axis):
    if mask.voxels.size == 0:
        return {}
    rows, columns = (other for other in range(3) if other != axis)
    # Eight voxels of a row in a byte: moving the axis of eight times as little is much faster. Bytes begin at multiples
    # of eight in the volume, so that they do not depend on where the box begins.
    along = columns
    shift = mask.origin[along] % 8
    padding = [(shift if axis_ == along else 0, 0) for axis_ in range(3)]
    packed = np.packbits(np.pad(mask.voxels, padding) if shift else mask.voxels, axis=along)
    packed = np.ascontiguousarray(np.moveaxis(packed, axis, 0))
    found = {}
    for number, picture in enumerate(packed):
        high = np.flatnonzero(picture.any(axis=1))
        if high.size == 0:
            continue
        part = picture[high[0] : high[-1] + 1]
        wide = np.flatnonzero(part.any(axis=0))
        place = (high[0] + mask.origin[rows], wide[0] + mask.origin[along] // 8, len(part), wide[-1] - wide[0])
        check = zlib.crc32(part[:, wide[0] : wide[-1] + 1].tobytes(), zlib.crc32(np.array(place, np.int32).tobytes()))
        found[number + mask.origin[axis]] = f"{check:08x}"
    return found


def editedSlices(segmentationNode, segmentId, volumeNode, table=None):
    """Slices that differ from what was accepted, sorted; none before something was.

    A slice that was erased counts only within the structure or next to it: further out there is nothing to say.
    """
    table = table or anchorsOf(segmentationNode, segmentId, volumeNode)
    if table.axis is None or table.accepted is None:
        return ()
    now, different = _compared(reader.readMask(segmentationNode, segmentId, volumeNode), table)
    if not now:
        return ()  # erased as a whole: that is no correction
    first, last = min(now) - 1, max(now) + 1
    return tuple(sorted(index for index in different if index in now or first <= index <= last))


def _compared(mask, table):
    """Fingerprints of a mask, and the slices on which they are not those of what was accepted."""
    now = fingerprints(mask, table.axis)
    slices = now.keys() | table.accepted.keys()
    return now, {index for index in slices if now.get(index, _NOWHERE) != table.accepted.get(index, _NOWHERE)}


@contextmanager
def noEdit(segmentationNode, segmentIds, volumeNode):
    """What happens to these segments within is not their user's edit: no slice becomes an anchor by it."""
    before = {}
    for segmentId in segmentIds:
        table = _stored(segmentationNode, segmentId, volumeNode)
        if table is not None and not table.note and table.accepted is not None:
            before[segmentId] = _compared(reader.readMask(segmentationNode, segmentId, volumeNode), table)[1]
    yield
    for segmentId, edited in before.items():
        table = _stored(segmentationNode, segmentId, volumeNode)
        now, different = _compared(reader.readMask(segmentationNode, segmentId, volumeNode), table)
        if different - edited:
            for index in different - edited:
                table.accepted[index] = now.get(index, _NOWHERE)
            store(segmentationNode, segmentId, table)


def recordAccepted(segmentationNode, segmentId, volumeNode, axis, kinds, adopted=None):
    """Note what was accepted: the segment as it is now, and its anchors. Call it after `commit.accept`.

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        volumeNode: volume.
        axis: array axis along which it was propagated.
        kinds: {slice: kind} of the run's anchors (`RunAnchors.kinds`); KEPT ones are not recorded.
        adopted: see `AnchorTable`; as before by default.

    Returns:
        AnchorTable.
    """
    mask = reader.readMask(segmentationNode, segmentId, volumeNode)
    entries = {int(index): kind for index, kind in kinds.items() if kind != KEPT}
    before = _stored(segmentationNode, segmentId, volumeNode)
    if adopted is None:
        adopted = before is not None and not before.note and before.axis == axis and before.adopted
    shape = geometry.volumeShape(volumeNode)
    table = AnchorTable(axis, shape[axis], entries, fingerprints(mask, axis), adopted, shape=shape)
    store(segmentationNode, segmentId, table)
    return table


def adopt(segmentationNode, segmentId, volumeNode, axis=None):
    """Take a whole segment, loaded or drawn otherwise, as accepted: only edits from now on are anchors.

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        volumeNode: volume.
        axis: array axis along which corrections are to be carried; the volume's acquisition axis by default.

    Raises:
        SceneError: there is nothing in the segment.
    """
    if not reader.occupiedSlices(segmentationNode, segmentId, volumeNode)[0]:
        raise SceneError(describe(segmentationNode, segmentId, volumeNode).problem)
    axis = geometry.acquisitionAxis(volumeNode) if axis is None else axis
    return recordAccepted(segmentationNode, segmentId, volumeNode, axis, {}, adopted=True)


def looksLoaded(segmentationNode, segmentId, volumeNode, least=12):
    """Whether a segment without table looks like a whole structure, not like a few annotated slices."""
    if hasTable(segmentationNode, segmentId, volumeNode):
        return False
    occupied = reader.occupiedSlices(segmentationNode, segmentId, volumeNode)
    return all(len(indices) > 0 and max(b - a + 1 for a, b in runsOf(indices)) >= least for indices in occupied)


# --- for a run ---


def anchorsForRun(segmentationNode, segmentId, volumeNode, correct=False, axis=None, reach=REACH):
    """What the engine is given of a segment.

    Args:
        segmentationNode: segmentation.
        segmentId: of the segment.
        volumeNode: volume.
        correct: only around what was edited, and around anchors that were removed, since a result was accepted.
        axis: array axis that the user has chosen, for a segment without table.
        reach: see `REACH`.

    Returns:
        RunAnchors.

    Raises:
        SceneError: it cannot be propagated, or nothing was edited; says what to do.
    """
    table = anchorsOf(segmentationNode, segmentId, volumeNode, axis)
    mask = reader.readMask(segmentationNode, segmentId, volumeNode)
    occupied = reader.occupiedSlices(segmentationNode, segmentId, volumeNode)[table.axis or 0]
    if mask.voxels.size == 0 or table.axis is None or table.accepted is None:
        annotation = describe(segmentationNode, segmentId, volumeNode, axis)
        if annotation.problem:
            raise SceneError(annotation.problem)
    name = segmentOf(segmentationNode, segmentId).GetName()
    if correct and table.accepted is None:
        raise SceneError(_("{name} was not propagated yet: click Propagate first.").format(name=name))
    edited = editedSlices(segmentationNode, segmentId, volumeNode, table)
    standing = _standing(table, occupied)
    kinds = {**standing, **dict.fromkeys(edited, CORRECTED)}
    drawn = set(kinds) & set(occupied)
    if not correct and table.entries and not standing:
        # the anchors were erased, so this is a new beginning: what was erased beside it says nothing
        kinds = {index: CORRECTED for index in edited if index in drawn} or dict.fromkeys(occupied, HAND)
    around = None
    if correct:
        around = tuple(sorted({*edited, *table.removed}))
        if not around:
            raise SceneError(_("Nothing of {name} was edited since it was accepted.").format(name=name))
    if correct and (table.adopted or not drawn):
        kinds.update(dict.fromkeys(_bounds(around, kinds, table.length, reach), KEPT))
    if not kinds:
        raise SceneError(_("{name} has no anchor: draw or edit one slice of it.").format(name=name))
    slices = tuple(sorted(kinds))
    masks = slicesOf(mask, table.axis, slices, geometry.volumeShape(volumeNode))
    return RunAnchors(slices, masks, table.axis, around, {index: kinds[index] for index in slices})


def _standing(table, occupied):
    """Entries without those whose slices were erased together with all around them: drawn anew elsewhere."""
    if not occupied or table.accepted is None:
        return table.entries
    present, first, last = set(occupied), occupied[0] - 1, occupied[-1] + 1
    return {
        index: kind
        for index, kind in table.entries.items()
        if index in present or first <= index <= last or index not in table.accepted
    }


def _bounds(changed, anchors, length, reach):
    """Slices that bound what is computed around the changed ones, where no anchor does."""
    bounds = set()
    for index in changed:
        for side in (-1, 1):
            between = range(index + side, index + side * (reach + 2), side)
            if 0 <= between[-1] < length and not any(other in anchors or other in changed for other in between):
                bounds.add(between[-1])
    return bounds
