"""Registration without learning: SimpleITK's demons from each slice to its neighbour, the mask warped along.

50 iterations with a smoothing of 1.5 pixels, and the warped mask carried on as a fraction instead of being rounded on
every slice: on the bench's volumes rounding lost 0.03 (whole volume) and 0.007 (organ's extent) of mean Dice; 100
iterations with 2 pixels changed the means by less than 0.005 at twice the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...settings import Settings
from ..method import Across, Answer, Recipe, Volume, Within
from .base import Base, Fraction, Last, grey_range, soft_tissue, to_grey
from .chain import carry
from .framing import FramedPair, Framing

ITERATIONS = 50
SMOOTHING_PIXELS = 1.5
_KEPT_BYTES = 256 * 2**20
"""Bound on the displacements kept of a volume: all its organs and corrections use the same, at 0.3 s and more each."""


class Demons(Base):
    """Demons from slice to slice, or from another patient's slice to each that it is compared with.

    Args:
        recipe: of the method.
        settings: how two patients' volumes are brought into one frame.
    """

    def __init__(self, recipe: Recipe, settings: Settings | None = None):
        super().__init__(
            recipe,
            f"SimpleITK's demons ({ITERATIONS} iterations, smoothing {SMOOTHING_PIXELS} px), the mask warped along; "
            "within a volume from slice to slice until it is empty",
        )
        self._framing = Framing(settings or Settings())
        self._volumes = Last(_Displacements)

    def within(self, question: Within) -> Answer:
        """Between two annotated slices both runs are mixed by distance."""
        displacements = self._volumes.of(question.volume)

        def step(source: int, target: int, fraction: Fraction) -> Fraction:
            return warp(fraction, displacements.between(source, target))

        return Answer(carry(question, step, blend=True))

    def across(self, question: Across) -> Answer:
        """The slice that each query slice is compared with is registered to it; see `Framing`."""
        return self._framing.answer(question, _moved)


class _Displacements:
    """A volume's displacements between neighbouring slices, each computed when it is first asked for."""

    def __init__(self, volume: Volume):
        image = soft_tissue(volume)
        self._grey = to_grey(image, grey_range(image))
        self._kept: dict[tuple[int, int], NDArray[np.float32]] = {}

    def between(self, source: int, target: int) -> NDArray[np.float32]:
        """See `displacement`."""
        field = self._kept.get((source, target))
        if field is None:
            field = displacement(self._grey[source], self._grey[target])
            if (len(self._kept) + 1) * field.nbytes <= _KEPT_BYTES:
                self._kept[source, target] = field
        return field


def displacement(source: Fraction, target: Fraction) -> NDArray[np.float32]:
    """Where to look in one slice for what is on another.

    Args:
        source: [y, x], 0 to 255: demons take differences below 0.001 for none.
        target: the same.

    Returns:
        [y, x, 2], (x, y) in pixels.
    """
    demons = sitk.DemonsRegistrationFilter()
    demons.SetNumberOfThreads(1)  # sums in a fixed order: two runs give the same
    demons.SetNumberOfIterations(ITERATIONS)
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations(SMOOTHING_PIXELS)
    field = demons.Execute(sitk.GetImageFromArray(target), sitk.GetImageFromArray(source))
    return np.asarray(sitk.GetArrayFromImage(field), np.float32)


def warp(fraction: Fraction, field: NDArray[np.float32]) -> Fraction:
    """A fraction [y, x] as seen from where a displacement [y, x, 2] leads; 0 comes in from beyond."""
    image: Any = sitk.GetImageFromArray(fraction)
    transform = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(field.astype(np.float64), isVector=True))
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0)))


def _moved(pair: FramedPair) -> Fraction:
    return warp(pair.mask, displacement(pair.support, pair.query))


def make(recipe: Recipe) -> Demons:
    """Make it."""
    return Demons(recipe)
