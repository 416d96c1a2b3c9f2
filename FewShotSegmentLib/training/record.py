"""What a training's folder says of itself, so that it is resumed with the same material or not at all."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, OutputError
from ..version import __version__
from .settings import TrainSettings

_FILE = "training.json"
_MADE_BY = "fewshotsegment pretrain"
_MEND = "give the same, name another folder, or forget what was trained there with --restart."
_OURS = ("log.csv", "validation.csv", "curves.png", "parts.png")


@dataclass(frozen=True)
class Record:
    """What a training was begun with.

    Attributes:
        settings: of the training.
        weights: what it starts from: "random", or name and checksum.
        volumes: names of the volumes that are learned from, in their order.
        data_licence: what was said of their licence.
        command: that began it.
    """

    settings: TrainSettings
    weights: str
    volumes: tuple[str, ...]
    data_licence: str
    command: str

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        values = {"made_by": _MADE_BY, "engine_version": __version__, **asdict(self)}
        values["settings"] = self.settings.to_json()
        part = folder / f".{_FILE}.{os.getpid()}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            part.replace(folder / _FILE)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another place.") from error


def read_record(folder: Path) -> dict[str, Any] | None:
    """What a training's folder says of itself; None where nothing was trained yet.

    Raises:
        OutputError: the folder is a file, or somebody else's.
    """
    if not os.path.lexists(folder):
        return None
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder.")
    try:
        values = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if values["made_by"] == _MADE_BY:
            return dict(values)
    except FileNotFoundError:
        # superpixels are all that a training leaves that did not get as far as its first step
        if all(path.name == "superpixels" for path in folder.iterdir()):
            return None
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise OutputError(f"{folder} holds other files; name a new folder, or that of a training to resume.")


def check_settings(before: dict[str, Any], now: TrainSettings, folder: Path) -> None:
    """See that a training goes on with the settings that it was begun with; only its end may move.

    Raises:
        InputError: it would not.
    """
    changed = now.differences(TrainSettings.from_json(before["settings"]))
    if changed:
        raise InputError(f"The training in {folder} was begun with other settings ({', '.join(changed)}); {_MEND}")


def check_same(before: dict[str, Any], now: Record, folder: Path) -> None:
    """See that a training goes on with what it was begun with.

    Raises:
        InputError: it would not.
    """
    check_settings(before, now.settings, folder)
    if before["weights"] != now.weights:
        raise InputError(f"The training in {folder} was begun from other weights ({before['weights']}); {_MEND}")
    if list(before["volumes"]) != list(now.volumes):
        raise InputError(f"The training in {folder} was begun with other images; {_MEND}")
    if before["data_licence"] != now.data_licence:
        raise InputError(f"The training in {folder} was begun with another --data-licence; {_MEND}")


def clear(folder: Path) -> None:
    """Remove what a training has written, but for its superpixels, which stay true; what else lies there stays."""
    for path in (folder / "checkpoints").glob("step-*"):
        path.unlink(missing_ok=True)
    weights = folder / "weights"
    try:
        (entry,) = json.loads((weights / "weights.json").read_text(encoding="utf-8"))["weights"]
        (weights / Path(str(entry["file"])).name).unlink(missing_ok=True)
        (weights / "weights.json").unlink()
    except (OSError, ValueError, LookupError, TypeError):
        pass  # none were written yet, or they are not ours
    for name in _OURS:
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "tensorboard").glob("events.out.tfevents.*"):
        path.unlink(missing_ok=True)
    for name in ("checkpoints", "weights", "tensorboard"):
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            shutil.rmtree(folder / name)
    (folder / _FILE).unlink(missing_ok=True)
