"""Reading annotations: named segments on the voxels of a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ..errors import InputError
from .geometry import Geometry, place_on_grid
from .seg_nrrd import is_seg_nrrd, read_seg_nrrd
from .volume import as_3d, is_folder, read_image

_MANY_LABELS = 30
"""More values than this on nearly every slice of every axis are an image: annotated slices leave most slices empty."""

_LARGEST_LABEL = 2**32 - 1
"""The most that the file formats keep."""

_COLORS = (
    (0.50, 0.68, 0.50),
    (0.95, 0.84, 0.57),
    (0.69, 0.48, 0.40),
    (0.44, 0.72, 0.82),
    (0.85, 0.40, 0.31),
    (0.87, 0.51, 0.40),
    (0.56, 0.93, 0.56),
    (0.75, 0.40, 0.34),
    (0.86, 0.96, 0.08),
    (0.31, 0.25, 0.60),
)
"""Colours of labels that have none, in the order and manner of Slicer's generic anatomy colours."""


@dataclass(frozen=True)
class Segment:
    """One annotated structure.

    Attributes:
        name: as the user called it.
        color: red, green, blue, 0 to 1.
        label: its value in a labelmap.
        fields: its `SegmentN_*` header fields (terminology, tags, …), to be carried over letter for letter.
    """

    name: str
    color: tuple[float, float, float]
    label: int
    fields: dict[str, str]
    _layer: NDArray[np.generic] = field(repr=False)
    _value: int

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Its voxels, bool [z, y, x]; made anew at each call, so that many segments do not take many volumes."""
        return np.asarray(self._layer == self._value)


@dataclass(frozen=True)
class Annotation:
    """What a user has drawn.

    Attributes:
        segments: in the file's order.
        geometry: of all masks.
        fields: header fields of a `.seg.nrrd` that belong to no segment.
        path: where it came from.
    """

    segments: list[Segment]
    geometry: Geometry
    fields: dict[str, str]
    path: Path

    def select(self, names: Sequence[str]) -> list[Segment]:
        """Segments of these names (a labelmap's also by value), in the file's order.

        Raises:
            InputError: there is none of a name; the text lists those there are.
        """
        for name in names:
            if not any(_is_called(segment, name) for segment in self.segments):
                known = ", ".join(segment.name for segment in self.segments)
                raise InputError(f"There is no segment “{name}” in {self.path.name}; there are: {known}.")
        return [segment for segment in self.segments if any(_is_called(segment, name) for name in names)]


def read_annotation(path: str | Path, geometry: Geometry | None = None) -> Annotation:
    """Read a `.seg.nrrd` or a labelmap.

    Args:
        path: the file.
        geometry: grid to put it on, a volume's; its own by default.

    Raises:
        InputError: missing, unreadable, or without any segment.
        GeometryError: it does not lie on that grid's voxels.
    """
    path = Path(path)
    if is_folder(path):
        raise InputError(f"{path} is a folder; give the annotation's file.")
    annotation = (_read_segments if is_seg_nrrd(path) else _read_labels)(path, geometry)
    if not annotation.segments:
        raise InputError(f"The annotation {path.name} is empty; draw the structure on at least one slice.")
    return annotation


def _is_called(segment: Segment, name: str) -> bool:
    return name == segment.name or (not segment.fields and name == str(segment.label))


def _read_segments(path: Path, geometry: Geometry | None) -> Annotation:
    content = read_seg_nrrd(path)
    grid = geometry or content.geometry
    layers = [place_on_grid(layer, content.geometry, grid, f"The annotation {path.name}") for layer in content.layers]
    segments = []
    for number, fields in enumerate(content.segments):
        try:
            layer, value = layers[max(0, int(fields.get("Layer", 0)))], int(fields.get("LabelValue", 1))
            red, green, blue = (
                (float(c) for c in fields["Color"].split()) if "Color" in fields else _COLORS[number % 10]
            )
        except (ValueError, IndexError) as error:
            raise InputError(f"Segment {number + 1} of {path.name} cannot be read; the file may be damaged.") from error
        name = fields.get("Name") or fields.get("ID") or f"Segment_{number + 1}"
        segments.append(Segment(name, (red, green, blue), number + 1, fields, layer, value))
    return Annotation(segments, grid, content.fields, path)


def _is_everywhere(labels: NDArray[np.generic]) -> bool:
    """Whether nearly all slices of all axes have something on them."""
    others = ((1, 2), (0, 2), (0, 1))
    return all((labels != 0).any(axis=axes).mean() > 0.9 for axes in others)


def _read_labels(path: Path, geometry: Geometry | None) -> Annotation:
    image = as_3d(read_image(path, "annotation"), path)
    own = Geometry.of_image(image)
    array = sitk.GetArrayFromImage(image)
    values = np.unique(array)
    instead = "; give the annotation, not the image."
    if not np.isfinite(values).all() or not np.array_equal(values, np.rint(values)):
        raise InputError(f"{path.name} has values that are no whole numbers, so it is not a labelmap{instead}")
    if values[0] < 0 or values[-1] > _LARGEST_LABEL:
        raise InputError(f"{path.name} has values of {values[0]:g} to {values[-1]:g}, so it is not a labelmap{instead}")
    if array.dtype.kind == "f":
        array = array.astype(np.int64)
    labels = [int(v) for v in values if v]
    if len(labels) > _MANY_LABELS and _is_everywhere(array):
        raise InputError(f"{path.name} has {len(labels)} different values all over the volume{instead}")
    grid = geometry or own
    layer = place_on_grid(array, own, grid, f"The annotation {path.name}")
    segments = [Segment(f"Segment_{v}", _COLORS[(v - 1) % 10], v, {}, layer, v) for v in labels]
    return Annotation(segments, grid, {}, path)
