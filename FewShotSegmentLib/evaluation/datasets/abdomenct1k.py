"""AbdomenCT-1K: 1000 abdominal CT scans with liver, kidneys, spleen and pancreas (Ma et al., TPAMI 2022).

Its scans come from LiTS, KiTS, MSD Spleen, MSD Pancreas, NIH Pancreas and Nanjing University. Which case is from where
is not published, on purpose (github.com/JunMa11/AbdomenCT-1K, issues 11 and 21), and it does not follow from the
case's number: 20 scans of LiTS are the cases 78, 273 to 278, 280 to 286, 462 and 574 to 578 (issue 27). So the sources
are read from a table that users may have made, and are unknown without one.
"""

from __future__ import annotations

import csv
import re
from functools import partial
from pathlib import Path

from ...errors import InputError
from ..case import Case
from .adapter import Adapter, files_below, number_of, one_each
from .reading import read_pair

ORGANS = {"liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4}

SOURCES = ("lits", "kits", "msd-spleen", "msd-pancreas", "msd-pancreas-test", "nih-pancreas", "nanjing")
"""Groups. "msd-pancreas" are the 281 training scans of the Decathlon's task, "msd-pancreas-test" the 139 others."""

TABLE = "sources.csv"

_SAME_SCAN = {"Case_00928": "Case_00297"}
"""Found twice in the data set (issue 28): one patient, so that neither supports the other."""

_IMAGE = re.compile(r"(Case_\d+)_0000\.nii\.gz$", re.IGNORECASE)
_MASK = re.compile(r"(Case_\d+)\.nii\.gz$", re.IGNORECASE)


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """All cases with a mask, by number; their group is the source, where `sources.csv` names it."""
    files = files_below(folder, ".nii.gz")
    images = one_each(((m[1], path) for path in files if (m := _IMAGE.match(path.name))), ADAPTER.title)
    masks = one_each(((m[1], path) for path in files if (m := _MASK.match(path.name))), ADAPTER.title)
    for what, there in (("Case_00001_0000.nii.gz (image)", images), ("Case_00001.nii.gz (mask)", masks)):
        if not there:
            raise ADAPTER.refuse(f"There is no file like {what} in {folder}")
    for name, path in masks.items():
        if name not in images:
            raise ADAPTER.refuse(f"{path} has no image {name}_0000.nii.gz")
    left_out = len(images) - len(masks)
    if left_out:
        notes.append(f"abdomenct1k: {number_of(left_out, 'image')} without a mask left out; not all are published.")
    sources = read_sources(folder / TABLE)
    unknown = sum(name not in sources for name in masks)
    if unknown:
        notes.append(
            f"abdomenct1k: the source of {number_of(unknown, 'case')} is unknown, since the data set does not publish "
            f"it; a table {TABLE} in the folder (columns case,source) can name it."
        )
    return [
        Case(
            "abdomenct1k",
            name,
            _SAME_SCAN.get(name, name),
            "ct",
            ORGANS,
            partial(read_pair, path, masks[name], "ct"),
            sources.get(name, ""),
        )
        for name, path in images.items()
        if name in masks
    ]


def read_sources(path: Path) -> dict[str, str]:
    """{case: source} of a table with the columns `case` and `source` (one of `SOURCES`); empty where there is none.

    Raises:
        InputError: the table has other columns, an unknown source, or a case twice.
    """
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as a table; it should be text with the columns case,source."
        ) from error
    for row in rows:
        case, source = (row.get("case") or "").strip(), (row.get("source") or "").strip().lower()
        if not case or source not in SOURCES:
            raise InputError(
                f"{path} has the row {','.join(str(v) for v in row.values())}; it should have the columns case,source, "
                f"such as Case_00001,lits, and the sources are {', '.join(SOURCES)}."
            )
        if found.setdefault(case, source) != source:
            raise InputError(f"{path} names two sources for {case}; keep one.")
    return found


ADAPTER = Adapter(
    "abdomenct1k",
    "AbdomenCT-1K",
    "images Case_00001_0000.nii.gz and masks Case_00001.nii.gz, in any folders below",
    f"A table {TABLE} in FOLDER with the columns case,source (Case_00001,lits) names the source of each case, which "
    f"the data set does not publish; sub-tasks need it. Sources are {', '.join(SOURCES)}.",
    cases,
)
