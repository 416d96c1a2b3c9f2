"""Windows: square parts of slices around a structure, all of one size, so that small and large ones look alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ..settings import Settings
from .volume import NormalisedVolume

_STEPS, _RASTER = 8, 16
"""Sides of windows are powers of 2^(1/8), and windows lie on a raster of a sixteenth of their side: structures of
nearly one size and place share a window, and so the features of its slices. Coarser steps share more and cost accuracy:
the structure has to be in the middle (Docs/experiments.md)."""

_OUTSIDE = -30.0
"""Logit outside of a window: 0 in float32 after the sigmoid, but for 1e-13."""


@dataclass(frozen=True)
class Window:
    """A square part of a slice.

    Attributes:
        top: its first row, in pixels of the normalised slices; may lie outside of the slice.
        left: its first column.
        side: rows and columns.
    """

    top: int
    left: int
    side: int

    def holds(self, box: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
        """Whether a box (first and last row, first and last column) keeps off the window's edges.

        Args:
            box: in pixels of the normalised slices.
            size: (h, w) of the slices; an edge beyond theirs is none to keep off.
        """
        return all(
            (start <= 0 or low > start) and (start + self.side >= length or high < start + self.side - 1)
            for start, low, high, length in zip((self.top, self.left), box[::2], box[1::2], size, strict=True)
        )


def window_around(box: tuple[int, int, int, int], size: tuple[int, int], settings: Settings, least: int = 0) -> Window:
    """The window for a structure.

    Args:
        box: first and last row, first and last column of its mask, in pixels of the normalised slices.
        size: (h, w) of the slices.
        settings: margin and least side.
        least: least side, as of the window before.
    """
    whole = max(size)
    wanted = settings.window_margin * max(box[1] - box[0] + 1, box[3] - box[2] + 1)
    wanted = max(wanted, min(settings.window_least, whole), least)
    side = min(whole, max(least, round(2 ** (round(_STEPS * math.log2(wanted)) / _STEPS))))
    raster = max(1, side // _RASTER)
    # it may hang over the slice's edge: networks were trained with the structure in the middle
    top, left = (round(((low + high + 1) / 2 - side / 2) / raster) * raster for low, high in (box[:2], box[2:]))
    return Window(top, left, side)


class WindowedVolume:
    """A window of a volume's slices, at the size that networks see; used like a `NormalisedVolume`.

    Attributes:
        window: which part.
        native: (rows, columns) of a whole slice before it was resampled.
        size: (h, w) as the network sees it.
    """

    def __init__(self, volume: NormalisedVolume, window: Window, size: int):
        self.window = window
        self.native = volume.native
        self.size = (size, size)
        self._volume = volume

    @property
    def volume_distance(self) -> float:
        """Between neighbouring slices, in pixels of the normalised slices."""
        return self._volume.distance

    @property
    def pixel_area(self) -> float:
        """Of one of its pixels, in pixels of the normalised slices."""
        return (self.window.side / self.size[0]) ** 2

    def image(self, index: int, device: torch.device) -> Tensor:
        """Slice `index` as a batch, [1, 1, h, w] on `device`; beyond the slice its outermost pixels go on."""
        return self._resized(self._cut(self._volume.slices[index][None, None], "replicate")).to(device)

    def mask_to_grid(self, mask: NDArray[np.bool_], device: torch.device) -> Tensor:
        """A slice's mask [rows, columns] as the network sees it: [1, 1, h, w], 0 to 1 (covered share)."""
        whole = self._volume.mask_to_grid(mask, torch.device("cpu"))
        return self._resized(self._cut(whole, "constant")).clamp_(0, 1).to(device)

    def logits_to_native(self, logits: Tensor) -> Tensor:
        """Logits [N, 1, h, w] at the resolution of the volume: [N, rows, columns], −30 outside of the window."""
        window, (height, width) = self.window, self._volume.size
        part = F.interpolate(logits, size=(window.side, window.side), mode="bilinear", align_corners=False)
        whole = logits.new_full((len(logits), 1, height, width), _OUTSIDE)
        top, left = max(0, window.top), max(0, window.left)
        bottom, right = min(height, window.top + window.side), min(width, window.left + window.side)
        whole[:, :, top:bottom, left:right] = part[
            :, :, top - window.top : bottom - window.top, left - window.left : right - window.left
        ]
        return self._volume.logits_to_native(whole)

    def seen_from(self, other: WindowedVolume, x: Tensor) -> Tensor:
        """What another window of the same slices shows, as this one shows it: [N, C, h, w] of any size to the same.

        Beyond the other window its outermost pixels go on.
        """
        height, width = x.shape[-2:]
        lines = []
        for start, old, length in (
            (self.window.top, other.window.top, height),
            (self.window.left, other.window.left, width),
        ):
            at = start + (torch.arange(length, device=x.device) + 0.5) * (self.window.side / length)
            lines.append(2 * (at - old) / other.window.side - 1)
        grid = torch.stack(torch.meshgrid(lines[0], lines[1], indexing="ij")[::-1], -1)
        grid = grid.expand(len(x), -1, -1, -1)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def box_of(self, mask: Tensor) -> tuple[int, int, int, int] | None:
        """First and last row, first and last column of a mask [h, w] (bool) in pixels of the slices; None if empty."""
        found = []
        for start, line in ((self.window.top, mask.any(1)), (self.window.left, mask.any(0))):
            places = line.nonzero()
            if not len(places):
                return None
            factor = self.window.side / self.size[0]
            found += [start + int(int(places[0]) * factor), start + math.ceil((int(places[-1]) + 1) * factor) - 1]
        return found[0], found[1], found[2], found[3]

    def _cut(self, slices: Tensor, outside: str) -> Tensor:
        window, (height, width) = self.window, slices.shape[-2:]
        top, left = max(0, window.top), max(0, window.left)
        bottom, right = min(height, window.top + window.side), min(width, window.left + window.side)
        part = slices[:, :, top:bottom, left:right]
        over = (
            left - window.left,
            window.left + window.side - right,
            top - window.top,
            window.top + window.side - bottom,
        )
        if not any(over):
            return part
        return F.pad(part, over, mode=outside)

    def _resized(self, part: Tensor) -> Tensor:
        shrinks = self.window.side > self.size[0]
        return F.interpolate(part, size=self.size, mode="bilinear", align_corners=False, antialias=shrinks)


def box_of_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last row, first and last column of a mask [rows, columns] that is not empty, in pixels of slices.

    Args:
        mask: at the volume's own resolution.
        size: (h, w) of the normalised slices.
    """
    found = []
    for line, native, length in zip((mask.any(1), mask.any(0)), mask.shape, size, strict=True):
        places = np.flatnonzero(line)
        factor = length / native
        found += [int(places[0] * factor), min(length, math.ceil((places[-1] + 1) * factor)) - 1]
    return found[0], found[1], found[2], found[3]
