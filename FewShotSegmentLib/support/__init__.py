"""Supports: annotated slices with all that is needed to use them without the volume they came from, and their library.

Nothing here imports torch before it is needed: a library is listed, and a wrong file name noticed, at once.
"""

from .archive import LIBRARY
from .collect import collect_supports
from .library import SupportLibrary, default_library_path
from .record import Entry
from .slices import Support, SupportSlice, slice_geometry

__all__ = [
    "LIBRARY",
    "Entry",
    "Support",
    "SupportLibrary",
    "SupportSlice",
    "collect_supports",
    "default_library_path",
    "slice_geometry",
]
