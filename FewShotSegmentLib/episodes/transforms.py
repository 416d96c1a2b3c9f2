"""Geometric and intensity transforms of slices with their masks.

The ranges and the order are those published with SSL-ALPNet (Ouyang et al., ECCV 2020) and used by DSPNet: an affine
map composed of rotation, shift, shear and zoom, an elastic one, then a gamma curve. What is done otherwise: affine and
elastic map are put together and the image is interpolated once, not twice, by torch's `grid_sample` (bilinear, zeros
beyond the border, which is the mean grey); and all randomness comes from the generator given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .smooth import field_deviation, smooth_fields

_RANGE_FLOOR = 1e-5
"""Keeps the gamma curve finite on a slice of one value, as published."""

_NOMINAL = 256
"""Longer side of a slice, in pixels, that the lengths of `TransformSettings` are given for."""

_BIAS_SIGMA = 40.0
"""Pixels at 256: a shading as wide as a coil's."""


@dataclass(frozen=True)
class TransformSettings:
    """Ranges to draw from, uniformly. Pixels are those of a slice of 256; at other sizes they are scaled.

    Attributes:
        rotate: degrees to either side, about the slice's middle.
        shift: pixels to either side, in x and in y.
        shear: degrees to either side, about the first pixel.
        zoom: least and largest factor, one for both axes, about the middle.
        alpha: factor on the blurred noise U(−1, 1) that displaces pixels; 0 for none.
        sigma: pixels of that blur. The displacement's deviation is about 0.18 · alpha / sigma pixels.
        gamma: least and largest exponent.
        bias: deviation of a smooth shading that is added (in deviations of the volume); 0 for none.
        noise: deviation of white noise that is added; 0 for none.
    """

    rotate: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    alpha: float = 0.0
    sigma: float = 5.0
    gamma: tuple[float, float] = (1.0, 1.0)
    bias: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in (("zoom", self.zoom), ("gamma", self.gamma)):
            if not 0 < low <= high:
                raise InputError(f"The range of {name} is {low} to {high}; it must run upwards from above 0.")
        if min(self.rotate, self.shift, self.shear, self.alpha, self.bias, self.noise) < 0 or self.sigma <= 0:
            raise InputError("Ranges of transforms are given by their upper end, which cannot be below 0.")


PUBLISHED = TransformSettings(rotate=5, shift=5, shear=5, zoom=(0.9, 1.2), alpha=10, sigma=5, gamma=(0.5, 1.5))
"""“sabs_aug”, what all published figures were trained with; no flips."""

PUBLISHED_V3 = TransformSettings(rotate=30, shift=30, shear=30, zoom=(0.8, 1.3), alpha=20, sigma=5, gamma=(0.2, 1.8))
"""“aug_v3”, the published code's unused default."""

GENTLE = TransformSettings(rotate=5, shift=5, zoom=(0.95, 1.05), alpha=10, sigma=5, gamma=(0.8, 1.25))
"""For slices that differ already."""

PATIENT = TransformSettings(
    rotate=8, shift=8, zoom=(0.85, 1.2), alpha=550, sigma=20, gamma=(0.6, 1.6), bias=0.15, noise=0.05
)
"""A volume turned into “another patient”: organs displaced by 5 pixels (a deviation), changed contrast and shading."""

SEQUENCE = TransformSettings(rotate=10, shift=10, zoom=(0.9, 1.15), alpha=20, sigma=8, gamma=(0.7, 1.4), bias=0.1)
"""One for all slices of a sequence."""

STILL = TransformSettings()
"""Nothing changes."""


class Transform(NamedTuple):
    """One drawn transform, for any number of slices of one size.

    Attributes:
        back: [2, 3], from a pixel (x, y, 1) of the result to the (x, y) it is taken from, before `bend`.
        bend: float32 [2, h, w], displacement (x, y) of the result's pixels in pixels, or None.
        gamma: exponent.
        bias: float32 [h, w] to add, or None.
        noise: deviation of the noise, and the seed it is drawn from.
    """

    back: NDArray[np.float64]
    bend: Tensor | None
    gamma: float
    bias: Tensor | None
    noise: tuple[float, int]


