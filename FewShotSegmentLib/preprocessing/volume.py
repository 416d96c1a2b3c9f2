"""A volume as the networks see it: slices of one size, zero mean, unit deviation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..networks import SIZE_MULTIPLE
from ..settings import Settings
from .intensity import IntensityScale

_BLOCK = 16
"""Slices converted at a time: a float copy of the whole volume would double its memory."""

_QUANTILE_SAMPLES = 500_000


@dataclass(frozen=True)
class NormalisedVolume:
    """Slices at the network's resolution.

    Attributes:
        slices: float32 [slice, h, w], zero mean and unit deviation over the volume, h and w multiples of 16.
        native: (rows, columns) of a slice before it was resampled.
        scale: what was done to the values, to do the same to a single slice of the volume.
        distance: between neighbouring slices, in pixels of `slices`.
    """

    slices: Tensor
    native: tuple[int, int]
    scale: IntensityScale
    distance: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of a slice as the network sees it."""
        return self.slices.shape[1], self.slices.shape[2]

    def image(self, index: int, device: torch.device) -> Tensor:
        """Slice `index` as a batch, [1, 1, h, w] on `device`."""
        return self.slices[index][None, None].to(device)

    def mask_to_grid(self, mask: NDArray[np.bool_], device: torch.device) -> Tensor:
        """A slice's mask [rows, columns] at the network's resolution: [1, 1, h, w], 0 to 1 (covered share)."""
        return _resample_mask(torch.from_numpy(np.ascontiguousarray(mask))[None, None].float(), self.size).to(device)

    def logits_to_native(self, logits: Tensor) -> Tensor:
        """Logits [N, 1, h, w] at the resolution of the volume: [N, rows, columns]."""
        if self.native == self.size:
            return logits[:, 0]
        return F.interpolate(logits, size=self.native, mode="bilinear", align_corners=False)[:, 0]


def normalise(
    slices: NDArray[np.generic],
    pixel_size: tuple[float, float],
    modality: str,
    settings: Settings,
    *,
    across: float | None = None,
    finest: bool = False,
) -> NormalisedVolume:
    """Clip, resample and standardise a volume.

    CT is clipped to a soft-tissue window; then any volume to its quantiles; slices are resampled so that the longer
    side (in mm) has `settings.long_side` pixels and pixels are square; mean and deviation are of the whole volume,
    so that one tissue has one value on all slices.

    Args:
        slices: [slice, row, column], any real type; not changed. May be a view along any axis of a volume.
        pixel_size: (row, column) size of a pixel in mm.
        modality: "ct" (values in HU) or "mr".
        settings: window, quantiles and size.
        across: distance between slices in mm; that of the smaller side of a pixel by default.
        finest: keep the volume's own resolution, up to `settings.finest_side` pixels, for windows to be cut from.

    Raises:
        InputError: values that are not finite, or no contrast.
    """
    window = settings.ct_window if modality == "ct" else None
    low, high = _intensity_range(slices, window, settings.clip_quantiles)
    if finest:
        size = _finest_size(slices.shape[1:], pixel_size, settings.finest_side)
    else:
        size = _grid_size(slices.shape[1:], pixel_size, settings.long_side)
    out = torch.empty((slices.shape[0], *size))
    for start, block in _blocks(slices):
        out[start : start + len(block)] = _resample(block.clamp_(low, high), size)
    mean, deviation = _moments(out)
    if deviation < 1e-6 * max(1.0, abs(high - low)):
        raise InputError(_no_contrast(modality))
    scale = IntensityScale(low, high, mean, deviation)
    out.sub_(scale.mean).div_(scale.divisor)
    pixel = max(n * mm for n, mm in zip(slices.shape[1:], pixel_size, strict=True)) / max(size)
    distance = (across or min(pixel_size)) / pixel
    return NormalisedVolume(out, (int(slices.shape[1]), int(slices.shape[2])), scale, distance)


