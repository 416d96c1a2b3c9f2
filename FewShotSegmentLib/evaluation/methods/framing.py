"""Another patient's annotated slices on the query's slices: in one frame, and which goes with which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError
from ...preprocessing import NormalisedVolume, normalise
from ...preprocessing.intensity import IntensityScale
from ...settings import Settings
from ...support import Support, SupportSlice, slice_geometry
from ...support.collect import volume_id
from ...transfer.find import frame_supports, no_overlap
from ...transfer.frame import Frame, FramedSlice, find_body, query_axis
from ...transfer.query import Query
from ..method import Across, Answer, Volume
from .base import Fraction, Last, grey_range, nothing, to_grey

_DAY = "2000-01-01"
"""Day on which these supports were made: not today's, so that two runs are alike."""


@dataclass(frozen=True)
class FramedPair:
    """An annotated slice and the query's slice that it is compared with, both [h, w] on the same pixels.

    Attributes:
        support: float32, 0 to 255, the annotated slice's image.
        mask: float32, 0 to 1, its mask.
        query: float32, 0 to 255, the query's slice.
    """

    support: Fraction
    mask: Fraction
    query: Fraction


class Supports:
    """Makes supports of annotated slices; what is taken from the whole volume is kept of the last one.

    Args:
        settings: how volumes are looked at.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._of_volume = Last(self._look)

    def make(self, question: Across, indices: list[int] | None = None) -> Support:
        """The annotated slices as `collect_supports` makes them; empty ones are left out.

        Args:
            question: with support and anchors.
            indices: of the anchors that are wanted; all by default.

        Raises:
            InputError: none of them has a mask, or the image cannot be used.
        """
        volume = question.support
        wanted = sorted(question.anchors) if indices is None else indices
        slices = tuple(
            SupportSlice(
                np.array(volume.image[z], np.float32),
                np.ascontiguousarray(question.anchors[z], bool),
                slice_geometry(volume.geometry, 0, z),
                z,
                len(volume.image),
            )
            for z in wanted
            if question.anchors[z].any()
        )
        if not slices:
            raise InputError(f"No annotated slice of {question.organ} has a mask, so there is nothing to look for.")
        scale, identity = self._of_volume.of(volume)
        return Support(question.organ, (1.0, 0.0, 0.0), {}, volume.modality, scale, slices, identity, None, _DAY)

    def _look(self, volume: Volume) -> tuple[IntensityScale, str]:
        row, column = volume.spacing[1:]
        scale = normalise(volume.image, (row, column), volume.modality, self._settings).scale
        return scale, volume_id(volume.image)


class Framing:
    """Lays another patient's annotated slices on a query, for methods that compare two slices at a time.

    Args:
        settings: how volumes are looked at.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._supports = Supports(settings)
        self._query = Last(self._look)

    def answer(self, question: Across, move: Callable[[FramedPair], Fraction]) -> Answer:
        """The query segmented slice by slice.

        Args:
            question: where it has no `parts`, every slice is compared with the annotated slice nearest to it in its
                place along the body (of at most `support_slices`).
            move: brings the mask of a pair to the query's slice: [h, w], 0 to 1.

        Returns:
            The masks where the moved fraction is above one half; nothing with a note where supports and query cannot
            be laid on each other.
        """
        try:
            support = self._supports.make(question)
            axis = plane(question, support)
            query, levels = self._query.of(question.query) if axis == 0 else self._look(question.query, axis)
            compared = self._compared(question, query)
        except InputError as error:
            return nothing(question.query.image.shape, str(error))
        if not compared:
            return nothing(question.query.image.shape, no_overlap(question.organ))
        found = np.zeros((len(query.grid.slices), *query.grid.native), bool)
        for index, framed in compared.items():
            here = query.grid.slices[index].numpy()
            pair = FramedPair(to_grey(framed.image.numpy(), levels), framed.mask.numpy(), to_grey(here, levels))
            found[index] = _native(move(pair), query.grid)
        return Answer(np.moveaxis(found, 0, axis))

    def _compared(self, question: Across, query: Query) -> dict[int, FramedSlice]:
        """{slice of the query: annotated slice in its frame}; slices that have none are not there."""
        if question.parts is None:
            framed = frame_supports(query, [self._supports.make(question)], self._settings)
            count = len(query.grid.slices)
            places = [index / max(1, count - 1) for index in range(count)]
            if not framed:
                return {}
            return {
                index: framed[int(np.argmin([abs((item.place or 0.0) - place) for item in framed]))]
                for index, place in enumerate(places)
            }
        compared = {}
        for part in asked_parts(question):
            if not question.anchors[part].any():
                continue
            for item in frame_supports(query, [self._supports.make(question, [part])], self._settings):
                compared.update(dict.fromkeys(np.flatnonzero(question.parts == part).tolist(), item))
        return compared

    def _look(self, volume: Volume, axis: int = 0) -> tuple[Query, tuple[float, float]]:
        """The query without features, and its range of grey values."""
        slices = np.moveaxis(volume.image, axis, 0)
        row, column = volume.spacing[:axis] + volume.spacing[axis + 1 :]
        grid = normalise(slices, (row, column), volume.modality, self._settings)
        pixel = [n * s / m for n, s, m in zip(grid.native, (row, column), grid.size, strict=True)]
        frame = Frame(volume.geometry, axis, grid.size, (pixel[0], pixel[1]), find_body(grid.slices))
        return Query(volume.image, frame, grid, torch.empty(0)), grey_range(grid.slices.numpy())


def plane(question: Across, support: Support) -> int:
    """The query's axis across which the annotated slices lie.

    Raises:
        InputError: slices are to be compared with given ones (`parts`), but lie across another axis.
    """
    axis = query_axis(support, question.query.geometry).axes[0]
    if axis and question.parts is not None:
        raise InputError(
            f"The annotated slices of {question.organ} lie on another plane than the query's slices, so they cannot be "
            "compared; bring both images to one orientation."
        )
    return axis


def asked_parts(question: Across) -> list[int]:
    """Annotated slices with which slices of the query are to be compared, rising.

    Raises:
        InputError: one of them is not annotated, or there is not one entry for every slice of the query.
    """
    parts: NDArray[np.integer[Any]] = np.asarray(question.parts)
    if parts.shape != question.query.image.shape[:1]:
        raise InputError(
            f"There are {parts.size} parts for {len(question.query.image)} slices of the query; give one for each."
        )
    asked = [int(part) for part in np.unique(parts) if part >= 0]
    absent = [part for part in asked if part not in question.anchors]
    if absent:
        raise InputError(f"Slice {absent[0]} of the support is to be compared with, but it is not annotated.")
    return asked


def _native(fraction: Fraction, grid: NormalisedVolume) -> NDArray[np.bool_]:
    """[h, w] on the frame's pixels → bool [row, column] on the query's own."""
    logits = torch.from_numpy(np.ascontiguousarray(fraction))[None, None] - 0.5
    return np.asarray((grid.logits_to_native(logits)[0] > 0).numpy())