def draw_transform(rng: np.random.Generator, settings: TransformSettings, size: tuple[int, int]) -> Transform:
    """Draw a transform.

    Args:
        rng: the only source of randomness.
        settings: ranges.
        size: h and w of the slices.
    """
    scale = max(size) / _NOMINAL
    turn, shear = rng.uniform(-settings.rotate, settings.rotate), rng.uniform(-settings.shear, settings.shear)
    shift = rng.uniform(-settings.shift, settings.shift, 2) * scale
    zoom = rng.uniform(*settings.zoom)
    forth = _about_middle(0, zoom, size) @ _shear(shear) @ _shift(*shift) @ _about_middle(turn, 1, size)
    bend = bias = None
    if settings.alpha:
        # noise's deviation falls with the blur's width: lengths scale when alpha grows with the square
        bend = smooth_fields(rng, 2, size, settings.sigma * scale) * (settings.alpha * scale**2)
    gamma = float(rng.uniform(*settings.gamma))
    if settings.bias:
        wide = _BIAS_SIGMA * scale
        bias = smooth_fields(rng, 1, size, wide)[0] * (settings.bias / field_deviation(size, wide))
    noise = (settings.noise, int(rng.integers(2**63)) if settings.noise else 0)
    return Transform(np.linalg.inv(forth)[:2].astype(np.float64), bend, gamma, bias, noise)


def apply_transform(transform: Transform, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Transform slices and their masks alike.

    The gamma curve runs from the least to the largest value of all the images given, so that slices of one volume
    stay alike; for one image that is the published curve.

    Args:
        transform: drawn for this size.
        images: float32 [n, h, w].
        masks: [n, h, w], 0 or 1, any type.

    Returns:
        Images float32 [n, h, w], and masks float32 [n, h, w] of 0 and 1: interpolated, then rounded (half is 0).
    """
    n = len(images)
    both = torch.cat([images, masks.to(images.dtype)])[None]
    moved = F.grid_sample(both, _grid(transform, images.shape), padding_mode="zeros", align_corners=True)[0]
    out = change_intensity(moved[:n], transform.gamma)
    if transform.bias is not None:
        out = out + transform.bias
    deviation, seed = transform.noise
    if deviation:
        white = np.random.default_rng(seed).standard_normal(tuple(out.shape), np.float32)
        out = out + torch.from_numpy(white) * deviation
    return out, (moved[n:] > 0.5).to(images.dtype)


def change_intensity(images: Tensor, gamma: float) -> Tensor:
    """A gamma curve between the least and the largest value: min + range · ((x − min) / range)^gamma.

    Args:
        images: float32 of any shape; not changed.
        gamma: above 0; below 1 brightens.
    """
    if gamma == 1:
        return images
    low = images.min()
    span = images.max() - low + _RANGE_FLOOR
    return (images - low).add_(_RANGE_FLOOR).div_(span).pow_(gamma).mul_(span).add_(low)


def _grid(transform: Transform, shape: torch.Size) -> Tensor:
    """[1, h, w, 2], where each pixel of the result is taken from, in grid_sample's units (−1 to 1)."""
    height, width = shape[-2], shape[-1]
    x, y = _pixels(height, width)
    if transform.bend is not None:
        x = _reflect(x + transform.bend[0], width)
        y = _reflect(y + transform.bend[1], height)
    units = np.array([2 / max(1, width - 1), 2 / max(1, height - 1)])
    (a, b, c), (d, e, f) = (transform.back * units[:, None]).tolist()
    return torch.stack([x * a + y * b + (c - 1), x * d + y * e + (f - 1)], -1)[None]


@lru_cache(maxsize=16)
def _pixels(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Columns [1, w] and rows [h, 1] of the pixels."""
    return torch.arange(width, dtype=torch.float32)[None], torch.arange(height, dtype=torch.float32)[:, None]


def _reflect(place: Tensor, n: int) -> Tensor:
    """Places beyond the border mirrored at it (at half a pixel outside the last centre)."""
    inside = n - 0.5 - (n - 0.5 - ((place + 0.5).abs() - 0.5)).abs()
    return inside.clamp_(0, n - 1)


def _about_middle(degrees: float, zoom: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Turn (anticlockwise as seen with y downwards) and zoom about the middle, 3 × 3."""
    y, x = size[0] / 2, size[1] / 2
    cos, sin = zoom * np.cos(np.radians(degrees)), zoom * np.sin(np.radians(degrees))
    return np.array([[cos, sin, (1 - cos) * x - sin * y], [-sin, cos, sin * x + (1 - cos) * y], [0, 0, 1]])


def _shear(degrees: float) -> NDArray[np.float64]:
    """3 × 3, about the first pixel, and so also a shift of what lies below: as published."""
    angle = np.radians(degrees)
    return np.array([[1, -np.sin(angle), 0], [0, np.cos(angle), 0], [0, 0, 1]])


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
