"""What the methods share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...settings import Settings
from ..case import Mask
from ..method import Across, Answer, Method, Reading, Recipe, Volume, Within

T = TypeVar("T")
Fraction = NDArray[np.float32]
"""How much of each pixel of a slice is the organ's, [y, x], 0 to 1."""

_DISTRIBUTIONS = {"cv2": "opencv-python-headless", "slicer": "slicer-core"}
"""Packages whose module is called otherwise."""


def needs(module: str) -> str:
    """What to say where a module is not installed, a sentence."""
    package = _DISTRIBUTIONS.get(module, module)
    if module == "slicer":
        return "Slicer's own tools need the package slicer-core; install it with: pip install slicer-core"
    return f"This method needs the package {package}; install the extra with: pip install 'fewshotsegment[evaluate]'"


def need(module: str) -> Any:
    """A module that comes with the extra “evaluate”.

    Raises:
        InputError: its package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(needs(module.split(".", maxsplit=1)[0])) from error


class Last(Generic[T]):
    """What was made of the last volume seen: one volume's questions come one after the other.

    Args:
        make: from a volume.
    """

    def __init__(self, make: Callable[[Volume], T]):
        self._make = make
        self._kept: tuple[Volume, T] | None = None

    def of(self, volume: Volume) -> T:
        """What was made of this very object, made now if it was not the last one."""
        if self._kept is None or self._kept[0] is not volume:
            self._kept = None  # two volumes at a time need not fit into memory
            self._kept = volume, self._make(volume)
        return self._kept[1]


class Base:
    """A method that does nothing yet: what is not there is refused in a sentence.

    Attributes:
        name: see `Method`, like all.
        title: from the recipe.
        note: nothing.
        tasks: from the recipe.
        parameters: none.
    """

    def __init__(self, recipe: Recipe, note: str = "", parameters: int = 0):
        self.name = recipe.name
        self.title = recipe.title
        self.note = note
        self.tasks: Collection[str] = tuple(recipe.tasks)
        self.parameters = parameters

    def within(self, question: Within) -> Answer:
        """See `Method.within`."""
        del question
        raise self._refusal("carry slices through their own volume")

    def across(self, question: Across) -> Answer:
        """See `Method.across`."""
        del question
        raise self._refusal("segment another patient's volume")

    def read(self, volume: Volume) -> Reading:
        """Carry anew at every correction; see `Anew`."""
        if "within" not in self.tasks:
            raise self._refusal("carry slices through their own volume")
        return Anew(self, volume)

    def _refusal(self, what: str) -> InputError:
        return InputError(f"The method “{self.name}” cannot {what}.")


class Anew:
    """A reading by a method that knows nothing of corrections: all annotated slices are carried anew.

    It proposes the middle of the widest gap between annotated slices, from one slice before the first that holds a
    mask to one behind the last.

    Args:
        method: that carries.
        volume: that is read.
    """

    def __init__(self, method: Method, volume: Volume):
        self._method = method
        self._volume = volume
        self._anchors: Mapping[int, Mask] = {}
        self._mask: Mask | None = None

    def annotate(self, anchors: Mapping[int, Mask], changed: int) -> Answer:
        """See `Reading.annotate`."""
        del changed
        answer = self._method.within(Within(self._volume, anchors))
        self._anchors, self._mask = dict(anchors), answer.mask
        return answer

    def propose(self) -> int | None:
        """See `Reading.propose`."""
        if self._mask is None:
            return None
        return widest_gap(np.flatnonzero(self._mask.any(axis=(1, 2))), self._anchors, len(self._mask))


def widest_gap(held: NDArray[np.integer[Any]], anchors: Collection[int], count: int) -> int | None:
    """The middle of the widest stretch of slices without anchors, the lowest of several; None if there is none.

    Args:
        held: slices that hold a mask, rising.
        anchors: annotated slices.
        count: slices of the volume.
    """
    if not len(held):
        return None
    first, last = max(int(held[0]) - 1, 0), min(int(held[-1]) + 1, count - 1)
    bounds = [first - 1, *(z for z in sorted(anchors) if first <= z <= last), last + 1]
    low, high = max(pairwise(bounds), key=lambda pair: pair[1] - pair[0])
    return (low + high) // 2 if high - low > 1 else None


def soft_tissue(volume: Volume) -> NDArray[np.float32]:
    """The image as methods without learning see it, float32 [z, y, x]: CT clipped to soft tissue, −160 to 240 HU."""
    image = volume.image.astype(np.float32)
    return np.clip(image, *Settings().ct_window) if volume.modality == "ct" else image


def grey_range(image: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """The values that become black and white: the 0.5 and the 99.5 percentile."""
    low, high = np.percentile(image, (0.5, 99.5))
    return float(low), float(high)


def to_grey(image: NDArray[np.floating[Any]], levels: tuple[float, float]) -> NDArray[np.float32]:
    """Values from 0 (black) to 255 (white), those beyond clipped; 0 everywhere where there is no contrast."""
    low, high = levels
    return np.asarray((np.clip(image, low, high) - low) * (255 / max(high - low, 1e-6)), np.float32)


def nothing(shape: tuple[int, ...], note: str) -> Answer:
    """An empty answer, and why."""
    return Answer(np.zeros(shape, bool), note=note)


def keep_anchors(mask: Mask, question: Within) -> Mask:
    """A result with nothing beyond the range of slices and the annotated slices as they were drawn, in place."""
    if question.slice_range is not None:
        first, last = question.slice_range
        mask[: max(first, 0)] = False
        mask[last + 1 :] = False
    for index, drawn in question.anchors.items():
        mask[index] = drawn
    return mask
