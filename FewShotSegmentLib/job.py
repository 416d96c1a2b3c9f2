"""One propagation from files to files: read → find anchors → carry → write. What the command line and scripts run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .anchors import Anchors, find_anchors
from .errors import InputError, OutputError
from .images import (
    Annotation,
    Segment,
    Volume,
    check_output,
    read_annotation,
    read_volume,
    write_confidence,
    write_segmentation,
)
from .images.output import LABELMAPS, SEGMENTATION, Found, all_or_nothing
from .progress import Progress
from .version import __version__
from .weights import find_weights_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .propagation import Result


@dataclass(frozen=True)
class PropagateJob:
    """What is to be done; paths are not looked at before `run`.

    Attributes:
        volume: image file or DICOM folder.
        annotation: `.seg.nrrd` or labelmap.
        output: `.seg.nrrd` or labelmap to write.
        segments: names of the segments to carry; all by default.
        axis: array axis across which the annotated slices lie; found from the data by default.
        slices: first and last slice, both included, that may hold a structure.
        modality: "auto", "ct" or "mr".
        device: "auto", "cpu", "cuda" or "mps".
        confidence: image of probabilities to write, or None.
        force: whether files that are there may be replaced.
        series: DICOM series UID where the folder holds several.
        weights: folder with weights, or name of adapted ones; the bundled ones by default.
    """

    volume: Path
    annotation: Path
    output: Path
    segments: Sequence[str] = ()
    axis: int | None = None
    slices: tuple[int, int] | None = None
    modality: str = "auto"
    device: str = "auto"
    confidence: Path | None = None
    force: bool = False
    series: str | None = None
    weights: str | Path | None = None

    def run(self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> dict[str, Any]:
        """Do it.

        Returns:
            A report that can be written as JSON (see the README's “Command line”).

        Raises:
            FewShotError: anything that its user can mend; nothing is written then.
        """
        start = time.perf_counter()
        outputs = self._check_outputs()
        weights = find_weights_folder(self.weights)
        volume = read_volume(self.volume, self.series)
        annotation = read_annotation(self.annotation, volume.geometry)
        chosen, notes = self._find_anchors(annotation, volume)

        from .engine import Engine  # noqa: PLC0415 - imports torch: a wrong file name must not wait seconds for it

        engine = Engine.load(self.device, weights_folder=weights)
        modality = self.modality if self.modality != "auto" else volume.modality or "auto"
        results: dict[str, Result] = {}
        for axis in sorted({anchors.axis for _, anchors in chosen.values()}):
            group = {key: anchors.masks for key, (_, anchors) in chosen.items() if anchors.axis == axis}
            results |= engine.propagate_segments(
                volume.array,
                group,
                axis=axis,
                spacing=volume.geometry.spacing,
                modality=modality,
                slice_range=self.slices,
                progress=progress,
                cancelled=cancelled,
                keep_probability=self.confidence is not None,
            )
            notes += [note for note in engine.notes if note not in notes]

        if self.slices is None:
            notes += _note_on_ends(chosen, results, volume)
        found = [
            Found(segment, results[key].mask, (anchors.axis, results[key].anchors))
            for key, (segment, anchors) in chosen.items()
        ]
        with all_or_nothing(outputs) as parts:
            notes += write_segmentation(parts[0], found, volume.geometry, annotation.fields)
            if self.confidence is not None:
                write_confidence(parts[1], _take_probabilities(results[key] for key in chosen), volume.geometry)
        source = "given" if self.modality != "auto" else "file" if volume.modality else engine.modality[1]
        return {
            "engine_version": __version__,
            "device": str(engine.device),
            "weights": {"name": engine.weights.name, "sha256": engine.weights.sha256},
            "volume": str(self.volume),
            "annotation": str(self.annotation),
            "output": str(self.output),
            "confidence": str(self.confidence) if self.confidence else None,
            "modality": {"used": engine.modality[0], "source": source},
            "seconds": round(time.perf_counter() - start, 3),
            "notes": notes,
            "segments": [_report(segment, results[key], volume) for key, (segment, _) in chosen.items()],
        }

    def _check_outputs(self) -> list[Path]:
        inputs = [self.volume, self.annotation]
        outputs = [check_output(self.output, self.force, inputs, (SEGMENTATION, *LABELMAPS))]
        if self.confidence is not None:
            if self.confidence.resolve() == self.output.resolve():
                raise OutputError(f"{self.output} cannot be both the result and the confidence; name two files.")
            outputs.append(check_output(self.confidence, self.force, inputs, LABELMAPS))
        return outputs

    def _find_anchors(
        self, annotation: Annotation, volume: Volume
    ) -> tuple[dict[str, tuple[Segment, Anchors]], list[str]]:
        """The segments to carry with their anchors, by a name that is theirs alone; and what has to be said."""
        wanted = annotation.select(self.segments) if self.segments else annotation.segments
        chosen: dict[str, tuple[Segment, Anchors]] = {}
        notes: list[str] = []
        for segment in wanted:
            mask = segment.mask
            if not mask.any() and not self.segments:
                notes.append(f"{segment.name} is empty and was left out.")
                continue
            anchors = find_anchors(mask, volume.geometry.acquisition_axis, self.axis, segment.name)
            key = segment.name
            while key in chosen:
                key += "′"  # Slicer allows two segments of one name
            chosen[key] = (segment, anchors)
            notes += anchors.notes
        if not chosen:
            raise InputError(
                f"The annotation {annotation.path.name} is empty; draw the structure on at least one slice."
            )
        return chosen, notes


def _take_probabilities(results: Iterable[Result]) -> Iterator[NDArray[np.float32]]:
    """Each result's probabilities, which it does not keep."""
    for result in results:
        probability, result.probability = result.probability, None
        if probability is not None:
            yield probability


def _note_on_ends(chosen: dict[str, tuple[Segment, Anchors]], results: dict[str, Result], volume: Volume) -> list[str]:
    """A hint where structures were found from end to end: running on past a structure's end is the likeliest error."""
    through = []
    for key, (segment, anchors) in chosen.items():
        ends = {0, volume.array.shape[anchors.axis] - 1}
        if ends <= set(results[key].slices) and not ends <= set(anchors.masks):
            through.append(segment.name)
    if not through:
        return []
    note = (
        f"Found from the first slice of the volume to the last: {', '.join(through)}. Where a structure ends before, "
        "annotate another slice near its end or bound it with --slices."
    )
    return [note]


def _report(segment: Segment, result: Result, volume: Volume) -> dict[str, Any]:
    """What is said of one segment."""
    voxels = int(result.mask.sum())
    first, last = result.slices[0], result.slices[-1]
    return {
        "name": segment.name,
        "label": segment.label,
        "axis": result.axis,
        "anchors": list(result.anchors),
        "first_slice": first,
        "last_slice": last,
        "slices_found": len(result.slices),
        "voxels": voxels,
        "ml": round(voxels * volume.geometry.voxel_ml, 4),
        "slice_confidence": {str(i): round(float(result.slice_confidence[i]), 4) for i in range(first, last + 1)},
        "seconds": round(result.seconds, 3),
    }
