"""Checkpoints of a training: written whole or not at all, checked when read, the last few kept."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ..errors import InputError

_NAME = re.compile(r"step-(\d{8})\.ckpt")
_FORMAT = 1
_KEPT = 3


@dataclass(frozen=True)
class Loaded:
    """The newest checkpoint that is whole.

    Attributes:
        step: steps done.
        state: what was saved.
        notes: what has to be said of damaged ones, a sentence each.
    """

    step: int
    state: dict[str, Any]
    notes: list[str]


class Checkpoints:
    """A folder of checkpoints."""

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint: a line of JSON with its checksum, then the state as torch saves it.

        It is written beside and renamed, so a reader never sees half of one; all but the last three are removed after
        that.

        Args:
            step: steps done.
            state: tensors, numbers, texts, lists and dictionaries; read back without unpickling.

        Raises:
            OSError: no space, no permission; then the earlier ones are as they were.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getvalue()
        head = {"format": _FORMAT, "step": step, "sha256": hashlib.sha256(payload).hexdigest(), "size": len(payload)}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{step:08d}.ckpt"
        for left in self.folder.glob("step-*.part"):  # by a process that was killed
            left.unlink(missing_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(json.dumps(head).encode() + b"\n")
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        for old in self._files()[:-_KEPT]:
            old.unlink(missing_ok=True)
        return path

    def load(self, device: torch.device | str = "cpu") -> Loaded | None:
        """The newest whole one, or None if there is none at all.

        Raises:
            InputError: there are some, and all are damaged.
        """
        notes: list[str] = []
        files = self._files()
        for path in reversed(files):
            try:
                step, state = _read(path, device)
            except OSError as error:
                raise InputError(f"The checkpoint {path} cannot be read: {error.strerror or error}.") from error
            except (ValueError, RuntimeError, LookupError, TypeError, EOFError, UnpicklingError) as error:
                # put aside, so that it does not count among those that are kept
                path.replace(path.with_suffix(".damaged"))
                notes.append(f"The checkpoint {path.name} is damaged ({_why(error)}); the one before it is used.")
                continue
            return Loaded(step, state, notes)
        if files:
            raise InputError(
                f"All {len(files)} checkpoints in {self.folder} are damaged and have been put aside; the same command "
                "trains from the start."
            )
        return None

    def last(self) -> str:
        """What a training could be resumed from, in words."""
        files = self._files()
        return f"step {int(files[-1].stem.removeprefix('step-'))}" if files else "its start only"

    def _files(self) -> list[Path]:
        """Checkpoints by rising step."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))


def _read(path: Path, device: torch.device | str) -> tuple[int, dict[str, Any]]:
    """Step and state of one file; raises on any damage."""
    with path.open("rb") as file:
        head = json.loads(file.readline(4096))
        payload = file.read()
    if head["format"] != _FORMAT:
        raise ValueError(f"of format {head['format']}")
    if len(payload) != head["size"]:
        raise ValueError(f"{len(payload)} of {head['size']} bytes")
    if hashlib.sha256(payload).hexdigest() != head["sha256"]:
        raise ValueError("its checksum does not fit")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
    return int(head["step"]), state


def _why(error: Exception) -> str:
    said = isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError)
    return str(error) if said else "cut or overwritten"