def _intensity_range(
    slices: NDArray[np.generic], window: tuple[float, float] | None, quantiles: tuple[float, float]
) -> tuple[float, float]:
    """Values to clip to; raises InputError if a value is not finite or there is no contrast."""
    if slices.dtype.kind == "f":
        for _, block in _blocks(slices):
            if not bool(torch.isfinite(block).all()):
                raise InputError(
                    "The volume has values that are no numbers (NaN, infinite or over 1e38); fill them first."
                )
    step = max(1, slices.size // _QUANTILE_SAMPLES)
    sample = slices.reshape(-1)[::step] if slices.flags.c_contiguous else _strided_sample(slices, step)
    values = sample.astype(np.float32)
    if window:
        values = values.clip(*window)
    low, high = (float(q) for q in np.quantile(values, quantiles))
    if not low < high:
        # a small bright structure in an empty volume can lie between the samples
        low, high = float(slices.min()), float(slices.max())
        if window:
            low, high = max(low, window[0]), min(high, window[1])
    if not low < high:
        raise InputError(_no_contrast("ct" if window else "mr"))
    return low, high


def _strided_sample(slices: NDArray[np.generic], step: int) -> NDArray[np.generic]:
    """Every `step`-th value of a view without copying the whole of it."""
    return np.concatenate([s.reshape(-1)[i % step :: step] for i, s in enumerate(slices)])


def _no_contrast(modality: str) -> str:
    if modality == "ct":
        return (
            "The volume has no contrast within the soft-tissue window of CT (−160 to 240 HU); "
            "check the file, or use modality mr if it is not a CT in Hounsfield units."
        )
    return "The volume has the same value everywhere, so there is nothing to segment; check the file."


def _grid_size(rows_columns: tuple[int, ...], pixel_size: tuple[float, float], long_side: int) -> tuple[int, int]:
    """(h, w): square pixels, `long_side` on the longer side, multiples of the network's coarsest stride."""
    finest = min(pixel_size)
    extent = [n * s / finest for n, s in zip(rows_columns, pixel_size, strict=True)]
    scale = long_side / max(extent)
    height, width = (max(1, round(e * scale / SIZE_MULTIPLE)) * SIZE_MULTIPLE for e in extent)
    return height, width


def _finest_size(rows_columns: tuple[int, ...], pixel_size: tuple[float, float], most: int) -> tuple[int, int]:
    """(h, w): square pixels of the smaller side of the volume's own; the volume's own grid where that fits."""
    finest = min(pixel_size)
    extent = [n * s / finest for n, s in zip(rows_columns, pixel_size, strict=True)]
    scale = min(1.0, most / max(extent))
    height, width = (max(1, round(e * scale)) for e in extent)
    return height, width


def _blocks(slices: NDArray[np.generic]) -> Iterator[tuple[int, Tensor]]:
    """Consecutive slices as float32 copies: (index of the first, [n, row, column])."""
    for start in range(0, len(slices), _BLOCK):
        with np.errstate(over="ignore"):  # becomes infinite, which is looked for
            block = slices[start : start + _BLOCK].astype(np.float32)
        yield start, torch.from_numpy(block)


def _resample(block: Tensor, size: tuple[int, int]) -> Tensor:
    """[n, row, column] → [n, h, w]; averaging where pixels get larger, so that noise does not alias."""
    shrinks = size[0] < block.shape[1] or size[1] < block.shape[2]
    x = block[:, None]
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=shrinks)[:, 0]


def _resample_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """[1, 1, row, column] of 0 and 1 → covered share [1, 1, h, w]."""
    if size[0] < mask.shape[2] and size[1] < mask.shape[3]:
        return F.interpolate(mask, size=size, mode="area")
    shrinks = size[0] < mask.shape[2] or size[1] < mask.shape[3]
    return F.interpolate(mask, size=size, mode="bilinear", align_corners=False, antialias=shrinks)


def _moments(x: Tensor) -> tuple[float, float]:
    """Mean and standard deviation in double precision, slice by slice: the same for any block size."""
    total = sum(float(s.double().sum()) for s in x)
    mean = total / x.numel()
    squares = sum(float(((s.double() - mean) ** 2).sum()) for s in x)
    return mean, (squares / max(1, x.numel() - 1)) ** 0.5
