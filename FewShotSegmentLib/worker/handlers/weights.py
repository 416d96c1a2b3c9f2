"""The weights there are: bundled ones and the user's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError, OutputError, WeightsError
from ...weights import WeightsInfo, read_manifest
from ...weights.manifest import MANIFEST
from ...weights.places import check_name, default_store_path, is_name
from ..job import Job
from ..messages import Weights

_NETWORK = "propagator"
"""Network whose weights can be chosen."""


def work_on_weights(request: Weights, job: Job) -> dict[str, Any]:
    """Do one of the actions and list what there is then."""
    if request.action not in _ACTIONS:
        raise InputError(f"Weights cannot “{request.action}”; there are: {', '.join(_ACTIONS)}.")
    store = default_store_path()
    name = _ACTIONS[request.action](request, store, job)
    listed = [_describe(info, True) for info in read_manifest().values() if info.network == _NETWORK]
    listed += [_describe(info, False) for info in _own(store).values()]
    return {"weights": listed, "folder": str(store), "name": name}


def _list(request: Weights, store: Path, job: Job) -> str:
    return ""


def _import(request: Weights, store: Path, job: Job) -> str:
    """Copy weights into the user's folder: what was checked is what is written, whole or not at all."""
    info = _to_import(request.path)
    target = store / check_name(info.name)
    if os.path.lexists(target) or info.name in read_manifest():
        raise OutputError(f"There are weights called “{info.name}” already; nothing was imported.")
    try:
        data = info.path.read_bytes()
        manifest = (info.path.parent / MANIFEST).read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights file {info.path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != info.sha256:
        raise WeightsError(f"The weights file {info.path.name} is damaged (its checksum is wrong); get it again.")
    job.check_cancelled()
    part: Path | None = None
    try:
        store.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".fewshotsegment-", dir=store))
        for name, content in ((info.path.name, data), (MANIFEST, manifest)):
            with (part / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        part.rename(target)
    except OSError as error:
        raise OutputError(f"The weights cannot be written to {store}: {error.strerror or error}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return info.name


def _to_import(given: str) -> WeightsInfo:
    """The weights in a folder, given by itself, its manifest or its weights file."""
    if not given:
        raise InputError("There are no weights to import; choose their folder.")
    path = Path(given)
    folder = path if path.is_dir() else path.parent
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{given} cannot be imported: a folder with {MANIFEST} and the weights file is needed.")
    try:
        infos = list(read_manifest(folder).values())
        whole = all(isinstance(info.name, str) and isinstance(info.sha256, str) for info in infos)
    except WeightsError as error:
        raise WeightsError(f"{folder / MANIFEST} is not a list of weights; get the weights again.") from error
    if not whole or len(infos) != 1 or infos[0].path.parent != folder:
        raise WeightsError(
            f"{folder / MANIFEST} cannot be imported; it must list one weights file that lies beside it."
        )
    if infos[0].network != _NETWORK:
        raise WeightsError(
            f"The weights {infos[0].name} are of the network {infos[0].network}; only the {_NETWORK}'s can be chosen."
        )
    return infos[0]


def _delete(request: Weights, store: Path, job: Job) -> str:
    own = _own(store)
    if request.name not in own:
        if request.name in read_manifest():
            raise InputError(f"The weights {request.name} came with FewShotSegment and cannot be deleted.")
        raise InputError(f"There are no weights of your own called “{request.name}”.")
    folder = store / request.name
    job.kept.clear()  # they may be in use
    try:
        own[request.name].path.unlink(missing_ok=True)
        (folder / MANIFEST).unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise OutputError(f"{folder} cannot be deleted: {error.strerror or error}.") from error
    return request.name


_ACTIONS: dict[str, Callable[[Weights, Path, Job], str]] = {"list": _list, "import": _import, "delete": _delete}


def _own(store: Path) -> dict[str, WeightsInfo]:
    """The user's own by the name of their folder, which is what they are asked for by; damaged ones are passed over."""
    found: dict[str, WeightsInfo] = {}
    if not store.is_dir():
        return found
    for folder in sorted(store.iterdir()):
        if folder.is_symlink() or not is_name(folder.name) or not (folder / MANIFEST).is_file():
            continue
        try:
            info = next(iter(read_manifest(folder).values()))
        except WeightsError:
            continue
        if info.path.parent == folder:
            found[folder.name] = info
    return found


def _describe(info: WeightsInfo, bundled: bool) -> dict[str, Any]:
    return {
        "name": info.name if bundled else info.path.parent.name,
        "sha256": info.sha256,
        "licence": info.licence,
        "training_data": info.training_data,
        "bytes": info.size,
        "folder": str(info.path.parent),
        "bundled": bundled,
        "network": info.network,
    }
