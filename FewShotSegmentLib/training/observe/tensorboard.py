"""The same numbers for TensorBoard, where its package is installed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .files import Notes


class TensorBoardLog:
    """Writes every number of a step as a scalar `train/NAME`, and of a validation as `validation/NAME`; an `Observer`.

    Attributes:
        notes: why nothing is written, if so; training goes on in any case.
    """

    def __init__(self, folder: Path):
        """Nothing is written yet.

        Args:
            folder: for event files; `tensorboard --logdir FOLDER` shows them.
        """
        self.notes = Notes()
        self._folder = folder
        self._writer: Any = None
        self._purge: int | None = None
        self._off = False

    def resumed(self, step: int) -> None:
        """TensorBoard drops what was told of later steps by an earlier run."""
        self._close_writer()
        self._purge = step + 1

    def told(self, row: dict[str, float]) -> None:
        """Scalars of a step."""
        self._add("train", row)

    def validated(self, row: Mapping[str, float]) -> None:
        """Scalars of a validation."""
        self._add("validation", row)

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """What was told reaches the file."""
        if self._writer is not None:
            self._try(self._writer.flush)

    def close(self) -> None:
        """Close the event file."""
        self._close_writer()

    def _add(self, group: str, row: Mapping[str, float]) -> None:
        if self._writer is None and not self._off:
            self._open()
        if self._writer is None:
            return
        step = int(row["step"])
        for name, value in row.items():
            if name != "step" and not math.isnan(value):
                self._try(self._writer.add_scalar, f"{group}/{name}", value, step)

    def _open(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - a second to import, and optional
        except ImportError:
            self._off = True
            self.notes.once(
                "missing", "There are no TensorBoard logs, since its package is missing: pip install tensorboard."
            )
            return
        try:
            self._writer = SummaryWriter(str(self._folder), purge_step=self._purge)
        except OSError as error:
            self._fail(error)

    def _try(self, call: Any, *given: Any) -> None:
        if self._off:
            return
        try:
            call(*given)
        except (OSError, RuntimeError, ValueError) as error:  # of its writing thread, told at the next call
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._off, self._writer = True, None
        why = getattr(error, "strerror", None) or error
        self.notes.once("write", f"TensorBoard logs could not be written to {self._folder} ({why}); training goes on.")

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._try(self._writer.close)
            self._writer = None
