"""From one patient's volume to another's: supports in, the organ in a volume that nobody has annotated.

Rooms, in the order in which data flows: `frame` (support and query in one frame), `query` (the query's slices and
features, once for all segments), `locate` (where on each slice, and how sure), `choose` (the slices that become
anchors), `anchors` (their masks), `extent` (how far to carry them), `pipeline` (all of it) and `result`.
"""

from .pipeline import METHODS, Transfer
from .result import FoundAnchor, TransferResult

__all__ = ["METHODS", "FoundAnchor", "Transfer", "TransferResult"]
