"""Where a run's mask has moved to on the next slice, and what the refiner is shown of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ..motion import compose, enlarge, warp
from ..networks.refiner import Moved
from ..preprocessing import WindowedVolume
from ..settings import Settings
from .neighbours import Neighbours, small
from .plan import Run


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

    Attributes:
        origin: the annotated slice.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        run: Run,
        start: int,
        mask: Tensor,
        settings: Settings,
        origin: Origin | None = None,
    ):
        """Begin at a slice whose mask is known.

        Args:
            neighbours: the window's slices from `start` on.
            run: direction and last slice.
            start: the slice.
            mask: its mask, [1, 1, h, w] of the window, 0 to 1.
            settings: the refiner's size.
            origin: the annotated slice, where that is another one (the window has been moved since).
        """
        self._neighbours = neighbours
        self.origin = origin or Origin(start, float(mask.sum()) * self.view.pixel_area)
        self._run = run
        self._settings = settings
        self._at = start
        self._shown = neighbours.start
        self._start_image, self._start_mask = self._shown, self._small(mask)
        self._whole: Tensor | None = None

    @property
    def view(self) -> WindowedVolume:
        """The window."""
        return self._neighbours.view

    def move(self, index: int, mask: Tensor) -> tuple[Moved, Tensor]:
        """What is known of slice `index`, the next one of the run.

        Args:
            index: of the slice.
            mask: of the slice before, [1, 1, h, w] of the window, 0 to 1.

        Returns:
            What the refiner sees, at its size; and the mask moved onto the slice, [1, 1, h, w].
        """
        image, step = self._neighbours.at(index)
        self._whole = step if self._whole is None else compose(self._whole, step)
        moved = warp(mask, enlarge(step, self.view.size))
        unit = self.view.volume_distance / self.origin.diameter
        numbers = (
            abs(index - self.origin.index) * unit,
            abs(index - self._at) * unit,
            float(mask.sum()) * self.view.pixel_area / max(self.origin.area, 1.0),
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
        # as seen from the first slice on: grey values keep its scale
        scale = self._neighbours.scale
        neighbours = Neighbours(view, self._run, self._at, self._settings, mask.device, scale)
        guide = Guide(neighbours, self._run, self._at, mask, self._settings, self.origin)
        if self._whole is not None:
            guide._start_image = view.seen_from(self.view, warp(self._start_image, self._whole, "border"))
            guide._start_mask = view.seen_from(self.view, warp(self._start_mask, self._whole))
        return guide

    def _small(self, x: Tensor) -> Tensor:
        return small(x, self._settings.refiner_size)
