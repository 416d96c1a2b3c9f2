"""Annotated slices of some volumes to another volume."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, OutputError
from ...images import Segment, Volume, check_output, read_volume, write_segmentation
from ...images.output import SEGMENTATION, Found, all_or_nothing
from ...support import Support, SupportLibrary, collect_supports
from ...support.library import plain_name
from ...transfer_job import with_own_identity
from ...transfer_report import not_found
from ..answers import AnswerFiles, answer_files
from ..inputs import annotated_volume, geometry_of, read_voxels, terminology_of
from ..job import Job
from ..messages import AnnotatedRef, SegmentRef, SegmentResult, Transfer
from ..tags import confidence_tag, provenance_tag
from .propagate import modality_entry, provenance

if TYPE_CHECKING:
    from ...transfer import TransferResult

_DECIMALS = 3


@dataclass
class _Structure:
    """One structure to find.

    Attributes:
        key: in the answer.
        name: as its first support is called.
        supports: of it; several are shots.
        sources: whose they are: of one annotation, a second segment of a name is another structure.
    """

    key: str
    name: str
    supports: list[Support] = field(default_factory=list)
    sources: set[int] = field(default_factory=set)


def transfer(request: Transfer, job: Job) -> dict[str, Any]:
    """Find segments in a volume or file; nothing is written before all is found."""
    start = time.perf_counter()
    if (request.query is None) == (not request.query_file):
        raise InputError("There is no volume to find the segments in; give one volume or one file.")
    output = _check_output(request) if request.query is None else None
    job.loading()
    notes: list[str] = []
    structures = _collect(request, job, notes)
    volume = _query(request)
    source = "given" if _given(request) else "file" if volume.modality else "guessed"
    engine = job.kept.engine(request.device, request.weights)

    from ...transfer import Transfer as Carrier  # noqa: PLC0415 - imports torch

    carrier = Carrier(engine, request.method)
    results = carrier.run(
        volume.array,
        volume.geometry,
        {structure.name: structure.supports for structure in structures},
        modality=volume.modality or "auto",
        keep_probability=False,
        progress=lambda done, total: job.progress(done, total, "finding"),
        cancelled=job.cancelled,
    )
    notes += [note for note in [*carrier.notes, *not_found(results)] if note not in notes]
    answer = {
        "structures": [_describe(structure) for structure in structures],
        "modality": modality_entry(carrier.modality, source),
        "output": str(output) if output is not None else "",
        **provenance(engine, notes, start),
    }
    if output is None:
        with answer_files(job.folder, job.id) as files:
            segments = [_answer(files, s.key, results[s.name]) for s in structures]
            job.check_cancelled()
    else:
        segments = [_answer(None, s.key, results[s.name]) for s in structures]
        with all_or_nothing([output]) as parts:
            write_segmentation(parts[0], _to_write(request, structures, results, answer), volume.geometry)
            job.check_cancelled()
    return {"segments": segments, **answer}


def _check_output(request: Transfer) -> Path:
    """The file to write, after all checks that can be made before minutes of work."""
    if not request.output:
        raise InputError("There is no file to write the result to; name one.")
    if os.path.lexists(request.output):
        raise OutputError(f"{request.output} exists already; choose another name.")
    return check_output(request.output, False, [Path(request.query_file)], (SEGMENTATION,))


def _given(request: Transfer) -> bool:
    return request.query is not None and request.query.modality != "auto"


def _query(request: Transfer) -> Volume:
    """The volume to search; its `modality` is what is known of it."""
    query = request.query
    if query is None:
        return read_volume(request.query_file)
    array = read_voxels(query)
    return Volume(array, geometry_of(query, array.shape), query.modality if _given(request) else None, Path(query.name))


def _collect(request: Transfer, job: Job, notes: list[str]) -> list[_Structure]:
    """The structures with their supports."""
    structures: list[_Structure] = []
    for source, case in enumerate(request.supports):
        for axis in sorted({segment.axis for segment in case.segments}):
            segments = [segment for segment in case.segments if segment.axis == axis]
            for segment, support in zip(segments, supports_of(case, segments, axis, notes), strict=True):
                _add(structures, segment.key, support, source)
            job.check_cancelled()
    if request.entries:
        supports = SupportLibrary(request.library or None)
        for entry in supports.select(request.entries):
            (support,) = supports.load([entry.id])
            _add(structures, entry.id, support, None)
            job.check_cancelled()
    if not structures:
        raise InputError("There is nothing to find; choose entries of the library, or annotate a volume.")
    return structures


def supports_of(case: AnnotatedRef, segments: Sequence[SegmentRef], axis: int, notes: list[str]) -> list[Support]:
    """Supports of segments that are annotated across one axis, one for each; what has to be said is added to `notes`.

    Raises:
        InputError: one of them is empty or does not fit.
    """
    volume, annotation = annotated_volume(case, segments)
    for segment in annotation.segments:
        if not segment.mask.any():
            raise InputError(f"{segment.name} of {case.volume.name} is empty; draw it on at least one slice.")
    supports, said = collect_supports(volume, annotation, axis=axis)
    notes += [note for note in said if note not in notes]
    return supports


def _add(structures: list[_Structure], key: str, support: Support, source: int | None) -> None:
    """Add a support to the structure of its name."""
    for structure in structures:
        if plain_name(structure.name.rstrip("′")) == plain_name(support.name) and source not in structure.sources:
            break
    else:
        name = support.name
        while any(name == other.name for other in structures):
            name += "′"
        while any(key == other.key for other in structures):
            key += "′"
        structure = _Structure(key, name)
        structures.append(structure)
    structure.supports.append(support)
    if source is not None:
        structure.sources.add(source)


def _answer(files: AnswerFiles | None, key: str, result: TransferResult) -> dict[str, Any]:
    file, origin = files.add_box(result.mask) if files is not None else ("", [0, 0, 0])
    answer = SegmentResult(
        key=key,
        file=file,
        origin=origin,
        axis=result.axis,
        confidence=[float(value) for value in result.slice_confidence],
        renewed=[[0, len(result.slice_confidence) - 1]],
        anchors=[anchor.index for anchor in result.anchors],
        found=bool(result.found),
        overall=float(result.confidence),
        seconds=round(result.seconds, 3),
    )
    return asdict(answer)


def _describe(structure: _Structure) -> dict[str, Any]:
    first = structure.supports[0]
    return {
        "key": structure.key,
        "name": structure.name,
        "color": list(first.color),
        "terminology": terminology_of(first.fields),
    }


def _to_write(
    request: Transfer,
    structures: Sequence[_Structure],
    results: Mapping[str, TransferResult],
    answer: Mapping[str, Any],
) -> list[Found]:
    """The structures as they are written to a file, with what Slicer's side keeps in the segments that it makes."""
    found = []
    identities: set[str] = set()
    for label, structure in enumerate(structures, 1):
        first, result = structure.supports[0], results[structure.name]
        fields = with_own_identity(first.fields, label, identities)
        segment = Segment(structure.name, first.color, label, fields, result.mask, 1)
        settings = {
            "kind": "transfer",
            "method": request.method,
            "entries": request.entries,
            "annotatedVolumes": len(request.supports),
            "overallConfidence": round(float(result.confidence), _DECIMALS),
            "modality": answer["modality"]["used"],
            "modalitySource": answer["modality"]["source"],
        }
        tags = provenance_tag(answer, result.axis, [anchor.index for anchor in result.anchors], settings)
        if not Path(request.query_file).is_dir():  # Slicer may have the slices of a DICOM folder in another order
            tags |= confidence_tag(result.axis, [float(value) for value in result.slice_confidence])
        found.append(Found(segment, result.mask, (result.axis, ()), tags))
    return found
