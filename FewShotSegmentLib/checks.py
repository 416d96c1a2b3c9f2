"""Checks on what callers hand to the engine; each failure is one plain sentence."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .preprocessing import MODALITIES


def check_volume(volume: object) -> NDArray[np.generic]:
    """The volume as a 3D array of real numbers (a view where possible).

    Raises:
        InputError: it is not one, or an axis is empty. Values are checked where they are read (`preprocessing`).
    """
    array = np.asarray(volume)
    if array.ndim != 3:
        raise InputError(
            f"The volume has {array.ndim} dimensions; a volume of 3 is needed (one channel, one time point)."
        )
    if array.dtype.kind not in "iufb":
        raise InputError(f"The volume holds values of type {array.dtype}; real numbers are needed.")
    if 0 in array.shape:
        raise InputError("The volume is empty.")
    return array


def check_axis(axis: object) -> int:
    """The axis as 0, 1 or 2; raises InputError."""
    try:
        index = operator.index(axis)  # type: ignore[arg-type]
    except TypeError:
        index = -1
    if index not in (0, 1, 2):
        raise InputError(f"The axis is {axis!r}; it must be 0, 1 or 2.")
    return index


def check_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    """Three positive millimetres in array order; raises InputError."""
    try:
        values = tuple(float(s) for s in spacing)
    except (TypeError, ValueError):
        values = ()
    if len(values) != 3 or not all(np.isfinite(v) and v > 0 for v in values):
        raise InputError(f"The spacing is {spacing!r}; it must be three positive lengths in mm, in array order.")
    return values[0], values[1], values[2]


def check_modality(modality: str) -> str:
    """One of "auto", "ct" and "mr", in lower case; raises InputError."""
    lower = str(modality).lower()
    if lower not in ("auto", *MODALITIES):
        raise InputError(f"The modality is “{modality}”; it must be auto, ct or mr.")
    return lower


def check_range(slice_range: tuple[int, int] | None, count: int) -> tuple[int, int]:
    """First and last slice that may be visited, both included; raises InputError."""
    if slice_range is None:
        return 0, count - 1
    try:
        first, last = (operator.index(i) for i in slice_range)
    except (TypeError, ValueError):
        raise InputError(f"The range of slices is {slice_range!r}; it must be (first, last), both included.") from None
    if first > last:
        raise InputError(f"The range of slices {first}:{last} runs backwards; give the lower slice first.")
    if not 0 <= first <= last < count:
        raise InputError(f"Slices {first} to {last} do not lie within the volume's slices 0 to {count - 1}.")
    return first, last


def check_anchors(
    anchors: Mapping[int, object],
    count: int,
    shape: tuple[int, ...],
    slice_range: tuple[int, int],
    name: str = "",
    *,
    may_be_empty: bool = False,
) -> dict[int, NDArray[np.bool_]]:
    """Anchors as {slice index: bool [row, column]}.

    Args:
        anchors: as given; values are anything that can be read as a mask.
        count: slices along the axis.
        shape: (rows, columns) of a slice.
        slice_range: first and last slice that may be visited.
        name: of the segment, for the text.
        may_be_empty: whether there may be no anchor, or none that shows anything.

    Raises:
        InputError: none, all empty (unless they may be), outside the volume or the range, or of another shape.
    """
    whose = f" of {name}" if name else ""
    checked: dict[int, NDArray[np.bool_]] = {}
    if not isinstance(anchors, Mapping):
        raise InputError(f"The annotation{whose} must be given as {{slice index: mask}}.")
    for key, value in anchors.items():
        try:
            index = operator.index(key)
        except TypeError:
            raise InputError(f"The annotated slice{whose} is {key!r}; it must be a whole number.") from None
        mask = np.asarray(value)
        if not 0 <= index < count:
            raise InputError(
                f"Annotated slice {index}{whose} does not lie within the volume's slices 0 to {count - 1}."
            )
        if mask.shape != shape:
            raise InputError(f"The mask on slice {index}{whose} is {mask.shape}; the volume's slices are {shape}.")
        first, last = slice_range
        if not first <= index <= last:
            raise InputError(
                f"The range {first}:{last} leaves out annotated slice {index}{whose}; widen it or remove that one."
            )
        checked[index] = mask != 0
    if not may_be_empty and not any(mask.any() for mask in checked.values()):
        raise InputError(f"The annotation{whose} is empty; draw the structure on at least one slice.")
    return checked


def check_ranges(
    slice_range: Mapping[str, tuple[int, int]] | tuple[int, int] | None, names: Collection[str], count: int
) -> dict[str, tuple[int, int]]:
    """First and last slice that may be visited, for each segment; raises InputError.

    Args:
        slice_range: one for all segments, or {name: range}; a segment without one may be anywhere.
        names: of all segments.
        count: slices along the axis.
    """
    if not isinstance(slice_range, Mapping):
        return dict.fromkeys(names, check_range(slice_range, count))
    _check_names(slice_range, names, "range of slices")
    return {name: check_range(slice_range.get(name), count) for name in names}


def check_around(
    around: Mapping[str, Collection[int] | None] | None, names: Collection[str], count: int
) -> dict[str, frozenset[int] | None]:
    """Slices whose anchors are new, changed or gone, for each segment; None means all slices; raises InputError.

    Args:
        around: {name: slice indices}; a segment that is not named is taken to be new as a whole.
        names: of all segments.
        count: slices along the axis.
    """
    around = around or {}
    _check_names(around, names, "changed slice")
    return {name: _check_changed(around.get(name), count, name) for name in names}


def _check_changed(changed: Collection[int] | None, count: int, name: str) -> frozenset[int] | None:
    if changed is None:
        return None
    try:
        indices = frozenset(operator.index(i) for i in changed)
    except TypeError:
        raise InputError(f"The changed slices of {name} are {changed!r}; they must be whole numbers.") from None
    for index in sorted(indices):
        if not 0 <= index < count:
            raise InputError(
                f"Changed slice {index} of {name} does not lie within the volume's slices 0 to {count - 1}."
            )
    return indices


def _check_names(given: Iterable[str], names: Collection[str], what: str) -> None:
    """Whether segments of these names are there; raises InputError."""
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InputError(f"A {what} is given for {unknown[0]!r}, but no segment of that name is to be carried.")
