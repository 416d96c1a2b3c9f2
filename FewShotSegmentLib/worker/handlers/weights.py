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
    infos = _to_import(request.path)
    name = infos[0].name
    target = store / check_name(name)
    if os.path.lexists(target) or name in read_manifest():
        raise OutputError(f"There are weights called “{name}” already; nothing was imported.")
    files: dict[str, bytes] = {}
    for info in infos:
        files[info.path.name] = _read(info.path)
        if hashlib.sha256(files[info.path.name]).hexdigest() != info.sha256:
            raise WeightsError(f"The weights file {info.path.name} is damaged (its checksum is wrong); get it again.")
    files[MANIFEST] = _read(infos[0].path.parent / MANIFEST)
    job.check_cancelled()
    part: Path | None = None
    try:
        store.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".fewshotsegment-", dir=store))
        for file_name, content in files.items():
            with (part / file_name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        part.rename(target)
    except OSError as error:
        raise OutputError(f"The weights cannot be written to {store}: {error.strerror or error}.") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights file {path} cannot be read: {error.strerror}.") from error


def _to_import(given: str) -> list[WeightsInfo]:
    """The weights in a folder, given by itself, its manifest or a weights file: the propagator's, and a refiner's."""
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
    if infos[0].network != _NETWORK:
        raise WeightsError(
            f"The weights {infos[0].name} are of the network {infos[0].network}; only the {_NETWORK}'s can be chosen."
        )
    alone = all(info.path.parent == folder and info.path.name != MANIFEST for info in infos)
    others = [info.network for info in infos[1:]]
    if not (whole and alone and others in ([], ["refiner"]) and len({info.path for info in infos}) == len(infos)):
        raise WeightsError(
            f"{folder / MANIFEST} cannot be imported; it must list one file of the {_NETWORK}'s weights, and at most "
            "one of a refiner's, that lie beside it."
        )
    return infos


def _delete(request: Weights, store: Path, job: Job) -> str:
    own = _own(store)
    if request.name not in own:
        if request.name in read_manifest():
            raise InputError(f"The weights {request.name} came with FewShotSegment and cannot be deleted.")
        raise InputError(f"There are no weights of your own called “{request.name}”.")
    folder = store / request.name
    job.kept.clear()  # they may be in use
    try:
        for info in read_manifest(folder).values():
            if info.path.parent == folder:
                info.path.unlink(missing_ok=True)
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
