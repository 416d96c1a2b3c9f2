"""The product's core: an annotated slice is remembered and carried outwards, slice by slice.

Rooms, in the order in which data flows: `plan` (which slices), `features` (encoded once), `memory` (what a run
remembers), `neighbours` (how slices move), `guide` (where a mask moves to), `sweep` (the walk), `taper` (how large a
mask can still be towards an end), `extent` (how far a structure can reach), `fusion` (where runs meet), `confidence`,
`segment` and `result` (one segment's state and outcome).
"""

from .confidence import slice_confidence
from .features import FeatureStore
from .plan import Stretch, neighbourhood
from .result import Result
from .segment import SegmentTask
from .sweep import Sweep

__all__ = ["FeatureStore", "Result", "SegmentTask", "Stretch", "Sweep", "neighbourhood", "slice_confidence"]
