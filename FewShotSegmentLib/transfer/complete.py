"""From anchors to the whole volume: what `propagate` does with slices that were drawn by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine
from ..progress import Progress
from ..propagation import Result
from .confidence import is_found, overall_confidence
from .extent import likely_range
from .find import Finding
from .query import Query
from .result import FoundAnchor, TransferResult


def complete(
    query: Query,
    findings: Mapping[str, Finding],
    engine: Engine,
    modality: str,
    keep_probability: bool,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> dict[str, TransferResult]:
    """Carry all segments' anchors on; a segment that was probably not found stays empty.

    Args:
        query: the volume.
        findings: {name: what was found}.
        engine: whose propagator carries on.
        modality: of the volume.
        keep_probability: whether probabilities are wanted.
        progress: called with (slices done, slices in all).
        cancelled: asked before every slice.
    """
    axis, count = query.frame.axis, len(query.grid.slices)
    spacing = query.frame.geometry.spacing
    row, column = (s for a, s in enumerate(spacing) if a != axis)
    anchors: dict[str, dict[int, NDArray[np.bool_]]] = {}
    for name, finding in findings.items():
        drawn = {anchor.choice.index: anchor.mask for anchor in finding.anchors if anchor.mask.any()}
        if drawn and is_found(finding.strength, engine.settings):
            first, last = likely_range(drawn, finding.supports, count, (spacing[axis], row, column), engine.settings)
            # an empty anchor says that the structure is absent there and is not carried past it
            nothing = np.zeros(query.grid.native, bool)
            ends = {i: nothing for i in (first - 1, last + 1) if 0 <= i < count}
            anchors[name] = ends | drawn
    carried: dict[str, Result] = {}
    if anchors:
        carried = engine.propagate_segments(
            query.array,
            anchors,
            axis=axis,
            spacing=spacing,
            modality=modality,
            progress=progress,
            cancelled=cancelled,
            keep_probability=keep_probability,
        )
    results = {}
    for name, finding in findings.items():
        results[name] = _result(query, finding, carried.get(name), engine, keep_probability)
    return results


def _result(
    query: Query, finding: Finding, carried: Result | None, engine: Engine, keep_probability: bool
) -> TransferResult:
    confidence = overall_confidence(finding.strength, engine.settings)
    if carried is None:
        empty = np.zeros(query.array.shape, bool)
        probability = empty.astype(np.float32) if keep_probability else None
        sure = np.full(len(query.grid.slices), 1 - confidence, np.float32)
        return TransferResult(empty, probability, sure, confidence, False, (), query.frame.axis, finding.seconds)
    stack = np.moveaxis(carried.mask, query.frame.axis, 0)
    slices = carried.slice_confidence.copy()
    chances = None if carried.probability is None else np.moveaxis(carried.probability, query.frame.axis, 0)
    for anchor in finding.anchors:
        if anchor.mask.any():  # nobody drew these by hand: they are as unsure as any
            slices[anchor.choice.index] = anchor.confidence
            if chances is not None:
                chances[anchor.choice.index] = anchor.probability
    filled = stack.any(axis=(1, 2))
    slices[filled] *= confidence  # not cut off at it: their order says which to look at first
    result = TransferResult(
        carried.mask,
        carried.probability,
        slices,
        confidence,
        True,
        tuple(
            FoundAnchor(a.choice.index, f.support, f.index, a.choice.score)
            for a in finding.anchors
            if a.mask.any()
            for f in [a.choice.sighting.framed]
        ),
        query.frame.axis,
        finding.seconds + carried.seconds,
    )
    result.find_slices()
    return result
