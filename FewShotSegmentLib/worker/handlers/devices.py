"""What can compute here, in plain words."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...version import __version__
from ..failures import PACKAGES
from ..job import Job
from ..messages import Devices

_GB = 1e9


def find_devices(request: Devices, job: Job) -> dict[str, Any]:
    """Every device, the ones that cannot be used with the reason."""
    job.loading()

    import torch  # noqa: PLC0415 - takes seconds

    from ...devices import resolve_device  # noqa: PLC0415 - imports torch

    rows = _cuda_rows(torch)
    if torch.backends.mps.is_available():
        rows.append(_row("mps", "Apple GPU (mps); not measured with these networks yet"))
    threads = torch.get_num_threads()
    free = free_memory()
    words = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    rows.append(_row("cpu", words + (f", {free / _GB:.1f} GB of memory free" if free is not None else ""), free))
    return {"devices": rows, "auto": str(resolve_device("auto")), "versions": _versions(), "threads": threads}


def _row(name: str, text: str, free: int | None = None, usable: bool = True) -> dict[str, Any]:
    return {"name": name, "text": text, "free_bytes": free, "usable": usable}


def _cuda_rows(torch: Any) -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        why = _why_no_cuda(torch)
        return [_row("cuda", why, usable=False)] if why else []
    rows = []
    count = torch.cuda.device_count()
    for index in range(count):
        name = "cuda" if count == 1 else f"cuda:{index}"
        words = torch.cuda.get_device_name(index)
        try:
            free, total = torch.cuda.mem_get_info(index)
        except RuntimeError as error:  # another program may have all of it
            reason = " ".join(str(error).split())[:100]
            rows.append(_row(name, f"{words}, which cannot be used now ({reason})", usable=False))
            continue
        rows.append(_row(name, f"{words}, {free / _GB:.1f} of {total / _GB:.1f} GB free", int(free)))
    return rows


def _why_no_cuda(torch: Any) -> str:
    """Why a GPU that seems to be there is not used; "" if there seems to be none."""
    if not (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()):
        return ""
    if torch.version.cuda is None:
        return (
            "An NVIDIA GPU seems to be there, but the PyTorch that is installed computes on the CPU only; install "
            "PyTorch for CUDA in “Set-up”"
        )
    return (
        f"An NVIDIA GPU seems to be there, but PyTorch (for CUDA {torch.version.cuda}) cannot use it; update its "
        "driver, or install PyTorch for another CUDA version in “Set-up”"
    )


def free_memory() -> int | None:
    """Bytes of memory that programs can still have, or None where the system does not say it easily."""
    try:
        if sys.platform == "win32":
            return _free_on_windows()
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    return None


def _free_on_windows() -> int | None:
    import ctypes  # noqa: PLC0415

    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "free", "file", "file_free", "room", "room_free", "more")),
        ]

    status = Status(length=ctypes.sizeof(Status))
    windll: Any = getattr(ctypes, "windll")  # noqa: B009 - only Windows has it
    return int(status.free) if windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _versions() -> dict[str, str]:
    """Versions of what the engine uses; for the diagnostics."""
    found = {"fewshotsegment": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        name = "pynrrd" if package == "nrrd" else package
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["system"] = platform.platform()
    found["cpus"] = str(os.cpu_count() or "?")
    return found
