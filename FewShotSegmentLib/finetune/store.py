"""Where adapted weights are kept: a folder each, beside each other; never where the bundled ones lie."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OutputError
from ..weights import read_manifest
from ..weights.manifest import MANIFEST, find_refiner
from ..weights.places import check_name, default_store_path, is_name

if TYPE_CHECKING:
    from ..weights import WeightsInfo
    from .result import FinetuneResult

_MADE_BY = "fewshotsegment finetune"


class WeightsStore:
    """A folder with a folder for each of the adapted weights; made by the first `save`.

    Rolling back is `remove`, or simply not to ask for the adapted weights: the bundled ones are never touched.

    Attributes:
        folder: where it is.
    """

    def __init__(self, folder: str | Path | None = None):
        self.folder = Path(folder) if folder is not None else default_store_path()

    def path(self, name: str) -> Path:
        """Folder of the weights of that name, whether it is there or not.

        Raises:
            InputError: no folder can be called so.
        """
        return self.folder / check_name(name)

    def list(self) -> list[WeightsInfo]:
        """All that are there, by name; folders that finetune did not make are passed over."""
        if not self.folder.is_dir():
            return []
        return [
            next(iter(read_manifest(folder).values())) for folder in sorted(self.folder.iterdir()) if _is_ours(folder)
        ]

    def check(self, name: str, force: bool = False, base: Path | None = None) -> Path:
        """The folder for weights of that name, after all checks that can be made before minutes of work.

        Args:
            name: of the weights.
            force: whether adapted weights of that name may be replaced.
            base: file of the weights that are adapted.

        Raises:
            InputError: no folder can be called so.
            OutputError: something is there already, or it cannot be written.
        """
        target = self.path(name)
        if os.path.lexists(target):
            if not _is_ours(target):
                raise OutputError(f"{target} exists and was not made by finetune; choose another --name.")
            if base is not None and base.resolve().parent == target.resolve():
                raise OutputError(
                    f"{target} holds the weights that are adapted, which are never overwritten; choose another --name."
                )
            if not force:
                raise OutputError(
                    f"There are weights called {name} in {self.folder} already; choose another --name, or allow it "
                    "with --force."
                )
        existing = next((p for p in (self.folder, *self.folder.absolute().parents) if os.path.lexists(p)), None)
        if existing is None or not existing.is_dir():
            raise OutputError(f"{existing or self.folder} is not a folder; choose another one.")
        if not os.access(existing, os.W_OK):
            raise OutputError(f"Nothing can be written to the folder {existing}; choose another one.")
        return target

    def save(self, name: str, result: FinetuneResult, *, force: bool = False, command: str = "") -> Path:
        """Write adapted weights with their manifest, both or none.

        Args:
            name: of the weights.
            result: that is `better`.
            force: whether adapted weights of that name may be replaced.
            command: that prints the figures, for the manifest.

        Returns:
            The folder, to be given to `Engine.load(weights_folder=…)` or `--weights`.

        Raises:
            InputError: the result has no weights, or no folder can be called so.
            OutputError: something is there already, or it cannot be written; then all is as it was.
        """
        if result.networks is None:
            raise InputError(f"There is nothing to keep. {result.verdict}")
        from ..weights.save import NetworkWeights, write_networks  # noqa: PLC0415 - imports torch

        target = self.check(name, force, result.base.path)
        # the propagator comes first: it stands for the folder, and has its name
        names = {"propagator": name, "refiner": f"{name}-refiner"}
        cards = _cards(result, command)
        write_networks(
            target, [NetworkWeights(names[key], result.networks[key], cards[key]) for key in names], force=True
        )
        return target

    def put_aside(self, name: str) -> Path | None:
        """A copy of adapted weights that are about to be replaced, in the system's temporary folder; None if none."""
        target = self.path(name)
        if not _is_ours(target):
            return None
        copy = Path(tempfile.mkdtemp(prefix="fewshotsegment-")) / name
        shutil.copytree(target, copy)
        return copy

    def discard(self, copy: Path) -> None:
        """Forget a copy that `put_aside` made."""
        shutil.rmtree(copy.parent, ignore_errors=True)

    def bring_back(self, name: str, copy: Path | None) -> None:
        """Undo a `save`: remove what it wrote (if it is still there), and put back what it replaced.

        Raises:
            OutputError: it cannot be written.
        """
        target = self.path(name)
        try:
            if _is_ours(target):
                _remove(target)
            if copy is not None and not os.path.lexists(target):
                self.folder.mkdir(parents=True, exist_ok=True)
                shutil.copytree(copy, target)
        except OSError as error:
            raise OutputError(f"{target} cannot be brought back: {error.strerror or error}.") from error
        if copy is not None:
            self.discard(copy)

    def remove(self, name: str) -> Path:
        """Remove adapted weights for good; all others, the bundled ones above all, stay.

        Returns:
            The folder that is gone.

        Raises:
            InputError: there are none of that name (the text lists those there are).
            OutputError: they cannot be removed.
        """
        target = self.path(name)
        if not _is_ours(target):
            there = sorted(p.name for p in self.folder.iterdir() if _is_ours(p)) if self.folder.is_dir() else []
            raise InputError(
                f"There are no adapted weights called “{name}” in {self.folder}; there are: "
                f"{', '.join(there) or 'none'}."
            )
        try:
            _remove(target)
        except OSError as error:
            raise OutputError(f"{target} cannot be removed: {error.strerror or error}.") from error
        return target


def _is_ours(folder: Path) -> bool:
    """Whether a folder is one that `save` made: nothing else may be replaced or removed."""
    try:
        if folder.is_symlink() or not is_name(folder.name):
            return False
        entries = _entries(folder)
        return bool(entries) and all(entry["metrics"]["made_by"] == _MADE_BY for entry in entries)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _entries(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["weights"])


def _cards(result: FinetuneResult, command: str) -> dict[str, dict[str, Any]]:
    """What the manifest says of each network; it names no files and volumes, which may be called as patients."""
    report = result.to_json()
    scores = [{key: value for key, value in score.items() if key != "volume"} for score in report["scores"]]
    base, refiner = result.base, find_refiner(result.base.path.parent)
    metrics = {
        "made_by": _MADE_BY,
        "command": command,
        "what": "score of held-out slices (Dice; 1 or 0 where the structure is absent), each with a refiner that was "
        "adapted without it, and this propagator",
        "before": report["before"],
        "after": report["after"],
        "scores": scores,
        "steps": result.steps,
        "seconds": report["seconds"],
        "base": report["base"],
        "settings": result.settings,
    }
    adapted = (
        f", adapted in {result.steps} steps to {result.slices} annotated slices of {result.volumes} of the user's own "
        "volumes."
    )
    cards = {}
    for network, info, done in (("propagator", base, ", as it was."), ("refiner", refiner, adapted)):
        cards[network] = {
            "network": network,
            "licence": info.licence if info else base.licence,
            "training_data": (
                f"{info.name} (sha256 {info.sha256[:12]}; {info.training_data}){done}" if info else f"A refiner{done}"
            ),
            "date": date.today().isoformat(),
            "metrics": metrics,
        }
    return cards


def _remove(folder: Path) -> None:
    """Remove a folder that finetune made; what else was put there stays, and so the folder."""
    files = [folder / Path(str(entry["file"])).name for entry in _entries(folder)]
    for file in files:
        file.unlink(missing_ok=True)
    (folder / MANIFEST).unlink()  # last: what could not be removed as a whole can be tried again
    if not any(folder.iterdir()):
        folder.rmdir()
