"""Writing weights with their card: a folder as the bundled one, with a manifest and files, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save as to_safetensors
from torch import Tensor

from ..errors import OutputError
from .manifest import MANIFEST, WeightsInfo, read_manifest

_CARD = ("network", "licence", "training_data", "date", "metrics")


class NetworkWeights(NamedTuple):
    """Weights of one network, to be written.

    Attributes:
        name: of the weights; the file is NAME.safetensors.
        state: of the network; floating-point tensors are stored as float16, others as they are.
        card: the manifest's other fields: network, licence, training_data, date, metrics.
    """

    name: str
    state: Mapping[str, Tensor]
    card: Mapping[str, Any]


def write_weights(
    folder: Path, name: str, state: Mapping[str, Tensor], card: Mapping[str, Any], force: bool = False
) -> WeightsInfo:
    """Write one network's weights and their manifest; see `write_networks` and `NetworkWeights`.

    Returns:
        The manifest's entry.

    Raises:
        OutputError: the folder is there already, or cannot be written. What was there stays as it was.
    """
    return write_networks(folder, [NetworkWeights(name, state, card)], force)[0]


def write_networks(folder: Path, networks: Sequence[NetworkWeights], force: bool = False) -> list[WeightsInfo]:
    """Write state dictionaries in half precision and their manifest.

    Args:
        folder: to be made; `Engine.load(weights_folder=…)` takes it.
        networks: in the manifest's order, each under a name of its own.
        force: replace a folder that is there.

    Returns:
        The manifest's entries, in the same order.

    Raises:
        OutputError: the folder is there already, or cannot be written. What was there stays as it was.
    """
    if os.path.lexists(folder) and not force:
        raise OutputError(f"{folder} is there already; use --force to replace it, or give another name.")
    files: dict[str, bytes] = {}
    entries = []
    for name, state, card in networks:
        data = to_safetensors({key: _stored(value) for key, value in state.items()})
        files[f"{name}.safetensors"] = data
        entries.append(
            {
                "name": name,
                "file": f"{name}.safetensors",
                "network": card["network"],
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                **{key: card[key] for key in _CARD[1:]},
            }
        )
    files[MANIFEST] = (json.dumps({"weights": entries}, indent=2, ensure_ascii=False) + "\n").encode()
    part: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".fewshotsegment-", dir=folder.parent))
        for file, content in files.items():
            _write(part / file, content)
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)  # mkdtemp makes folders that only their owner can read
        _exchange(part, folder)
    except OSError as error:
        raise OutputError(f"The weights cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return list(read_manifest(folder).values())


def _stored(value: Tensor) -> Tensor:
    # the networks' layout has the channels last, which the format does not know
    value = value.detach().cpu().contiguous()
    return value.half() if value.dtype.is_floating_point else value


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _exchange(part: Path, target: Path) -> None:
    """Give the new folder its name; what was there comes back if it cannot have it."""
    old: Path | None = None
    if target.exists():
        old = part.with_name(f"{part.name}.old")
        target.rename(old)
    try:
        part.rename(target)
    except BaseException:
        if old:
            old.rename(target)
        raise
    if old:
        shutil.rmtree(old, ignore_errors=True)
