"""One case from its image to its picture: prepare, run, measure, show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.markup import escape

from ..errors import InputError
from ..images import Geometry, Segment, read_annotation, read_volume
from .cases import Organ, choose_slices, write_annotation
from .overlay import Picture, Row, draw_overlay
from .run import Report, SegmentReport, propagate
from .score import Mask, Score, score
from .sources import Source, outputs, read_segments
from .table import Line, print_table

_Named = TypeVar("_Named", Segment, SegmentReport)


def show_case(source: Source, folder: Path, console: Console, names: Sequence[str] = ()) -> list[Path]:
    """Run one case and show it.

    Args:
        source: Volume and annotation.
        folder: Where to write; it exists.
        console: Where to print.
        names: Organs to run, all by default.

    Returns:
        The files written, the phantom's own included.

    Raises:
        FewShotError: Something cannot be read or the command failed.
    """
    cut, segmentation, overlay = outputs(source.name, folder)
    console.print(f"[bold]{escape(source.name)}[/bold]  {escape(source.said)}")
    volume = read_volume(source.volume)
    segments = _only(read_segments(source, volume.geometry), names)
    organs = choose_slices(segments, volume.geometry, complete=source.complete)
    written = [*source.written]
    annotation = source.annotation
    if names or any(organ.cut_down for organ in organs):
        write_annotation(cut, organs, volume.geometry)
        written.append(cut)
        annotation = cut
    console.print(f"[dim]{_amount(organs, volume.geometry)}[/dim]")
    report = propagate(source.volume, annotation, segmentation, source.modality)
    written.append(segmentation)

    results = _in_order(organs, read_annotation(segmentation, volume.geometry).segments)
    scores = [_score(organ, result) for organ, result in zip(organs, results, strict=True)]
    picture = Picture(
        volume=volume.array,
        spacing=volume.geometry.spacing,
        axes_lps=_axes(volume.geometry),
        modality=report.modality,
        title=source.name,
        source=source.said,
        has_reference=any(organ.cut_down for organ in organs),
    )
    draw_overlay(overlay, picture, _rows(organs, results, scores), len(organs))
    written.append(overlay)
    console.print(f"[dim]{escape(report.engine)}; {report.modality.upper()}[/dim]")
    print_table(console, _lines(organs, report, scores), report.seconds)
    return written


def _only(segments: list[Segment], names: Sequence[str]) -> list[Segment]:
    known = [segment.name for segment in segments]
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(f"There is no organ called {missing[0]!r}; there are {', '.join(known)}.")
    return [segment for segment in segments if not names or segment.name in names]


def _amount(organs: Sequence[Organ], geometry: Geometry) -> str:
    """How much there is to do, for a terminal is silent for minutes where the command shows no progress."""
    slices = max(geometry.shape[organ.axis] for organ in organs)
    many = "1 organ" if len(organs) == 1 else f"{len(organs)} organs"
    return f"{many} on {slices} slices; without a graphics card allow up to half a second for each."


def _in_order(organs: Sequence[Organ], items: Sequence[_Named]) -> list[_Named | None]:
    """The item of each organ: by place, since two segments may share a name, or by name where some were left out."""
    named = {item.name: item for item in items}
    same = len(items) == len(organs)
    return [items[place] if same else named.get(organ.segment.name) for place, organ in enumerate(organs)]


def _mask(organ: Organ, result: Segment | None) -> Mask:
    return np.zeros_like(organ.segment.mask) if result is None else result.mask


def _score(organ: Organ, result: Segment | None) -> Score | None:
    reference = organ.reference
    return None if reference is None else score(_mask(organ, result), reference, organ.axis, organ.annotated)


def _rows(organs: Sequence[Organ], results: Sequence[Segment | None], scores: Sequence[Score | None]) -> Iterator[Row]:
    for organ, result, measured in zip(organs, results, scores, strict=True):
        yield Row(
            name=organ.segment.name,
            axis=organ.axis,
            annotated=organ.annotated,
            annotation=organ.annotation,
            result=_mask(organ, result),
            reference=organ.reference,
            score=measured,
        )


def _lines(organs: Sequence[Organ], report: Report, scores: Sequence[Score | None]) -> list[Line]:
    lines = []
    for organ, said, measured in zip(organs, _in_order(organs, report.segments), scores, strict=True):
        lines.append(
            Line(
                name=organ.segment.name,
                annotated=organ.annotated,
                found=said.found if said else None,
                ml=said.ml if said else 0.0,
                score=measured,
                seconds=said.seconds if said else 0.0,
            )
        )
    return lines


def _axes(geometry: Geometry) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Directions of the array axes z, y, x in LPS, as rows of length 1."""
    columns = geometry.ijk_to_lps[:3, :3]
    return np.ascontiguousarray((columns / np.linalg.norm(columns, axis=0)).T[::-1])
