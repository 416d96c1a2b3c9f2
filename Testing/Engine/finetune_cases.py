"""Small cases for fine-tuning."""

import numpy as np
from small_cases import make_organ, write

from FewShotSegmentLib import Settings
from FewShotSegmentLib.finetune import AnnotatedArrays, FinetuneRequest, FinetuneSettings, annotate

SMALL = Settings(long_side=48, window_size=48, refiner_size=32)
SPACING = (3.0, 1.0, 1.0)


def organ_with_slices(*indices, seed=0, name="patient", segment="organ", empty=(), settings=SMALL, **options):
    """An annotated volume of 14 slices."""
    organ = make_organ(seed=seed)
    masks = {i: organ.mask[i] for i in indices} | {i: np.zeros_like(organ.mask[0]) for i in empty}
    volume, _ = annotate(
        organ.image, {segment: masks}, spacing=SPACING, modality="ct", name=name, settings=settings, **options
    )
    return volume


def quick(**values):
    """Settings for tests: seconds, no generated anatomies."""
    return FinetuneSettings(**({"steps": 1, "sequences": 2, "rehearsal": 0.0, "held_out": 1, "folds": 1} | values))


def request(*indices, steps=1, **values):
    """A request for a volume in memory."""
    organ = make_organ()
    case = AnnotatedArrays(organ.image, {"organ": {i: organ.mask[i] for i in indices}}, 0, SPACING, "ct")
    return FinetuneRequest([case], quick(steps=steps, **values), "cpu", engine_settings=SMALL)


def files(folder, *indices, name="v"):
    """A volume and a labelmap with annotated slices."""
    organ = make_organ()
    labels = np.zeros(organ.mask.shape, np.uint8)
    for i in indices:
        labels[i] = organ.mask[i]
    return write(folder / f"{name}.nii.gz", organ.image), write(folder / f"{name}_a.nii.gz", labels)
