"""The gradient of a batch: of several parts, in several pieces where memory asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..devices import is_out_of_memory
from ..errors import DeviceError

_MOST_PIECES = 64


class Gradients:
    """Leaves the gradient of batches in a network's weights.

    Attributes:
        pieces: in how many pieces a part is passed through the network; doubled whenever memory runs out.
        notes: what has to be said, a sentence each.
    """

    def __init__(self, task: nn.Module, model: nn.Module, device: torch.device, bfloat16: bool):
        """Prepare.

        Args:
            task: whose buffers (the statistics of batch normalisation) are put back where a batch is not taken.
            model: the task, or what wraps it for several processes.
            device: where it computes.
            bfloat16: autocast to it.
        """
        self.pieces = 1
        self.notes: list[str] = []
        self._task = task
        self._model = model
        self._device = device
        self._bfloat16 = bfloat16
        self._buffers: dict[str, Tensor] = {}

    def of(self, parts: Sequence[Any], step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss of the parts, and means of what else is told.

        Args:
            parts: of the batch.
            step: its number from 1, to be said.

        Raises:
            DeviceError: not even one sequence fits into memory, or memory ran out with several processes, which cannot
                halve their pieces each on its own.
        """
        self._buffers = {name: value.clone() for name, value in self._task.named_buffers()}
        while True:
            try:
                return self._backward(parts)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if isinstance(self._model, DistributedDataParallel):
                    raise DeviceError(
                        "The device ran out of memory; use a smaller --per-part and more --parts, which makes the "
                        "same batch in smaller pieces."
                    ) from None
            # outside the except block: the traceback there would keep tensors alive
            self.take_back()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if self.pieces >= min(_MOST_PIECES, max(part.number for part in parts)):
                raise DeviceError(
                    "The device ran out of memory with one sequence at a time; use smaller slices, or device cpu."
                )
            self.pieces *= 2
            self.notes.append(
                f"The device ran out of memory at step {step}; from there on each part is passed through the "
                f"network in {self.pieces} pieces, which gives the same batch."
            )

    def take_back(self) -> None:
        """Forget the last batch: its gradient, and what it did to buffers."""
        self._task.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, value in self._task.named_buffers():
                value.copy_(self._buffers[name])

    def _backward(self, parts: Sequence[Any]) -> tuple[Tensor, dict[str, Tensor]]:
        self._task.zero_grad(set_to_none=True)
        pieces = [(piece, part.weight) for part in parts for piece in part.pieces(self.pieces)]
        total: Tensor = torch.zeros((), device=self._device)
        told: dict[str, list[Tensor]] = {}
        for number, (piece, weight) in enumerate(pieces):
            last = number == len(pieces) - 1
            model = self._model
            quiet = nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()
            with quiet:
                with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bfloat16):
                    losses = model(piece)
                loss = losses.loss * (piece.weight / max(weight, 1e-6) / len(parts))
                loss.backward()
            total = total + loss.detach()
            for name, value in losses.told.items():
                told.setdefault(name, []).append(value)
        return total, {name: torch.stack(values).nanmean() for name, values in told.items()}
