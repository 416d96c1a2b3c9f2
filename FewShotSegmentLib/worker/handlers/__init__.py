"""What is done for each request, a room each; imported when the first request of its kind comes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..messages import (
    Devices,
    Finetune,
    FinetuneKeep,
    Forget,
    Library,
    Propagate,
    ProtocolError,
    Request,
    Transfer,
    Weights,
)
from ..wording import with_panel_notes

if TYPE_CHECKING:
    from ..job import Job

_ROOMS: dict[type[Request], tuple[str, str]] = {
    Propagate: ("propagate", "propagate"),
    Transfer: ("transfer", "transfer"),
    Library: ("library", "work_on_library"),
    Finetune: ("finetune", "finetune"),
    FinetuneKeep: ("finetune", "keep"),
    Weights: ("weights", "work_on_weights"),
    Devices: ("devices", "find_devices"),
    Forget: ("propagate", "forget"),
}
"""{request: (module, function)}."""


def handle(request: Request, job: Job) -> dict[str, Any]:
    """Do what is asked; returns the answer.

    Raises:
        FewShotError: it cannot be done, and nothing was changed.
    """
    if type(request) not in _ROOMS:
        raise ProtocolError(f"There is no work for a request of the kind “{request.kind}”.")
    module, function = _ROOMS[type(request)]
    answer: dict[str, Any] = getattr(import_module(f".{module}", __name__), function)(request, job)
    return with_panel_notes(answer)
