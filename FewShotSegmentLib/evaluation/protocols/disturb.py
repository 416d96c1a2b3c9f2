"""Scans made worse: by noise, blur, a bias field, other contrast, thick slices, and a narrow field of view.

How strong a disturbance is counts from the scan's soft-tissue range: −160 to 240 HU for CT, the image's 1st to 99th
percentile for MR. What is drawn depends on the generator alone. Integer images stay integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...errors import InputError
from ...images import Geometry
from ..case import Mask, Scan

Floats = NDArray[np.float32]
Change = Callable[[Scan, Generator], Scan]

DISTURBANCES = ("noise", "blur", "bias field", "contrast", "thickness", "cropping", "support", "twins")
"""Names of all kinds: those of whole images, of the field of view, of the annotation, and left/right twins."""
SOFT_TISSUE_HU = (-160.0, 240.0)


def noise(scan: Scan, share: float, random: Generator) -> Scan:
    """Add noise: Gaussian to CT, Rician to MR, whose magnitude is of two channels with Gaussian noise each.

    Args:
        scan: not changed.
        share: standard deviation, as a share of the soft-tissue range.
        random: draws it.
    """
    low, high = soft_tissue(scan)
    size = share * (high - low)
    image = scan.image.astype(np.float32)
    first = size * random.standard_normal(image.shape, np.float32)
    if scan.modality == "ct":
        return _with(scan, image + first)
    # a magnitude begins at 0; images that were shifted below it are noisy from their lowest value on
    base = min(0.0, float(image.min()))
    return _with(scan, np.hypot(image - base + first, size * random.standard_normal(image.shape, np.float32)) + base)


def blur(scan: Scan, pixels: float) -> Scan:
    """Smooth every slice by a Gaussian of this standard deviation in pixels."""
    return _with(scan, ndimage().gaussian_filter(scan.image.astype(np.float32), (0, pixels, pixels), mode="nearest"))


def bias_field(scan: Scan, share: float, random: Generator) -> Scan:
    """Multiply by a smooth field, a random polynomial of second degree in z, y and x, as coils make one in MR.

    Args:
        scan: not changed.
        share: the field runs from 1 − share to 1 + share.
        random: draws it.
    """
    places = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in scan.image.shape)
    z, y, x = np.meshgrid(*places, indexing="ij", sparse=True)
    terms = (z, y, x, z * y, z * x, y * x, z * z, y * y, x * x)
    field = np.zeros(scan.image.shape, np.float32)
    for weight, term in zip(random.uniform(-1.0, 1.0, len(terms)).astype(np.float32), terms, strict=True):
        field += weight * term
    lowest, highest = float(field.min()), float(field.max())
    field = 1.0 - share + 2.0 * share * (field - lowest) / ((highest - lowest) or 1.0)
    image = scan.image.astype(np.float32)
    base = min(0.0, float(image.min()))
    return _with(scan, (image - base) * field + base)


def gamma(scan: Scan, power: float) -> Scan:
    """Raise values within the soft-tissue range, taken as 0 to 1, to a power; values outside stay."""
    low, high = soft_tissue(scan)
    image = scan.image.astype(np.float32)
    inside = np.clip((image - low) / (high - low), 0.0, 1.0)
    return _with(scan, np.where((image > low) & (image < high), low + (high - low) * inside**power, image))


def contrast(scan: Scan, share: float) -> Scan:
    """Bring all values nearer to the middle of the soft-tissue range, to this share of their distance."""
    middle = sum(soft_tissue(scan)) / 2
    return _with(scan, middle + share * (scan.image.astype(np.float32) - middle))


def thicken(scan: Scan, factor: int) -> Scan:
    """Average each `factor` slices to one; what is left over at the end is dropped.

    A voxel is an organ's where half of its slices or more say so; of two organs with half each, the lower value's.
    """
    count = len(scan.image) // factor
    kept = scan.image[: count * factor]
    stacked = kept.astype(np.float32).reshape(count, factor, *kept.shape[1:])
    labels = scan.labels[: count * factor].reshape(stacked.shape)
    coarse = np.zeros((count, *kept.shape[1:]), scan.labels.dtype)
    for value in np.unique(scan.labels)[::-1]:
        if value:
            coarse[2 * np.count_nonzero(labels == value, axis=1) >= factor] = value
    matrix = scan.geometry.ijk_to_lps.copy()
    matrix[:3, 3] += (factor - 1) / 2 * matrix[:3, 2]
    matrix[:3, 2] *= factor
    geometry = Geometry((count, *scan.geometry.shape[1:]), matrix)
    return replace(_with(scan, stacked.mean(axis=1)), labels=coarse, geometry=geometry)


def crop_box(mask: Mask, spacing: tuple[float, float, float], margin_mm: float) -> tuple[slice, slice, slice]:
    """The box around a mask with a margin on all sides, of one voxel at least, within the volume."""
    box = []
    for axis, size in enumerate(spacing):
        held = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        margin = max(1, round(margin_mm / size))
        box.append(slice(max(0, int(held[0]) - margin), min(mask.shape[axis], int(held[-1]) + 1 + margin)))
    return box[0], box[1], box[2]


def crop(scan: Scan, box: tuple[slice, slice, slice]) -> Scan:
    """A part of a scan, at its place in the world."""
    matrix = scan.geometry.ijk_to_lps.copy()
    for column, own in zip((2, 1, 0), box, strict=True):
        matrix[:3, 3] += own.start * scan.geometry.ijk_to_lps[:3, column]
    image = scan.image[box].copy()
    geometry = Geometry((image.shape[0], image.shape[1], image.shape[2]), matrix)
    return replace(scan, image=image, labels=scan.labels[box].copy(), geometry=geometry)


def soft_tissue(scan: Scan) -> tuple[float, float]:
    """Lowest and highest value of soft tissue; never equal."""
    if scan.modality == "ct":
        return SOFT_TISSUE_HU
    low, high = (float(value) for value in np.percentile(scan.image.astype(np.float32), (1, 99)))
    return (low, high) if high > low else (low, low + 1.0)


def ndimage() -> Any:
    """`scipy.ndimage`.

    Raises:
        InputError: scipy is not installed.
    """
    try:
        from scipy import ndimage as module  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError("Disturbances need the package scipy: pip install 'fewshotsegment[evaluate]'.") from None
    return module


def _with(scan: Scan, image: Floats) -> Scan:
    """The scan with another image, of the same type where it is of real numbers, else of integers that hold it."""
    kind: np.dtype[Any] = scan.image.dtype
    if np.issubdtype(kind, np.integer):
        image = np.rint(image)
        for wider in (kind, np.dtype(np.int16), np.dtype(np.int32)):
            limits = np.iinfo(wider)
            if limits.min <= image.min() and image.max() <= limits.max:
                return replace(scan, image=image.astype(wider))
    return replace(scan, image=image.astype(kind if np.issubdtype(kind, np.floating) else np.float32))


IMAGES: dict[str, tuple[tuple[str, Change], ...]] = {
    "noise": (
        ("noise 5 %", lambda scan, random: noise(scan, 0.05, random)),
        ("noise 10 %", lambda scan, random: noise(scan, 0.10, random)),
    ),
    "blur": (
        ("blur 1 px", lambda scan, random: blur(scan, 1.0)),
        ("blur 2 px", lambda scan, random: blur(scan, 2.0)),
    ),
    "bias field": (
        ("bias field 20 %", lambda scan, random: bias_field(scan, 0.2, random)),
        ("bias field 40 %", lambda scan, random: bias_field(scan, 0.4, random)),
    ),
    "contrast": (
        ("gamma 0.7", lambda scan, random: gamma(scan, 0.7)),
        ("gamma 1.5", lambda scan, random: gamma(scan, 1.5)),
        ("contrast 50 %", lambda scan, random: contrast(scan, 0.5)),
    ),
    "thickness": (
        ("slices 2 × as thick", lambda scan, random: thicken(scan, 2)),
        ("slices 3 × as thick", lambda scan, random: thicken(scan, 3)),
    ),
}
"""Disturbances of whole scans: {kind: ((setting, change), …)}."""
CROPS = (("cropped, margin 20 mm", 20.0), ("cropped, margin 5 mm", 5.0))
"""Settings and margins in mm around the organ."""
