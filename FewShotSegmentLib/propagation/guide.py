"""Where a run's mask has moved to on the next slice, and what the refiner is shown of it."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..motion import compose, enlarge, register, warp
from ..networks.refiner import Moved
from ..preprocessing import WindowedVolume
from ..settings import Settings
from .plan import Run

_CLIPPED = 3.0
"""Deviations beyond which grey values are cut for registration: metal and vessels must not outweigh the rest."""


@dataclass(frozen=True)
class Origin:
    """The annotated slice that a run comes from.

    Attributes:
        index: its place.
        area: of its mask, in pixels of the normalised slices.
    """

    index: int
    area: float

    @property
    def diameter(self) -> float:
        """Of a disc of that area, pixels."""
        return 2 * math.sqrt(max(self.area, 1.0) / math.pi)


class Guide:
    """Moves one run's mask from slice to slice of its window.

    Neighbouring slices are registered some ahead of the run, since a batch costs little more than one pair.

    Attributes:
        view: the window.
        origin: the annotated slice.
    """

    def __init__(
        self, view: WindowedVolume, run: Run, start: int, mask: Tensor, settings: Settings, origin: Origin | None = None
    ):
        """Begin at a slice whose mask is known.

        Args:
            view: window of the slices.
            run: direction and last slice.
            start: the slice.
            mask: its mask, [1, 1, h, w] of the window, 0 to 1.
            settings: the refiner's size, and how far ahead slices are registered.
            origin: the annotated slice, where that is another one (the window has been moved since).
        """
        self.view = view
        self.origin = origin or Origin(start, float(mask.sum()) * self._scale**2)
        self._run = run
        self._settings = settings
        self._device = mask.device
        self._at = start
        self._shown = self._small(view.image(start, self._device))
        self._mean, self._deviation = self._shown.mean(), self._shown.std() + 1e-3
        self._shown = (self._shown - self._mean) / self._deviation
        self._start_image, self._start_mask = self._shown, self._small(mask)
        self._whole: Tensor | None = None
        self._ahead: OrderedDict[int, tuple[Tensor, Tensor]] = OrderedDict()

    def move(self, index: int, mask: Tensor) -> tuple[Moved, Tensor]:
        """What is known of slice `index`, the next one of the run.

        Args:
            index: of the slice.
            mask: of the slice before, [1, 1, h, w] of the window, 0 to 1.

        Returns:
            What the refiner sees, at its size; and the mask moved onto the slice, [1, 1, h, w].
        """
        image, step = self._ahead_of(index)
        self._whole = step if self._whole is None else compose(self._whole, step)
        moved = warp(mask, enlarge(step, self.view.size))
        unit = self.view.volume_distance / self.origin.diameter
        numbers = (
            abs(index - self.origin.index) * unit,
            abs(index - self._at) * unit,
            float(mask.sum()) * self._scale**2 / max(self.origin.area, 1.0),
        )
        shown = Moved(
            image,
            warp(self._shown, step, "border"),
            warp(self._start_image, self._whole, "border"),
            self._small(moved),
            warp(self._start_mask, self._whole),
            *(image.new_tensor([number]) for number in numbers),
        )
        self._shown, self._at = image, index
        return shown, moved

    def through(self, view: WindowedVolume, mask: Tensor) -> Guide:
        """The guide that goes on from here through another window; it still knows the annotated slice.

        Args:
            view: the other window.
            mask: of the slice last moved to, [1, 1, h, w] of the other window.
        """
        guide = Guide(view, self._run, self._at, mask, self._settings, self.origin)
        if self._whole is not None:
            # as it has moved up to here; its mean and deviation stay those of the first window
            guide._start_image = view.seen_from(self.view, warp(self._start_image, self._whole, "border"))
            guide._start_mask = view.seen_from(self.view, warp(self._start_mask, self._whole))
            guide._shown = (guide._shown * guide._deviation + guide._mean - self._mean) / self._deviation
            guide._mean, guide._deviation = self._mean, self._deviation
        return guide

    @property
    def _scale(self) -> float:
        """Pixels of the normalised slices to one of the window."""
        return self.view.window.side / self.view.size[0]

    def _small(self, x: Tensor) -> Tensor:
        """[N, 1, h, w] at the refiner's size."""
        side = self._settings.refiner_size
        if x.shape[-1] == side:
            return x
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=side < x.shape[-1])

    def _ahead_of(self, index: int) -> tuple[Tensor, Tensor]:
        """Image of slice `index`, standardised, and its displacement from the slice before."""
        if index not in self._ahead:
            direction, last = self._run.direction, self._run.last
            number = min(self._settings.registered_ahead, abs(last - index) + 1)
            places = [index + direction * n for n in range(number)]
            images = torch.cat([self.view.image(place, self._device) for place in places])
            images = (self._small(images) - self._mean) / self._deviation
            chain = torch.cat([self._shown, images]).clamp(-_CLIPPED, _CLIPPED)
            steps = register(chain[:-1], chain[1:])
            self._ahead.update(zip(places, zip(images.split(1), steps.split(1), strict=True), strict=True))
        return self._ahead.pop(index)
