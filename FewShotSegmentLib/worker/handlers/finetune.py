"""Weights adapted to annotated volumes, and whether they are kept."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...finetune import AnnotatedArrays, FinetuneRequest, FinetuneSettings
from ..inputs import geometry_of, read_anchors, read_voxels
from ..job import Job
from ..messages import AnnotatedRef, Finetune, FinetuneKeep

_PAUSE_SECONDS = 0.1


def finetune(request: Finetune, job: Job) -> dict[str, Any]:
    """Adapt the weights; they wait for `keep`."""
    job.loading()
    steps = {} if request.steps is None else {"steps": request.steps}
    settings = FinetuneSettings(minutes=request.minutes, **steps)
    cases = [arrays for case in request.cases for arrays in _arrays(case)]
    _check_names(cases)

    from ...finetune import TrainingLogic  # noqa: PLC0415 - imports torch

    job.kept.clear()  # training needs the memory that the model and volumes take
    logic = job.kept.training = TrainingLogic()
    logic.start(FinetuneRequest(cases, settings, request.device, request.weights))
    seen = None
    while not logic.wait(_PAUSE_SECONDS):
        if job.stopping():
            logic.cancel()
        elif (progress := logic.progress()) != seen:
            seen = progress
            job.progress(progress.done, progress.total, progress.phase or "training", progress.seconds_left)
    result = logic.result()
    job.check_cancelled()
    return result.to_json()


def keep(request: FinetuneKeep, job: Job) -> dict[str, Any]:
    """Keep the adapted weights under a name, or drop them."""
    logic = job.kept.training
    if not request.name:
        if logic is not None:
            logic.roll_back()
            job.kept.training = None
        return {"name": "", "folder": ""}
    if logic is None:
        raise InputError("There are no adapted weights to keep; fine-tune first.")
    return {"name": request.name, "folder": str(logic.keep(request.name))}


def _arrays(case: AnnotatedRef) -> list[AnnotatedArrays]:
    """A case as fine-tuning takes it: once for each axis that is annotated across."""
    array = read_voxels(case.volume)
    spacing = geometry_of(case.volume, array.shape).spacing
    found = []
    for axis in sorted({segment.axis for segment in case.segments}):
        masks: dict[str, dict[int, object]] = {}
        for segment in case.segments:
            if segment.axis == axis:
                name = segment.name
                while name in masks:
                    name += "′"  # Slicer allows two segments of one name
                masks[name] = dict(read_anchors(segment, array.shape))
        found.append(
            AnnotatedArrays(array, masks, axis, spacing, case.volume.modality, case.volume.name, case.complete)
        )
    return found


def _check_names(cases: list[AnnotatedArrays]) -> None:
    if not any(case.segments for case in cases):
        raise InputError("There is no annotated volume to learn from; give at least one.")
