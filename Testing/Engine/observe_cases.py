"""What the tests of the training's observers share: settings of a small training, and labelled volumes as files."""

import json

import numpy as np
from small_cases import make_organ, write

from FewShotSegmentLib.training.settings import TrainSettings

SMALL = TrainSettings(
    data="synthetic", size=32, per_part=2, length=(1, 2), iterations=4, precision="float32", average=0.0, warm_up=0
)
FEW_SHOT = SMALL.changed(network="prototype", encoder="propagator", per_part=1)


def write_labelled(folder, names, listed=True, shape=(8, 32, 40)):
    """A bright organ in each case, elsewhere in every one; `names` are {case: region}."""
    folder.mkdir(exist_ok=True)
    entries = []
    for number, (name, region) in enumerate(names.items()):
        organ = make_organ(shape, center=(3.5, 15 + number, 20 - number), radii=(2.6, 7, 8), seed=number)
        write(folder / f"{name}_image.nii.gz", organ.image)
        write(folder / f"{name}_labels.nii.gz", organ.mask.astype(np.uint8) * 3)
        entries.append({"case": name, "modality": "MR", "region": region, "labels": {"3": "organ"}})
    if listed:
        (folder / "cases.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder
