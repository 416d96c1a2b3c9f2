"""Superpixels from files to files: what the command line and scripts run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Cancelled, FewShotError, InputError
from ..images import Volume, read_volume
from ..images.folders import find_images
from ..progress import Progress
from ..version import __version__
from . import files
from .cache import image_checksum
from .make import make_superpixels
from .settings import SuperpixelSettings
from .workers import run_all, writing


@dataclass(frozen=True)
class SuperpixelJob:
    """What is to be done; paths are not looked at before `run`.

    Attributes:
        volumes: image files, folders of images (those called *_labels are left out), or DICOM folders.
        folder: where results go; made if it is not there.
        settings: how superpixels are made.
        axis: array axis across the slices; None for the one that they were most likely acquired across.
        modality: "auto", "ct" or "mr".
        force: whether files that are there may be replaced.
        jobs: volumes at a time; None for as many as there are processors. With more than one, a script that runs this
            needs its `if __name__ == "__main__":`, as for anything that starts processes.
        series: DICOM series UID, where the folder holds several.
    """

    volumes: Sequence[Path]
    folder: Path
    settings: SuperpixelSettings = field(default_factory=SuperpixelSettings)
    axis: int | None = None
    modality: str = "auto"
    force: bool = False
    jobs: int | None = None
    series: str | None = None

    def run(self, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None) -> dict[str, Any]:
        """Do it. A volume that cannot be used does not keep the others from theirs; it is in the report.

        Args:
            progress: called with (steps done, steps in all).
            cancelled: asked whenever a step is done.

        Returns:
            A report that can be written as JSON: `engine_version`, `settings`, `digest`, `seconds`, `notes` and for
            each of `volumes`: `volume`, `made` (False: it was there already), `labels`, `picture`, `description`,
            `notes`, `seconds` and what the description says; or `error`.

        Raises:
            FewShotError: nothing at all can be done.
            Cancelled: `cancelled` said yes, or Ctrl-C; what was written before stays.
        """
        start = time.perf_counter()
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"At least one volume must be worked on at a time, not {self.jobs}.")
        volumes = find_images(self.volumes)
        outputs = files.name_outputs(volumes, self.folder)
        tasks = [_Task(self, volume, own) for volume, own in zip(volumes, outputs, strict=True)]
        results: dict[int, dict[str, Any]] = {}

        def step(done: int, total: int) -> None:
            if cancelled and cancelled():
                raise Cancelled
            if progress:
                progress(done, total)

        try:
            for number, result in run_all(_one, tasks, self.jobs or os.cpu_count() or 1, step):
                results[number] = result
        except (KeyboardInterrupt, Cancelled) as stop:
            done = sum("error" not in entry for entry in results.values())
            if not done:
                raise
            raise Cancelled(
                f"Cancelled: {done} of {len(volumes)} volumes had been done, and their superpixels stay."
            ) from stop
        entries = [results[number] for number in range(len(tasks))]
        if len(entries) == 1 and "error" in entries[0]:
            raise InputError(entries[0]["error"])
        return {
            "engine_version": __version__,
            "settings": self.settings.as_dict(),
            "digest": self.settings.digest(),
            "seconds": round(time.perf_counter() - start, 3),
            "notes": _notes(entries),
            "volumes": entries,
        }


@dataclass(frozen=True)
class _Task:
    """One volume, as another process gets it."""

    job: SuperpixelJob
    volume: Path
    outputs: files.Outputs


def _one(task: _Task, progress: Progress, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """One volume; what its user can mend is in the result."""
    try:
        return _cut(task, progress, cancelled)
    except Cancelled:
        raise
    except FewShotError as error:
        return {"volume": str(task.volume), "error": str(error)}
    except MemoryError:
        return {"volume": str(task.volume), "error": "There is not enough memory for this volume; use fewer --jobs."}


def _cut(task: _Task, progress: Progress, cancelled: Callable[[], bool]) -> dict[str, Any]:
    start = time.perf_counter()
    job, outputs = task.job, task.outputs
    volume = read_volume(task.volume, job.series)
    modality, source, notes = _modality(volume, job.modality)
    axis = volume.geometry.acquisition_axis if job.axis is None else job.axis
    spacing = volume.geometry.spacing
    checksum = image_checksum(volume.array, spacing, modality, axis)
    about = None if job.force else files.look_for(outputs, checksum, modality, job.settings)
    made = about is None
    if about is None:
        found = make_superpixels(volume.array, spacing, modality, job.settings, axis, progress, cancelled)

        from .picture import draw  # noqa: PLC0415 - only here

        picture = draw(volume.array, modality, found)
        if not found.body.any():
            notes.append("No body was found, so there are no superpixels; is the modality right?")
        with writing:
            about = files.write(outputs, volume, found, picture, files.describe(volume, checksum, modality, found))
    return {
        "volume": str(task.volume),
        "made": made,
        "labels": str(outputs.labels),
        "picture": str(outputs.picture),
        "description": str(outputs.description),
        "modality": {"used": modality, "source": source},
        **{key: value for key, value in about.items() if key not in ("format", "engine_version", "modality", "source")},
        "notes": notes,
        "seconds": round(time.perf_counter() - start, 3),
    }


def _modality(volume: Volume, wished: str) -> tuple[str, str, list[str]]:
    """("ct" or "mr", where that is from, what has to be said)."""
    if wished != "auto":
        return wished, "given", []
    if volume.modality:
        return volume.modality, "file", []
    from ..preprocessing import decide_modality  # noqa: PLC0415 - imports torch, which nothing else here needs

    used, note = decide_modality("auto", volume.array)
    return used, "guessed", [note] if note else []


def _notes(entries: Sequence[dict[str, Any]]) -> list[str]:
    """What is to be said of all volumes together."""
    kinds = {entry["modality"]["used"] for entry in entries if "error" not in entry}
    if len(kinds) < 2:
        return []
    return ["There are CT and MR volumes; each was cut up by its own modality. Train with one at a time."]
