"""Annotated slices through their own volume."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...checks import check_modality
from ...errors import InputError
from ...version import __version__
from ..answers import AnswerFiles, answer_files
from ..inputs import geometry_of, read_anchors, read_voxels
from ..job import Job
from ..messages import Forget, Propagate, SegmentRef, SegmentResult

if TYPE_CHECKING:
    from ...engine import Engine
    from ...session import SessionResult

PER_GROUP = 1000
"""Steps of progress for each of several axes; with one axis, slices are counted."""


def propagate(request: Propagate, job: Job) -> dict[str, Any]:
    """Carry segments, those of an axis together."""
    start = time.perf_counter()
    if request.volume is None or not request.segments:
        raise InputError("There is nothing to propagate; give a volume and at least one annotated segment.")
    job.loading()
    check_modality(request.volume.modality)
    array = read_voxels(request.volume)
    geometry_of(request.volume, array.shape)
    names = _names(request.segments)
    anchors = {names[s.key]: read_anchors(s, array.shape) for s in request.segments}
    engine = job.kept.engine(request.device, request.weights)
    axes = sorted({segment.axis for segment in request.segments})
    results: dict[str, SessionResult] = {}
    notes: list[str] = []
    modality = ("", "")
    for number, axis in enumerate(axes):
        group = [segment for segment in request.segments if segment.axis == axis]
        session = job.kept.session(engine, request.volume, array, axis)

        def step(done: int, total: int, number: int = number) -> None:
            if len(axes) > 1:
                done, total = number * PER_GROUP + PER_GROUP * done // max(1, total), len(axes) * PER_GROUP
            job.progress(done, total, "propagating")

        results |= session.propagate(
            {names[s.key]: anchors[names[s.key]] for s in group},
            slice_range={names[s.key]: _range(s) for s in group if s.range is not None},
            around={names[s.key]: s.around for s in group if s.around is not None},
            progress=step,
            cancelled=job.cancelled,
        )
        notes += [note for note in session.notes if note not in notes]
        modality = session.modality
    notes += _note_on_ends(request.segments, names, results)
    with answer_files(job.folder, job.id) as files:
        segments = [_answer(files, segment.key, results[names[segment.key]]) for segment in request.segments]
        job.check_cancelled()
    return {"segments": segments, "modality": modality_entry(*modality), **provenance(engine, notes, start)}


def forget(request: Forget, job: Job) -> dict[str, Any]:
    """Let go of what is kept of volumes."""
    job.kept.forget(request.keys)
    return {}


def provenance(engine: Engine, notes: Sequence[str], start: float) -> dict[str, Any]:
    """What every answer with segments says of how they were made; `start` as `time.perf_counter` gave it."""
    return {
        "notes": list(notes),
        "device": str(engine.device),
        "weights": {"name": engine.weights.name, "sha256": engine.weights.sha256},
        "engine_version": __version__,
        "seconds": round(time.perf_counter() - start, 3),
    }


def modality_entry(used: str, source: str) -> dict[str, str]:
    """A modality ("ct" or "mr") and where it is known from ("given", "file" or "guessed")."""
    return {"used": used, "source": source}


def _names(segments: Sequence[SegmentRef]) -> dict[str, str]:
    """{key: name for sentences that is the segment's alone}."""
    names: dict[str, str] = {}
    for segment in segments:
        if segment.key in names:
            raise InputError(f"The segment {segment.name} is given twice; give it once.")
        name = segment.name or segment.key
        while name in names.values():
            name += "′"  # Slicer allows two segments of one name
        names[segment.key] = name
    return names


def _range(segment: SegmentRef) -> tuple[int, int]:
    assert segment.range is not None
    if len(segment.range) != 2:
        raise InputError(f"The range of {segment.name} is {segment.range}; give its first and its last slice.")
    return segment.range[0], segment.range[1]


def _answer(files: AnswerFiles, key: str, result: SessionResult) -> dict[str, Any]:
    file, origin = files.add_box(result.mask)
    answer = SegmentResult(
        key=key,
        file=file,
        origin=origin,
        axis=result.axis,
        confidence=[float(value) for value in result.slice_confidence],
        renewed=[[int(first), int(last)] for first, last in result.renewed],
        anchors=[int(index) for index in result.anchors],
        seconds=round(result.seconds, 3),
    )
    return asdict(answer)


def _note_on_ends(
    segments: Sequence[SegmentRef], names: Mapping[str, str], results: Mapping[str, SessionResult]
) -> list[str]:
    """A hint where structures were found from end to end: running on past a structure's end is the likeliest error."""
    through = []
    for segment in segments:
        result = results[names[segment.key]]
        ends = {0, len(result.slice_confidence) - 1}
        free = segment.around is None and segment.range is None and not ends <= set(result.anchors)
        if free and ends <= set(result.slices):
            through.append(names[segment.key])
    if not through:
        return []
    note = (
        f"Found from the first slice of the volume to the last: {', '.join(through)}. Where a structure ends before, "
        "annotate another slice near its end, or say where it starts and ends."
    )
    return [note]
