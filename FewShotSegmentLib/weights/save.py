"""Writing weights with their card: a folder with a manifest and one file, as the bundled one, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_safetensors
from torch import Tensor

from ..errors import OutputError
from .manifest import MANIFEST, WeightsInfo, read_manifest


def write_weights(
    folder: Path, name: str, state: Mapping[str, Tensor], card: Mapping[str, Any], force: bool = False
) -> WeightsInfo:
    """Write a state dictionary in half precision and its manifest.

    Args:
        folder: to be made; `Engine.load(weights_folder=…)` takes it.
        name: of the weights; the file is NAME.safetensors.
        state: of the network; floating-point tensors are stored as float16, others as they are.
        card: the manifest's other fields: network, licence, training_data, date, metrics.
        force: replace a folder that is there.

    Returns:
        The manifest's entry.

    Raises:
        OutputError: the folder is there already, or cannot be written. What was there stays as it was.
    """
    if folder.exists() and not force:
        raise OutputError(f"{folder} is there already; use --force to replace it, or give another name.")
    tensors = {key: _stored(value) for key, value in state.items()}
    data = to_safetensors(tensors)
    entry = {
        "name": name,
        "file": f"{name}.safetensors",
        "network": card["network"],
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        **{key: card[key] for key in ("licence", "training_data", "date", "metrics")},
    }
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / entry["file"]).write_bytes(data)
        text = json.dumps({"weights": [entry]}, indent=2, ensure_ascii=False) + "\n"
        (part / MANIFEST).write_text(text, encoding="utf-8")
        _put_in_place(part, folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise OutputError(f"{folder} cannot be written ({error.strerror or error}); choose another place.") from error
    return read_manifest(folder)[name]


def _stored(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    return (value.half() if value.dtype.is_floating_point else value).contiguous()


def _put_in_place(part: Path, folder: Path) -> None:
    """Rename, with what was there put aside until the new one is in place."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(aside)
    try:
        part.rename(folder)
    except OSError:
        if aside.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
