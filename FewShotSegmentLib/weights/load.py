"""Reading weights: nothing is used whose checksum is not the manifest's, and nothing is unpickled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors

from ..errors import WeightsError
from ..networks import Refiner
from .manifest import WeightsInfo, find_refiner


def load_state(info: WeightsInfo) -> dict[str, torch.Tensor]:
    """State dictionary in float32.

    The file is read once and what was checked is what is parsed, so it cannot change in between.

    Raises:
        WeightsError: the file is missing, or its checksum is not the manifest's.
    """
    try:
        data = info.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights file {info.path} cannot be read; install FewShotSegment again.") from error
    found = hashlib.sha256(data).hexdigest()
    if found != info.sha256:
        raise WeightsError(
            f"The weights file {info.path.name} is damaged (its checksum begins {found[:12]}, "
            f"it should begin {info.sha256[:12]}); install FewShotSegment again."
        )
    try:
        return {name: tensor.float() for name, tensor in parse_safetensors(data).items()}
    except SafetensorError as error:
        raise WeightsError(f"{info.path.name} is not a safetensors file; install FewShotSegment again.") from error


def load_refiner(folder: Path | None = None) -> Refiner | None:
    """The refiner that goes with a folder's propagator: the folder's own, else the bundled one; None if there is none.

    Args:
        folder: with a manifest; the bundled one by default.

    Raises:
        WeightsError: its weights are missing, damaged or of another version.
    """
    info = find_refiner(folder)
    if info is None:
        return None
    refiner = Refiner()
    try:
        refiner.load_state_dict(load_state(info))
    except RuntimeError as error:
        raise WeightsError(f"The weights {info.name} do not fit the refiner; use others.") from error
    return refiner
