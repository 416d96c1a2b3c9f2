"""Voxels that a request names: memory-mapped, checked, never unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..images import Annotation, Geometry, Segment, Volume
from .messages import AnnotatedRef, SegmentRef, VolumeRef


def read_array(file: str, what: str) -> NDArray[np.generic]:
    """A `.npy` file, memory-mapped.

    Raises:
        InputError: it is missing, damaged, or holds something else than an array of real numbers.
    """
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"The voxels of {what} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError, TypeError) as error:
        raise InputError(f"The voxels of {what} cannot be read; the file is damaged or no array.") from error
    if not isinstance(array, np.ndarray):  # an archive of arrays
        raise InputError(f"The voxels of {what} cannot be read; the file is no array.")
    if array.dtype.kind not in "iufb":
        raise InputError(f"The voxels of {what} are of type {array.dtype}; real numbers are needed.")
    return array


def read_voxels(volume: VolumeRef) -> NDArray[np.generic]:
    """A volume's voxels [z, y, x], memory-mapped; raises InputError as `read_array`."""
    array = read_array(volume.file, volume.name)
    if array.ndim != 3 or 0 in array.shape:
        shape = " × ".join(str(size) for size in array.shape)
        raise InputError(f"{volume.name} has {array.ndim} dimensions ({shape}); a volume of 3 is needed.")
    return array


def geometry_of(volume: VolumeRef, shape: Sequence[int]) -> Geometry:
    """Where a volume lies; raises InputError if its matrix is none."""
    rows = volume.ijk_to_lps
    if len(rows) != 4 or any(len(row) != 4 for row in rows):
        raise InputError(f"The place of {volume.name} in the world is not given by a 4 × 4 matrix.")
    matrix = np.array(rows, np.float64)
    if matrix[3].tolist() != [0, 0, 0, 1] or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise InputError(f"The voxels of {volume.name} have no size; check its spacing.")
    z, y, x = shape
    return Geometry((z, y, x), matrix)


def read_anchors(segment: SegmentRef, shape: Sequence[int]) -> dict[int, NDArray[np.generic]]:
    """Annotated slices, {index: mask [row, column]}; whether they fit is checked where they are used.

    Args:
        segment: what is annotated.
        shape: of the volume.

    Raises:
        InputError: masks and slices do not agree.
    """
    if segment.axis not in (0, 1, 2):
        raise InputError(f"The axis of {segment.name} is {segment.axis}; it must be 0, 1 or 2.")
    masks = read_array(segment.file, f"the annotation of {segment.name}")
    rows = [size for axis, size in enumerate(shape) if axis != segment.axis]
    if masks.shape != (len(segment.slices), *rows):
        raise InputError(f"The annotation of {segment.name} does not fit the volume; annotate on its own geometry.")
    if len(set(segment.slices)) < len(segment.slices):
        raise InputError(f"An annotated slice of {segment.name} is given twice.")
    outside = [index for index in segment.slices if not 0 <= index < shape[segment.axis]]
    if outside:
        raise InputError(f"Annotated slice {outside[0]} of {segment.name} does not lie within the volume.")
    return dict(zip(segment.slices, masks, strict=True))


def annotated_volume(case: AnnotatedRef, segments: Sequence[SegmentRef]) -> tuple[Volume, Annotation]:
    """A volume and some of its segments, as if they had been read from files.

    Raises:
        InputError: something of it cannot be used.
    """
    array = read_voxels(case.volume)
    geometry = geometry_of(case.volume, array.shape)
    drawn = []
    for number, segment in enumerate(segments, 1):
        layer = np.zeros(array.shape, np.uint8)
        stack = np.moveaxis(layer, segment.axis, 0)
        for index, mask in read_anchors(segment, array.shape).items():
            stack[index] = mask != 0
        color = color_of(segment)
        drawn.append(Segment(segment.name, color, number, fields_of(segment), layer, 1))
    modality = case.volume.modality if case.volume.modality in ("ct", "mr") else None
    path = Path(case.volume.name)
    return Volume(array, geometry, modality, path), Annotation(drawn, geometry, {}, path)


def color_of(segment: SegmentRef) -> tuple[float, float, float]:
    """Its colour, each part 0 to 1; raises InputError if it has not three."""
    if len(segment.color) != 3:
        raise InputError(f"The color of {segment.name} has {len(segment.color)} parts; it must have 3.")
    red, green, blue = (min(1.0, max(0.0, part)) for part in segment.color)
    return red, green, blue


def fields_of(segment: SegmentRef) -> dict[str, str]:
    """Its header fields, as a `.seg.nrrd` has them."""
    fields = {"Name": segment.name, "Color": " ".join(f"{part:g}" for part in color_of(segment))}
    # “|” and line ends part tags and fields
    words = segment.terminology.replace("|", " ").replace("\n", " ").replace("\r", " ").strip()
    return {**fields, "Tags": f"TerminologyEntry:{words}|"} if words else fields


def terminology_of(fields: dict[str, str]) -> str:
    """The terminology entry that header fields hold, or ""."""
    for tag in fields.get("Tags", "").split("|"):
        name, _, value = tag.partition(":")
        if name == "TerminologyEntry":
            return value
    return ""
