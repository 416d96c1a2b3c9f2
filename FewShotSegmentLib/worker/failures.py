"""What went wrong with a request, as its answer."""

from __future__ import annotations

import traceback

from ..errors import Cancelled as Stopped
from ..errors import FewShotError
from .messages import Cancelled, Event, Failed
from .wording import for_panel

PACKAGES = {
    "torch": "PyTorch (torch)",
    "numpy": "NumPy (numpy)",
    "SimpleITK": "SimpleITK",
    "nrrd": "pynrrd",
    "safetensors": "safetensors",
    "tqdm": "tqdm",
    "platformdirs": "platformdirs",
}
"""What the engine needs, by the name that is imported."""

_NO_MEMORY = (
    "There is not enough memory for this; close other programs, propagate fewer segments at once, or crop the volume."
)
_NO_DEVICE_MEMORY = "The device has not enough memory for this; close other programs, or choose the device CPU."


def answer_to(error: BaseException, request_id: str) -> Event:
    """The event that tells of an exception."""
    if isinstance(error, Stopped):
        return Cancelled(request_id)
    if isinstance(error, FewShotError):
        return Failed(request_id, for_panel(str(error)))
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        on_device = not isinstance(error, MemoryError) and "cpu" not in str(error).lower()
        return Failed(request_id, _NO_DEVICE_MEMORY if on_device else _NO_MEMORY)
    missing = _missing_package(error)
    if missing:
        return Failed(request_id, missing)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        sentence = f"A file cannot be used: {error.strerror}{where}."
        return Failed(request_id, sentence, _trace(error))
    what = " ".join(str(error).split()) or type(error).__name__
    what = what if len(what) <= 200 else f"{what[:197]}…"
    sentence = f"The engine made a mistake: {what.rstrip('.')}; please report it (copy diagnostics)."
    return Failed(request_id, sentence, _trace(error))


def is_memory_failure(error: BaseException) -> bool:
    """Whether memory ran out."""
    return isinstance(error, MemoryError) or _is_out_of_memory(error)


def _is_out_of_memory(error: BaseException) -> bool:
    """Of an accelerator, or of the CPU in PyTorch's words; PyTorch need not be there to ask."""
    text = str(error).lower()
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and any(word in text for word in words)
    )


def _missing_package(error: BaseException) -> str | None:
    """A sentence if it is one of the engine's packages that is missing or broken."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        if package in PACKAGES:
            return f"{PACKAGES[package]} is not installed here; open “Set-up” and install it."
    if not isinstance(error, ImportError | OSError):
        return None
    trace = error.__traceback__
    while trace is not None:  # a package that is there but cannot be loaded fails while it is imported
        package = str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0]
        if package in PACKAGES and trace.tb_frame.f_code.co_name == "<module>":
            what = " ".join(str(error).split())[:200].rstrip(".")
            return (
                f"{PACKAGES[package]} is installed here, but cannot be loaded ({what}); install it again in “Set-up”."
            )
        trace = trace.tb_next
    return None


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
