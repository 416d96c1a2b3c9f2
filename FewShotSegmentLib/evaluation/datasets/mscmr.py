"""MS-CMRSeg: cardiac MR; its balanced steady-state free precession (C0) images (zmiclab.github.io, MICCAI 2019)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ..case import Case
from .adapter import Adapter, files_below, number_of, one_each
from .reading import read_pair

ORGANS = {"myocardium": 200, "left ventricle": 500, "right ventricle": 600}
"""“Left ventricle” is its blood pool."""

_FILE = re.compile(r"patient(\d+)_C0(_manual|_gd|_gt|_label)?\.nii(\.gz)?$", re.IGNORECASE)
_LABEL_FOLDER = re.compile(r"gt|manual|label", re.IGNORECASE)


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """All patients with a labelled C0 image, by number."""
    images: list[tuple[str, Path]] = []
    labels: list[tuple[str, Path]] = []
    for path in files_below(folder, ".nii", ".nii.gz"):
        if match := _FILE.match(path.name):
            # some copies call labels like their images, and keep them in a folder of their own, c0gt
            apart = any(_LABEL_FOLDER.search(part) for part in path.relative_to(folder).parts[:-1])
            (labels if match[2] or apart else images).append((f"patient{match[1]}", path))
    for what, there in (("patient1_C0.nii.gz", images), ("patient1_C0_manual.nii.gz", labels)):
        if not there:
            raise ADAPTER.refuse(f"There is no file like {what} in {folder}")
    scans, references = one_each(images, ADAPTER.title), one_each(labels, ADAPTER.title)
    for name, path in references.items():
        if name not in scans:
            raise ADAPTER.refuse(f"{path} has no image {name}_C0.nii.gz")
    left_out = [name for name in scans if name not in references]
    if left_out:
        notes.append(f"mscmr: {number_of(len(left_out), 'image')} without labels left out ({', '.join(left_out)}).")
    return [
        Case("mscmr", name, name, "mr", ORGANS, partial(read_pair, path, references[name], "mr"))
        for name, path in scans.items()
        if name in references
    ]


ADAPTER = Adapter(
    "mscmr",
    "MS-CMRSeg (bSSFP MR)",
    "patient1_C0.nii.gz and patient1_C0_manual.nii.gz, in one folder or in C0 and c0gt",
    "FOLDER may be any folder above them; the LGE and T2 images are not used.",
    cases,
)
