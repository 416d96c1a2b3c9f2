"""Several processes that train together (torchrun), or one: who does what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from ..errors import InputError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: of this one, from 0.
        count: how many there are.
        local: number of this one on its machine, which is the number of its accelerator.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def device(self, wished: str) -> str:
        """The device of this process: its own accelerator where several processes share out a machine's."""
        if self.count == 1 or wished == "cpu":
            return wished
        return f"cuda:{self.local}" if torch.cuda.is_available() else "cpu"

    def parts(self, parts: int) -> list[int]:
        """The parts of a batch that this process passes through the network.

        Raises:
            InputError: they cannot be shared out evenly.
        """
        if parts % self.count:
            raise InputError(
                f"The batch has {parts} parts, which {self.count} processes cannot share evenly; "
                f"use --parts {self.count * max(1, round(parts / self.count))}."
            )
        return list(range(self.rank, parts, self.count))

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Mean over all processes, nan left out."""
        if self.count == 1:
            return value
        known = torch.stack([value.nan_to_num(0.0).double(), (~value.isnan()).double()])
        dist.all_reduce(known)
        return torch.where(known[1] > 0, known[0] / known[1], torch.nan)

    def sum(self, value: float) -> float:
        """Sum over all processes."""
        if self.count == 1:
            return float(value)
        total = torch.tensor(float(value), device=_device_of_backend(self.local), dtype=torch.float64)
        dist.all_reduce(total)
        return float(total)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()

    def any(self, value: bool) -> bool:
        """Whether it is so in one of the processes."""
        if self.count == 1:
            return value
        seen = torch.tensor(float(value), device=_device_of_backend(self.local))
        dist.all_reduce(seen)
        return bool(seen > 0)


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """The processes that torchrun has started (its environment says so), joined; one alone without it.

    NCCL joins accelerators, gloo processors.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    accelerated = device != "cpu" and torch.cuda.is_available()
    if accelerated:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if accelerated else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), local)
    finally:
        dist.destroy_process_group()


def _device_of_backend(local: int) -> torch.device:
    return torch.device("cuda", local) if dist.get_backend() == "nccl" else torch.device("cpu")
