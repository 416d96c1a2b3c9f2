"""Where adapted weights are kept: a folder each, beside each other; never where the bundled ones lie."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OutputError, WeightsError

if TYPE_CHECKING:
    from ..weights import WeightsInfo
    from .result import FinetuneResult

MANIFEST = "weights.json"
_MADE_BY = "fewshotsegment finetune"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for itself."""


def default_store_path() -> Path:
    """The user's folder of adapted weights: what FEWSHOTSEGMENT_WEIGHTS names, else one in the data folder."""
    given = os.environ.get("FEWSHOTSEGMENT_WEIGHTS")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path  # noqa: PLC0415 - needed only where no folder is named

    return user_data_path("FewShotSegment", appauthor=False) / "weights"


def find_weights_folder(given: str | Path | None) -> Path | None:
    """The folder to load weights from.

    Args:
        given: a folder with weights, or the name of weights in the user's store; None for the bundled ones.

    Returns:
        The folder, to be given to `Engine.load(weights_folder=…)`; None for the bundled ones.

    Raises:
        WeightsError: there are no such weights. Nothing of the weights is read yet.
    """
    if given is None:
        return None
    folder = Path(given)
    if (folder / MANIFEST).is_file():
        return folder
    if _NAME.fullmatch(str(given)):
        own = default_store_path() / str(given)
        if (own / MANIFEST).is_file():
            return own
    raise WeightsError(
        f"There are no weights {given}: neither a folder with {MANIFEST}, nor a name that “fewshotsegment finetune "
        "--list” shows."
    )


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
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise InputError(
                f"Weights cannot be called “{name}”; use up to 64 letters a–z, digits, dots, hyphens and underscores."
            )
        return self.folder / name

    def list(self) -> list[WeightsInfo]:
        """All that are there, by name; folders that finetune did not make are passed over."""
        from ..weights import read_manifest  # noqa: PLC0415 - imports torch

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
        if result.state is None:
            raise InputError(f"There is nothing to keep. {result.verdict}")
        from ..weights.save import write_weights  # noqa: PLC0415 - imports torch

        target = self.check(name, force, result.base.path)
        write_weights(target, name, result.state, _card(result, command), force=True)
        return target

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
        if folder.is_symlink() or not _NAME.fullmatch(folder.name):
            return False
        (entry,) = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["weights"]
        return bool(entry["metrics"]["made_by"] == _MADE_BY)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _card(result: FinetuneResult, command: str) -> dict[str, Any]:
    """What the manifest says of adapted weights; it names no files and volumes, which may be called as patients."""
    report = result.to_json()
    scores = [{key: value for key, value in score.items() if key != "volume"} for score in report["scores"]]
    return {
        "network": "propagator",
        "licence": result.base.licence,
        "training_data": (
            f"{result.base.name} (sha256 {result.base.sha256[:12]}; {result.base.training_data}), adapted in "
            f"{result.steps} steps to {result.slices} annotated slices of {result.volumes} of the user's own volumes."
        ),
        "date": date.today().isoformat(),
        "metrics": {
            "made_by": _MADE_BY,
            "command": command,
            "what": "score of held-out slices (Dice; 1 or 0 where the structure is absent), each with weights that "
            "were adapted without it",
            "before": report["before"],
            "after": report["after"],
            "scores": scores,
            "steps": result.steps,
            "seconds": report["seconds"],
            "base": report["base"],
            "settings": result.settings,
        },
    }


def _remove(folder: Path) -> None:
    """Remove a folder that finetune made; what else was put there stays, and so the folder."""
    manifest = folder / MANIFEST
    (entry,) = json.loads(manifest.read_text(encoding="utf-8"))["weights"]
    (folder / Path(str(entry["file"])).name).unlink(missing_ok=True)
    manifest.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
