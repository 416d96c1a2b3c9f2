"""What an evaluation has done so far, in the report's folder: a run that was stopped goes on from there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .case import Mask
from .protocol import Measured, Work
from .report.files import write_text
from .report.masks import save_mask
from .row import Row

_MARK = "evaluation.json"


class RowStore:
    """Rows of finished pieces of work, a file each; written whole or not at all.

    Attributes:
        folder: of the report.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def open(self, identity: Mapping[str, Any], restart: bool = False) -> None:
        """Begin, or go on with what lies there.

        Args:
            identity: what decides about the numbers; plain values. Rows that were made with others are not used.
            restart: throw away what was done before.

        Raises:
            InputError: the folder holds other things, or an evaluation with other settings, or cannot be written.
        """
        mark = self.folder / _MARK
        plain = json.loads(json.dumps(identity))
        try:
            if mark.is_file():
                before = _read_json(mark)
                if before == plain and not restart:
                    return
                if not restart:
                    differ = sorted(k for k in {*before, *plain} if before.get(k) != plain.get(k))
                    raise InputError(
                        f"{self.folder} holds an evaluation with other settings ({', '.join(differ)}); choose another "
                        "folder, or --restart to throw it away."
                    )
                for name in ("rows", "masks"):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
            elif self.folder.is_dir() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder} holds other files; choose a new or an empty folder for the report.")
            (self.folder / "rows").mkdir(parents=True, exist_ok=True)
            write_text(mark, json.dumps(plain, indent=1, sort_keys=True))
        except OSError as error:
            raise InputError(f"The report's folder {self.folder} cannot be written ({error.strerror}).") from error

    def path(self, work: Work) -> Path:
        """Where the rows of a piece of work are kept."""
        return self.folder / "rows" / f"{file_name(work.key)}.json"

    def is_done(self, work: Work) -> bool:
        """Whether a piece of work has been finished."""
        return self.path(work).is_file()

    def keep(self, work: Work, measured: Iterable[Measured]) -> None:
        """Measure a piece of work to its end and keep its rows and masks.

        Rows are written last: where they are, all masks are there too.

        Raises:
            OutputError: a file cannot be written.
        """
        rows = []
        for number, item in enumerate(measured):
            mask = "" if item.mask is None else self._keep_mask(work, number, item.mask)
            rows.append(item.row.to_json() | {"mask": mask})
        write_text(self.path(work), json.dumps({"key": work.key, "rows": rows}))

    def rows(self, works: Sequence[Work]) -> list[Row]:
        """Rows of finished work, in the order of `works`.

        Raises:
            InputError: a file is damaged.
        """
        return [
            Row.from_json(row) for work in works if self.is_done(work) for row in _read_json(self.path(work))["rows"]
        ]

    def all_rows(self) -> list[Row]:
        """Rows of all that was ever finished in the folder, in the order of their files' names.

        Raises:
            InputError: there are none, or a file is damaged.
        """
        paths = sorted((self.folder / "rows").glob("*.json"))
        if not paths:
            raise InputError(f"{self.folder} holds no evaluation; name the folder of a report.")
        return [Row.from_json(row) for path in paths for row in _read_json(path)["rows"]]

    def _keep_mask(self, work: Work, number: int, mask: Mask) -> str:
        place = Path("masks") / f"{file_name(work.key)}__{number}.npz"
        (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        save_mask(self.folder / place, mask)
        return place.as_posix()


def file_name(key: str) -> str:
    """A name that every file system takes and that no other key has."""
    mark = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', key)[:120]}__{mark}"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read; delete it, and the evaluation does that part again.") from error
