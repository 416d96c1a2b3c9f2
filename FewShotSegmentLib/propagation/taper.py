"""How large a structure can still be towards its end: what has begun to taper goes on tapering.

Registration can only pull a mask smaller slice by slice, and never to nothing; where a structure's end is hard to see,
a run therefore went on with a slowly shrinking mask. Cross-sections of organs do the opposite: that of an ellipsoid
falls faster the nearer its end is. So the steepest fall seen so far, a little steepened, bounds what comes behind it.
What keeps its area (a vessel, a cord) is not bounded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..motion import smoothed
from ..settings import Settings

_APART = 0.25
"""Diameters. An ellipsoid's area falls twice as fast at the outer of two slices as on average between them where the
inner one is its middle; where they lie close together, as two corrections near an end, just as fast."""

_LEAST_SLICES = 2
"""A fall from one slice to the next says little."""

_LEAST_SHARE = 0.03
"""Of the largest area; nobody draws less of a structure, so it counts as ended."""

_SMOOTHED, _SMOOTHING = 0.15, 1.5
"""Where many pixels are equally likely, those in the midst of others stay: weight and deviation (pixels)."""


class Taper:
    """Bounds the areas of one run towards an open end.

    Areas are in pixels of the normalised slices, distances in their sides.
    """

    def __init__(
        self,
        area: float,
        slice_distance: float,
        pixel_area: float,
        settings: Settings,
        inner: tuple[float, float] | None = None,
    ):
        """Begin at an annotated slice.

        Args:
            area: of its mask.
            slice_distance: from slice to slice.
            pixel_area: of one pixel of the volume itself: masks are drawn in these, so their areas are only so exact.
            settings: when a structure tapers, and how fast it goes on.
            inner: distance and area of the next annotated slice behind the run's start, if any.
        """
        self._settings = settings
        self._largest = area
        self._fall = self._start_fall = 0.0
        self._trail = [(0.0, area)]
        self._least_span = _LEAST_SLICES * slice_distance
        self._pixel_area = pixel_area
        if inner is not None:
            distance, inner_area = inner
            self._largest = max(area, inner_area)
            fall = self._sure_fall(inner_area, area) / distance
            self._fall = self._start_fall = fall * (1 + min(1.0, distance / (_APART * self._diameter)))

    def bound(self, distance: float, presence: float) -> float:
        """Largest area of the next slice; 0 where the structure has ended, infinite where it does not taper.

        Args:
            distance: of the slice from the annotated one, more than of any that was told of.
            presence: how likely the structure is there, 0 to 1.
        """
        at, area = self._trail[-1]
        if not self._fall or not self._tapers(at, area):
            return math.inf
        steepening = self._settings.taper_steepening + self._settings.taper_absence * (1 - presence)
        bound = area - steepening * self._fall * (distance - at)
        return bound if bound >= _LEAST_SHARE * self._largest else 0.0

    def add(self, distance: float, area: float, cut: bool = False) -> None:
        """Tell of the next slice.

        Args:
            distance: of the slice from the annotated one.
            area: that was drawn there.
            cut: whether the bound made it so small: then it says nothing of the structure, and falls are measured from
                there on only. (Else every cut would make the next one larger: of a clear ellipsoid of 100 slices 69
                were left.)
        """
        self._trail = [(distance, area)] if cut else [*self._trail, (distance, area)]
        self._largest = max(self._largest, area)
        if not self._tapers(distance, area):  # falls so far were ups and downs
            self._fall = self._start_fall
            return
        span = max(self._settings.taper_span * self._diameter, self._least_span)
        # a float's worth of slack: distances are sums of the same step
        before = [point for point in self._trail if point[0] <= distance - span * (1 - 1e-6)]
        if before:
            start, area_there = before[-1]
            self._fall = max(self._fall, self._sure_fall(area_there, area) / (distance - start))

    @property
    def _diameter(self) -> float:
        return 2 * math.sqrt(self._largest / math.pi)

    def _tapers(self, distance: float, area: float) -> bool:
        """Whether an area is so small that the structure tapers; that of a tube may vary, the more the longer it is."""
        tube = min(1.0, self._settings.taper_reach * self._diameter / distance) if distance else 1.0
        return area < self._settings.taper_below * tube * self._largest

    def _sure_fall(self, before: float, after: float) -> float:
        """By how much an area has fallen beyond what a border half a pixel off would explain."""
        return max(0.0, before - after - self._settings.taper_doubt * math.sqrt(before * self._pixel_area))


def shrink(logits: Tensor, pixels: int) -> Tensor:
    """A mask's logits, shifted so that the likeliest `pixels` are left over ½.

    Args:
        logits: [1, 1, h, w].
        pixels: at least 1; how many are to stay. Ties may let a few more or less stay.

    Returns:
        [1, 1, h, w].
    """
    probability = logits.sigmoid()
    likely = (1 - _SMOOTHED) * probability + _SMOOTHED * smoothed(probability, _SMOOTHING)
    first_out = min(pixels + 1, likely.numel())
    threshold = likely.flatten().topk(first_out).values[-1].clamp(1e-5, 1 - 1e-5)
    return torch.logit(likely, eps=1e-6) - torch.logit(threshold)
