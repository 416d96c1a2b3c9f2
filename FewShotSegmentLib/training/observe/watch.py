"""All that is seen of a training, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..batches import SequenceBatch
from ..few_shot_task import EpisodeBatch
from ..settings import TrainSettings
from .curves import CurvesPicture
from .log import CsvLog, columns_of
from .parts import PartsPicture
from .tensorboard import TensorBoardLog
from .validate import Validation

LOG, VALIDATION, CURVES, PARTS, TENSORBOARD = "log.csv", "validation.csv", "curves.png", "parts.png", "tensorboard"
"""Names in the training's folder."""

Watcher = CsvLog | TensorBoardLog | Validation | CurvesPicture | PartsPicture


@dataclass(frozen=True)
class Watchers:
    """What is handed to the trainer.

    Attributes:
        observers: in the order in which they must be told.
    """

    observers: list[Watcher]

    @property
    def notes(self) -> list[str]:
        """What has to be said, a sentence each."""
        return list(dict.fromkeys(note for watcher in self.observers for note in watcher.notes))


def make_observers(
    folder: Path,
    settings: TrainSettings,
    *,
    device: torch.device | None = None,
    validation: str | Path | None = None,
    validate_every: int = 1000,
    parts: Sequence[SequenceBatch | EpisodeBatch] = (),
    tensorboard: bool = True,
    title: str = "",
) -> list[Watcher]:
    """Log, TensorBoard, validation, curves and picture of a training, in the order in which they must be told.

    For the first process only. Each must be closed, whatever ends the training (see `watching`); its `notes` are whole
    after that.

    Args:
        folder: of the training; made when something is written.
        settings: of the training.
        device: where validation computes.
        validation: folder of labelled volumes, or None for none.
        validate_every: steps.
        parts: material for the picture, see `sample_parts`; none for no picture.
        tensorboard: whether to write for TensorBoard too.
        title: of the curves.

    Raises:
        InputError: the validation's folder cannot be used.
    """
    log = CsvLog(folder / LOG, columns_of(settings))
    board = TensorBoardLog(folder / TENSORBOARD) if tensorboard else None
    observers: list[Watcher] = [log, *([board] if board else [])]
    if validation is not None:
        told = [board.validated] if board else []
        path = folder / VALIDATION
        observers.append(Validation(validation, settings, path, device=device, every=validate_every, listeners=told))
    observers.append(CurvesPicture(folder / CURVES, log, folder / VALIDATION, title))
    if parts:
        observers.append(PartsPicture(folder / PARTS, parts, settings, device=device, every=validate_every))
    return observers


@contextmanager
def watching(folder: Path, settings: TrainSettings, **options: Any) -> Iterator[Watchers]:
    """`make_observers`, closed at the end; use it around `Trainer.run` and read `notes` after it."""
    observers = make_observers(folder, settings, **options)
    try:
        yield Watchers(observers)
    finally:
        for watcher in observers:
            watcher.close()
