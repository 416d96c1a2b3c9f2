"""Who answers: the engine, and what it is compared with, each behind the same three calls (see `..method`).

Rooms: `catalogue` (which there are; the only one that is imported with the package), `base` (what they share); within a
volume `copy_slice`, `demons`, `flow` (with `histograms`), `slicer_effects` (in `slicer_process`) and `engine`, carried
from slice to slice by `chain`; to other patients `framing` (support and query in one frame), `few_shot` and `pipeline`
(on the encoders of `loaded`).
"""

from .catalogue import make, recipes, register

__all__ = ["make", "recipes", "register"]
