"""Preprocessing of the published comparisons, from scan to scan: "sabs", "chaos" and "cmr".

After Ouyang et al. (SSL-ALPNet, TMI 2022), whose preparation the later papers share; "cmr" is the variant of Q-Net and
its successors for MS-CMRSeg. Slices are along axis 0. Where the published code differs from what it means to do, the
code is followed, since the figures come from it: resampled volumes have int(size × ratio + 1) voxels along each
resampled axis, so that the last one may lie beyond the image and is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from ...errors import InputError
from ...images import Geometry
from ..case import Case, Scan
from .reading import compact

Preset = Callable[[Scan], Scan]

WINDOW = (-125.0, 275.0)
"""HU."""
BORDER = 32
"""Pixels that are cut off each side of a CT slice."""
SHRINK = 1.75
SIDE = 256
"""Pixels of a slice's side."""
BRIGHTEST = 0.5
"""Per cent of an MR volume's voxels that are clipped."""


def sabs(scan: Scan) -> Scan:
    """CT: window −125 to 275 HU, to 0 to 255 by the volume's own range, 32 px cut off, pixels 1.75 times as large.

    Slices of 512 × 512 become 256 × 256 (257 are computed, the last row and column dropped). Along z nothing changes.

    Returns:
        Image float32, 0 to 255, which are no HU, so that its modality is "mr" from here on.

    Raises:
        InputError: no CT, or slices of 64 pixels or less.
    """
    _expect(scan, "ct", "sabs")
    if min(scan.image.shape[1:]) <= 2 * BORDER:
        raise InputError(f"The preset sabs cuts {BORDER} pixels off each side, and slices are not larger than that.")
    image = np.clip(scan.image.astype(np.float64), *WINDOW)
    low, high = float(image.min()), float(image.max())
    image = (image - low) / (high - low) * 255 if high > low else np.zeros_like(image)
    inside = (slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    cut = replace(
        scan,
        image=image[inside].astype(np.float32),
        labels=scan.labels[inside],
        geometry=_moved(scan.geometry, (0, BORDER, BORDER), scan.image[inside].shape),
    )
    z, y, x = cut.spacing
    small = _resampled(cut, (z, y * SHRINK, x * SHRINK), keep_z=True)
    kept = (slice(None), slice(None, SIDE), slice(None, SIDE))
    return replace(
        small,
        image=np.ascontiguousarray(small.image[kept]),
        labels=np.ascontiguousarray(small.labels[kept]),
        geometry=_moved(small.geometry, (0, 0, 0), small.image[kept].shape),
        # no HU any more: what is made for CT would take 0 to 255 for them, so values are scaled by their own range
        modality="mr",
    )


def chaos(scan: Scan) -> Scan:
    """MR: brightest 0.5 % clipped, voxels of 1.25 × 1.25 × 7.70 mm, middle 256 × 256 (filled up with the minimum).

    Returns:
        Image float32, in its own units.

    Raises:
        InputError: no MR.
    """
    return _mr(scan, 7.70, "chaos")


def cmr(scan: Scan) -> Scan:
    """As `chaos`, with slices 7.99 mm apart.

    Raises:
        InputError: no MR.
    """
    return _mr(scan, 7.99, "cmr")


PRESETS: dict[str, Preset] = {"sabs": sabs, "chaos": chaos, "cmr": cmr}

PUBLISHED = {"sabs": "sabs", "chaos": "chaos", "mscmr": "cmr"}
"""{data set: the preset that its published figures were made with}."""


def preset(name: str) -> Preset:
    """A preset by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset {name}; there are {', '.join(PRESETS)}.")
    return PRESETS[name]


def prepared(case: Case, name: str) -> Case:
    """The same case, whose scan is preprocessed when it is read; can be pickled.

    Raises:
        InputError: there is no preset of that name.
    """
    preset(name)
    return replace(case, load=partial(_read, case.load, name))


def training_statistics(images: Iterable[NDArray[np.generic]]) -> tuple[float, float]:
    """Mean and standard deviation over all voxels of several volumes: CT is normalised by those of the training."""
    count, total, squares = 0, [], []
    for image in images:
        values = image.astype(np.float64)
        count += values.size
        total.append(float(values.sum()))
        squares.append((values.size, float(values.mean()), float(values.var())))
    if not count:
        raise InputError("There is no volume to take mean and standard deviation of.")
    mean = math.fsum(total) / count
    # exact also where a volume's mean is far from the others'
    variance = math.fsum(n * (own + (center - mean) ** 2) for n, center, own in squares) / count
    return mean, math.sqrt(variance)


def z_score(image: NDArray[np.generic], mean: float | None = None, std: float | None = None) -> NDArray[np.float32]:
    """(image − mean) / standard deviation, float32.

    Args:
        image: any shape.
        mean: by default the image's own, as for MR.
        std: likewise; where it is 0 the result is 0.
    """
    values = image.astype(np.float64)
    mean = float(values.mean()) if mean is None else mean
    std = float(values.std()) if std is None else std
    return np.asarray((values - mean) / std if std > 0 else np.zeros_like(values), dtype=np.float32)


def _read(load: Callable[[], Scan], name: str) -> Scan:
    return PRESETS[name](load())


def _expect(scan: Scan, modality: str, name: str) -> None:
    if scan.modality != modality:
        raise InputError(f"The preset {name} is for {modality.upper()}, and the scan is {scan.modality.upper()}.")


def _mr(scan: Scan, thickness: float, name: str) -> Scan:
    _expect(scan, "mr", name)
    image = scan.image.astype(np.float32)
    image = np.minimum(image, np.float32(np.percentile(image, 100 - BRIGHTEST)))
    small = _resampled(replace(scan, image=image), (thickness, 1.25, 1.25), keep_z=False)
    start = (0, *(n // 2 - SIDE // 2 for n in small.image.shape[1:]))
    shape = (small.image.shape[0], SIDE, SIDE)
    return replace(
        small,
        image=_window(small.image, start, shape, small.image.min()),
        labels=_window(small.labels, start, shape, 0),
        geometry=_moved(small.geometry, start, shape),
    )


def _window(array: NDArray[Any], start: tuple[int, ...], shape: tuple[int, ...], fill: Any) -> NDArray[Any]:
    """Part of an array from `start` (which may be below 0), filled up to `shape`."""
    out = np.full(shape, fill, array.dtype)
    source = tuple(slice(max(0, s), max(0, min(n, s + k))) for s, n, k in zip(start, array.shape, shape, strict=True))
    target = tuple(slice(a.start - s, a.stop - s) for a, s in zip(source, start, strict=True))
    out[target] = array[source]
    return out


def _moved(geometry: Geometry, start: tuple[int, ...], shape: tuple[int, ...]) -> Geometry:
    """Geometry of a part that begins at voxel `start`, (z, y, x)."""
    matrix = geometry.ijk_to_lps.copy()
    matrix[:3, 3] += matrix[:3, :3] @ np.array(start[::-1], dtype=np.float64)
    z, y, x = shape
    return Geometry((z, y, x), matrix)


def _resampled(scan: Scan, spacing: tuple[float, float, float], keep_z: bool) -> Scan:
    """A scan on voxels of another size (z, y, x mm), the first one in its place; labels one by one, the later wins."""
    image = _image(scan.image, scan.geometry)
    # the published code counts in x, y, z
    new = [float(s) for s in spacing[::-1]]
    size = [int(n * old / wanted + 1) for n, old, wanted in zip(image.GetSize(), image.GetSpacing(), new, strict=True)]
    if keep_z:
        size[2] = image.GetSize()[2]
    grid = (size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), new, image.GetDirection(), 0.0)
    result = sitk.Resample(image, *grid)
    labels = np.zeros(size[::-1], scan.labels.dtype)
    for value in np.unique(scan.labels):
        if value:
            share = sitk.Resample(_image((scan.labels == value).astype(np.float32), scan.geometry), *grid)
            labels[np.rint(sitk.GetArrayFromImage(share)) == 1] = value
    return replace(
        scan, image=sitk.GetArrayFromImage(result), labels=compact(labels), geometry=Geometry.of_image(result)
    )


def _image(array: NDArray[Any], geometry: Geometry) -> Any:
    image = sitk.GetImageFromArray(array)
    geometry.apply_to(image)
    return image
