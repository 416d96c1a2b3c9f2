"""Reading volumes to learn from, several at a time; what cannot be used is left out and said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..checks import check_modality
from ..errors import Cancelled, InputError
from ..progress import Progress
from ..settings import Settings
from .load import MakeSuperpixels, Parts, Reading, read_one
from .sources import Source, find_sources
from .training_volume import TrainingData, TrainingVolume

if TYPE_CHECKING:
    from ..superpixels import SuperpixelSettings

__all__ = ["TrainingData", "TrainingVolume", "read_training_volumes"]


def read_training_volumes(
    given: Iterable[str | Path],
    settings: Settings,
    superpixels: SuperpixelSettings | None = None,
    cache: Path | None = None,
    modality: str = "auto",
    min_slices: int = 3,
    jobs: int = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    make: MakeSuperpixels | None = None,
) -> TrainingData:
    """Read images without labels, bring them to the network's grid and give them superpixels.

    Superpixels are made on the volume's own voxels, as at full resolution, and carried to the network's grid (nearest).
    A file that cannot be used is left out and said. Slices lie across the axis they were most likely acquired along.

    Args:
        given: files and folders (see `sources.find_sources`).
        settings: the longer side of a slice and how values are standardised.
        superpixels: how superpixels are made; by default as published.
        cache: folder that keeps superpixels between runs, or None.
        modality: "ct" or "mr" for all, or "auto": what the DICOM file says, else cases.json, else a guess.
        min_slices: volumes with fewer are left out.
        jobs: processes that read.
        progress: called with (volumes done, volumes in all).
        cancelled: asked between volumes.
        make: another maker of superpixels instead of `superpixels` and `cache`; must be picklable for several jobs.

    Raises:
        InputError: no image, or none that can be used.
        Cancelled: `cancelled` said so.
    """
    modality = check_modality(modality)
    if jobs < 1:
        raise InputError(f"The number of jobs is {jobs}; it must be 1 or more.")
    sources, notes = find_sources(given)
    if make is None and superpixels is None:
        from ..superpixels import SuperpixelSettings  # noqa: PLC0415 - a maker of one's own needs no scikit-image

        superpixels = SuperpixelSettings()
    dimensions = 2 if superpixels is None else superpixels.dimensions
    reading = Reading(settings, superpixels, cache, modality, min_slices, make, dimensions)
    volumes = []
    for volume, said in _read_all(sources, reading, jobs, progress, cancelled or (lambda: False)):
        notes += said
        if volume is not None:
            volumes.append(volume)
    if not volumes:
        raise InputError(
            f"None of the {len(sources)} images can be learned from. " + " ".join(notes[:3])
            if notes
            else "No image can be learned from."
        )
    data = TrainingData(volumes, notes)
    groups = data.by_modality
    if len(groups) > 1:
        counts = " and ".join(f"{len(group)} {name.upper()}" for name, group in groups.items())
        notes.append(
            f"The images are of several modalities ({counts}); no episode mixes them, but one network learns from all. "
            "Name the images of one modality to train on it alone."
        )
    return data


Read = tuple["TrainingVolume | None", list[str]]


def _read_all(
    sources: list[Source], reading: Reading, jobs: int, progress: Progress | None, cancelled: Callable[[], bool]
) -> list[Read]:
    """All files in their order, whatever the order in which they got ready."""
    results: dict[int, Read] = {}

    def tell() -> None:
        if progress is not None:
            progress(len(results), len(sources))

    if jobs == 1 or len(sources) == 1:
        for number, source in enumerate(sources):
            if cancelled():
                raise Cancelled()
            results[number] = _as_volume(read_one(source, reading))
            tell()
        return [results[number] for number in range(len(sources))]
    # spawned, since a fork of a process in which torch has threads may never return
    with ProcessPoolExecutor(min(jobs, len(sources)), get_context("spawn"), _one_thread) as pool:
        tasks = {pool.submit(read_one, source, reading): number for number, source in enumerate(sources)}
        waiting: set[Future[Parts]] = set(tasks)
        try:
            while waiting:
                if cancelled():
                    raise Cancelled()
                ready, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for task in ready:
                    results[tasks[task]] = _as_volume(task.result())
                    tell()
        except BrokenProcessPool as error:
            raise InputError("A process that read images ended, perhaps for want of memory; use fewer jobs.") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [results[number] for number in range(len(sources))]


def _as_volume(parts: Parts) -> Read:
    read, notes = parts
    if read is None:
        return None, notes
    frame, slices, superpixels = read
    return replace(frame, slices=torch.from_numpy(slices), superpixels=torch.from_numpy(superpixels)), notes


def _one_thread() -> None:
    torch.set_num_threads(1)
