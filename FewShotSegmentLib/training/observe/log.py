"""The training's log: `log.csv`, one row for every step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..settings import TrainSettings
from .table import CsvTable, read_table

_EVERY_ROW = ("step", "loss", "rate", "norm", "seconds", "waiting", "slices", "dice")
_OF_PROPAGATOR = ("mask_loss", "absent", "few_shot_loss")
_OF_FEW_SHOT = ("query_loss", "alignment_loss")

_FLUSH_ROWS = 50
_FLUSH_SECONDS = 2.0
"""Whoever looks at the file sees the last seconds; at 50 steps a second a write for each would cost 1 % of the time."""


def columns_of(settings: TrainSettings) -> tuple[str, ...]:
    """Columns of the log of a training with these settings, in their order."""
    return _EVERY_ROW + (_OF_PROPAGATOR if settings.network == "propagator" else _OF_FEW_SHOT)


class CsvLog:
    """Writes every step's numbers to a CSV file; an `Observer`.

    Attributes:
        path: of the file.
        notes: what could not be written, a sentence.
    """

    def __init__(self, path: Path, columns: Sequence[str] = _EVERY_ROW):
        """Nothing is read or written yet.

        Args:
            path: usually `log.csv` in the training's folder.
            columns: see `columns_of`; others are added when a step brings them.
        """
        self.path = path
        self._table = CsvTable(path, columns, _FLUSH_ROWS)
        self._flushed = time.monotonic()
        self.notes = self._table.notes

    def resumed(self, step: int) -> None:
        """Later steps are removed."""
        self._table.drop_after(step)

    def told(self, row: dict[str, float]) -> None:
        """A row more."""
        self._table.append(row)
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """All rows reach the file, so that it is never behind the checkpoint."""
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._table.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Write what waits."""
        self.flush()


def read_log(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a log by name, float64 [steps], nan where a step has no such number; nothing if there is no file.

    Raises:
        OSError: the file cannot be read.
    """
    return read_table(path)
