"""Where to compute, and what to do when memory runs out there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from .errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")

T = TypeVar("T")


def resolve_device(name: str | torch.device) -> torch.device:
    """The device of that name; "auto" is CUDA where there is one, else the CPU.

    "auto" never takes "mps": nobody has measured these networks there yet.

    Raises:
        DeviceError: it is not there, or there is no device of that name.
    """
    name = str(name)
    if name not in DEVICES and not name.startswith("cuda:"):
        raise DeviceError(f"There is no device “{name}”; use one of {', '.join(DEVICES)}.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda"):
        if not torch.cuda.is_available():
            raise DeviceError("A CUDA device was asked for, but PyTorch finds none here; use device cpu or auto.")
        if torch.device(name).index is not None and torch.device(name).index >= torch.cuda.device_count():
            raise DeviceError(f"There is no {name}: PyTorch finds {torch.cuda.device_count()} CUDA device(s).")
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("The mps device was asked for, but PyTorch finds none here; use device cpu or auto.")
    return torch.device(name)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an accelerator ran out of memory (a CPU that does is the system's affair, not one to retry)."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()  # MPS raises a plain RuntimeError
    return isinstance(error, RuntimeError) and "out of memory" in text and ("mps" in text or "cuda" in text)


def with_less_memory(attempts: list[tuple[str, Callable[[], T]]], notes: list[str]) -> T:
    """Result of the first attempt that fits into memory.

    Args:
        attempts: (what is done in this attempt, how), from the fastest to the thriftiest.
        notes: what had to be done is added here, a sentence each.

    Raises:
        DeviceError: not even the last attempt fitted.
    """
    for position, (_, attempt) in enumerate(attempts):
        try:
            return attempt()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # outside the except block: the traceback there would keep the attempt's tensors alive
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if position + 1 < len(attempts):
            notes.append(f"The device ran out of memory, so it was done again {attempts[position + 1][0]}.")
    raise DeviceError("The device ran out of memory even in the smallest pieces; use device cpu.")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """The same input gives the same bits: no kernels that are chosen by timing or add up in changing order."""
    if device.type != "cuda":
        yield
        return
    tf32 = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = tf32
