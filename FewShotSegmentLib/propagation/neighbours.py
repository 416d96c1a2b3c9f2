"""How slices of a window move from one to the next; segments that are seen through the same window share it."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..motion import register
from ..preprocessing import Window, WindowedVolume
from ..settings import Settings
from .plan import Run

_CLIPPED = 3.0
"""Deviations beyond which grey values are cut for registration: metal and vessels must not outweigh the rest."""


class Scale(NamedTuple):
    """What grey values are standardised by: those of the slice where a run began."""

    mean: Tensor
    deviation: Tensor


class Neighbours:
    """Slices of a window in the order of a run, each with its displacement from the one before.

    Neighbouring slices are registered some ahead of the run, since a batch costs little more than one pair. What was
    registered last stays for the other segments that come by at the same slice.

    Attributes:
        view: the window.
        scale: of the grey values.
        start: image of the slice where it begins, [1, 1, s, s], standardised; s is the refiner's size.
    """

    def __init__(
        self,
        view: WindowedVolume,
        run: Run,
        start: int,
        settings: Settings,
        device: torch.device,
        scale: Scale | None = None,
    ):
        """Begin at a slice.

        Args:
            view: window of the slices.
            run: direction and last slice.
            start: the slice.
            settings: the refiner's size, and how far ahead slices are registered.
            device: where to compute.
            scale: of the grey values, where they are not to be this slice's.
        """
        self.view = view
        self._run, self._settings, self._device = run, settings, device
        image = small(view.image(start, device), settings.refiner_size)
        self.scale = scale or Scale(image.mean(), image.std() + 1e-3)
        self.start = self._standardised(image)
        self._last = self.start
        self._known: OrderedDict[int, tuple[Tensor, Tensor]] = OrderedDict()

    def at(self, index: int) -> tuple[Tensor, Tensor]:
        """Image of slice `index`, standardised, and its displacement from the slice before, in pixels of the image.

        To be asked for in the run's order, for each slice as often as wanted.
        """
        if index not in self._known:
            direction, last = self._run.direction, self._run.last
            number = min(self._settings.registered_ahead, abs(last - index) + 1)
            places = [index + direction * n for n in range(number)]
            images = torch.cat([self.view.image(place, self._device) for place in places])
            images = self._standardised(small(images, self._settings.refiner_size))
            chain = torch.cat([self._last, images]).clamp(-_CLIPPED, _CLIPPED)
            steps = register(chain[:-1], chain[1:])
            self._last = images[-1:]
            self._known = OrderedDict(zip(places, zip(images.split(1), steps.split(1), strict=True), strict=True))
        return self._known[index]

    def _standardised(self, images: Tensor) -> Tensor:
        return (images - self.scale.mean) / self.scale.deviation


class NeighbourStore:
    """The runs of one sweep: those that leave the same slice through the same window share their neighbours."""

    def __init__(self, settings: Settings, device: torch.device):
        self._settings, self._device = settings, device
        self._kept: dict[tuple[Window, int, int, int], Neighbours] = {}

    def get(self, view: WindowedVolume, run: Run) -> Neighbours:
        """Neighbours of a run from its anchor on."""
        key = view.window, run.anchor, run.direction, run.last
        if key not in self._kept:
            self._kept[key] = Neighbours(view, run, run.anchor, self._settings, self._device)
        return self._kept[key]


def small(x: Tensor, side: int) -> Tensor:
    """[N, 1, h, w] at the refiner's size, [N, 1, side, side]."""
    if x.shape[-1] == side:
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=side < x.shape[-1])
