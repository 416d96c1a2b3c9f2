"""Networks: what is learned. Nothing here knows of volumes, files of images or devices.

`Propagator` carries masks through a volume, `Refiner` corrects masks that registration has moved; the few-shot networks
(`build`, `names`) segment slices from supports.
"""

from .checkpoint import from_reference_checkpoint
from .fewshot import FewShotNetwork
from .propagator import MATCH_STRIDE, SIZE_MULTIPLE, MemoryEntry, Propagator, Readout, SliceFeatures
from .refiner import Refiner
from .registry import build, names

__all__ = [
    "MATCH_STRIDE",
    "SIZE_MULTIPLE",
    "FewShotNetwork",
    "MemoryEntry",
    "Propagator",
    "Readout",
    "Refiner",
    "SliceFeatures",
    "build",
    "from_reference_checkpoint",
    "names",
]
