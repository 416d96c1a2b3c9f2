"""Files and voxel grids: reading volumes and annotations, geometry, writing results."""

from .annotation import Annotation, Segment, read_annotation
from .geometry import Geometry
from .output import check_output, write_confidence, write_segmentation
from .volume import Volume, read_volume

__all__ = [
    "Annotation",
    "Geometry",
    "Segment",
    "Volume",
    "check_output",
    "read_annotation",
    "read_volume",
    "write_confidence",
    "write_segmentation",
]
