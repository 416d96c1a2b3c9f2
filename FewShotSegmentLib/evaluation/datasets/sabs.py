"""SABS, also called BTCV: abdominal CT with 13 organs (MICCAI 2015 Multi-Atlas Labeling, synapse.org syn3193805)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ..case import Case
from .adapter import Adapter, files_below, number_of, one_each
from .reading import read_pair

ORGANS = {
    name: value
    for value, name in enumerate(
        (
            "spleen",
            "right kidney",
            "left kidney",
            "gallbladder",
            "esophagus",
            "liver",
            "stomach",
            "aorta",
            "inferior vena cava",
            "portal and splenic vein",
            "pancreas",
            "right adrenal gland",
            "left adrenal gland",
        ),
        start=1,
    )
}

_RAW = re.compile(r"(img|label)(\d+)\.nii(\.gz)?$", re.IGNORECASE)
_AVERAGED = re.compile(r"DET(\d+)_avg(_seg)?\.nii(\.gz)?$", re.IGNORECASE)


def cases(folder: Path, notes: list[str]) -> list[Case]:
    """All scans with labels, by number."""
    files = files_below(folder, ".nii", ".nii.gz")
    raw = [(match, path) for path in files if (match := _RAW.match(path.name))]
    averaged = [(match, path) for path in files if (match := _AVERAGED.match(path.name))]
    if raw:
        images = [(f"img{match[2]}", path) for match, path in raw if match[1].lower() == "img"]
        labels = [(f"img{match[2]}", path) for match, path in raw if match[1].lower() == "label"]
        if averaged:
            notes.append("sabs: the averaged images are not used, since they are of the same patients as img/.")
    else:
        images = [(f"DET{match[1]}", path) for match, path in averaged if not match[2]]
        labels = [(f"DET{match[1]}", path) for match, path in averaged if match[2]]
    for what, there in (("img/img0001.nii.gz", images), ("label/label0001.nii.gz", labels)):
        if not there:
            raise ADAPTER.refuse(f"There is no file like {what} in {folder}")
    scans, references = one_each(images, ADAPTER.title), one_each(labels, ADAPTER.title)
    for name, path in references.items():
        if name not in scans:
            raise ADAPTER.refuse(f"{path} has no image {name}.nii.gz")
    unlabelled = 0
    found = []
    for name, path in scans.items():
        if name in references:
            load = partial(read_pair, path, references[name], "ct")
            found.append(Case("sabs", name, name, "ct", ORGANS, load))
        elif "testing" in [part.lower() for part in path.relative_to(folder).parts]:
            unlabelled += 1
        else:
            raise ADAPTER.refuse(f"{path} has no labels {name.replace('img', 'label')}.nii.gz")
    if unlabelled:
        notes.append(f"sabs: {number_of(unlabelled, 'image')} of the test set left out, since their labels are secret.")
    return found


ADAPTER = Adapter(
    "sabs",
    "SABS (BTCV abdominal CT)",
    "img/img0001.nii.gz and label/label0001.nii.gz, or averaged-training-images/DET0000101_avg.nii.gz and "
    "averaged-training-labels/DET0000101_avg_seg.nii.gz",
    "FOLDER may be any folder above them, such as RawData or Training.",
    cases,
)
