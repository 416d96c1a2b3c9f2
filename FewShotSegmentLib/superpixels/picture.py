"""A picture of superpixels: slices in grey, tinted and outlined."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .extras import need
from .intensity import grey_scale
from .make import SuperpixelMap

_SHOWN = 6
_COLUMNS = 3
_PANEL = 3.6
"""Inches across a drawn slice."""

_LEAST_SIDE = 384
"""Pixels of a drawn slice's shorter side; coarser slices are enlarged so that outlines stay thin."""

_TINT = 0.22
_OUTLINE = (1.0, 0.85, 0.1)


def draw(image: NDArray[np.generic], modality: str, found: SuperpixelMap) -> bytes:
    """A PNG of up to six slices with body in them, evenly spread, each with the aspect of its pixels in mm.

    Of supervoxels, the second half of them is cut across the next axis.

    Args:
        image: [z, y, x].
        modality: "ct" or "mr".
        found: its superpixels.

    Raises:
        InputError: matplotlib or another package is missing.
    """
    figure_of = need("matplotlib.figure").Figure
    scale = grey_scale(image, modality)
    solid = found.settings.dimensions == 3
    axes = [found.axis, (found.axis + 1) % 3] if solid else [found.axis]
    cuts = [(axis, index) for axis in axes for index in _spread(found.body, axis, _SHOWN // len(axes))]
    cuts = cuts or [(found.axis, image.shape[found.axis] // 2)]
    columns = max(1, min(_COLUMNS, len(cuts)))
    rows = -(-len(cuts) // columns)
    extents = [
        [n * s for a, (n, s) in enumerate(zip(image.shape, found.spacing, strict=True)) if a != c] for c, _ in cuts
    ]
    heights = [_PANEL * min(2.0, max(h / w for h, w in extents[r * columns : (r + 1) * columns])) for r in range(rows)]
    figure = figure_of(figsize=(_PANEL * columns, sum(heights) + 0.3 * rows + 0.3), layout="constrained")
    grid = figure.add_gridspec(rows, columns, height_ratios=heights)
    for number, (axis, index) in enumerate(cuts):
        panel = figure.add_subplot(grid[number // columns, number % columns])
        height, width = (s for a, s in enumerate(found.spacing) if a != axis)
        labels = np.take(found.labels, index, axis)
        grey = scale.apply(np.take(image, index, axis))
        panel.imshow(_outlined(grey, labels), aspect=height / width, interpolation="nearest")
        panel.set_title(_title(found, axis, index, labels), fontsize=9)
        panel.axis("off")
        if axis != 0:  # z upwards
            panel.invert_yaxis()
    unit = "mm³" if solid else "mm²"
    smallest = found.settings.smallest(found.spacing, found.axis)
    figure.suptitle(
        f"{found.settings.method}, {found.settings.dimensions}D, at least {smallest} "
        f"{'voxels' if solid else 'pixels'} = {smallest * found.voxel_mm:.0f} {unit}",
        fontsize=10,
    )
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()


def _spread(body: NDArray[np.bool_], axis: int, count: int) -> list[int]:
    """Up to `count` indices of slices with body, evenly spread, not its very ends."""
    filled = np.flatnonzero(body.any(tuple(a for a in range(3) if a != axis)))
    if filled.size <= count:
        return [int(i) for i in filled]
    return [int(filled[int((n + 0.5) * filled.size / count)]) for n in range(count)]


def _title(found: SuperpixelMap, axis: int, index: int, labels: NDArray[np.int32]) -> str:
    numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
    where = f"slice {index}" if axis == found.axis else f"across axis {axis}, {index}"
    if found.settings.dimensions == 3 or not numbers.size:
        return f"{where}: {numbers.size} pieces"
    median = float(np.median(sizes))
    return f"{where}: {numbers.size}, median {median:.0f} px = {median * found.voxel_mm:.0f} mm²"


def _outlined(grey: NDArray[np.float64], labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Colours [row, column, 3], 0 to 1."""
    times = max(1, -(-_LEAST_SIDE // max(1, min(grey.shape))))
    times = min(times, max(1, 1536 // max(grey.shape)))
    grey, labels = (_enlarge(part, times) for part in (grey, labels))
    colours = np.random.default_rng(0).random((int(labels.max()) + 1, 3))
    picture = np.repeat((grey / 255.0)[..., None], 3, axis=2)
    inside = labels > 0
    picture[inside] = (1 - _TINT) * picture[inside] + _TINT * colours[labels[inside]]
    if min(labels.shape) > 1:
        picture[need("skimage.segmentation").find_boundaries(labels, mode="inner")] = _OUTLINE
    return np.asarray(picture)


def _enlarge(part: NDArray[Any], times: int) -> NDArray[Any]:
    return np.repeat(np.repeat(part, times, axis=0), times, axis=1)
