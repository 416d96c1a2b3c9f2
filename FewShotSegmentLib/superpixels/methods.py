"""The methods: an image of 0 to 255 and its body in, labels out. 2D for one slice, 3D for a volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .extras import need
from .graph import graph_segments, in_order, join_small
from .settings import SuperpixelSettings

_SEED = 0


def cut_slice(
    grey: NDArray[np.float64],
    body: NDArray[np.bool_],
    spacing: Sequence[float],
    settings: SuperpixelSettings,
    smallest: int,
) -> NDArray[np.int32]:
    """Superpixels of one slice.

    Args:
        grey: [row, column], 0 to 255.
        body: bool of the same shape.
        spacing: pixel size in mm.
        settings: method and its numbers.
        smallest: pixels of the smallest one.

    Returns:
        int32: 0 outside the body, in it 1 … n, none left out.
    """
    if not body.any():
        return np.zeros(grey.shape, np.int32)
    if settings.method == "slic" and min(grey.shape) > 1:
        return _slic(grey, body, spacing, settings, smallest)
    if settings.method == "quickshift" and min(grey.shape) > 1:
        return _quickshift(grey, body, spacing, settings, smallest)
    labels = np.zeros(grey.shape, np.int32)
    if min(grey.shape) > 1:
        box = _without_flat_edge(grey, body, settings.sigma)
        found = need("skimage.segmentation").felzenszwalb(
            np.ascontiguousarray(grey[box]), scale=settings.scale, sigma=settings.sigma, min_size=smallest
        )
        labels[body] = in_order(found[body[box]])
    else:  # scikit-image's methods do not take a single row
        labels[body] = 1
    return labels


def _without_flat_edge(grey: NDArray[np.float64], body: NDArray[np.bool_], sigma: float) -> tuple[slice, slice]:
    """The part of a slice beyond which all is of one value, as the air in CT, with a margin that smoothing reaches.

    Flat regions are what scikit-image takes longest for: 85 ms for a slice of 256 × 256 of an abdominal CT, 22 ms
    without all that lies beyond the body, with the same superpixels on all 18 slices tried.
    """
    matters = body | (grey != grey[0, 0])
    margin = int(4 * sigma + 0.5) + 1
    box = []
    for axis, length in enumerate(grey.shape):
        lines = np.flatnonzero(matters.any(1 - axis))
        first, last = max(0, int(lines[0]) - margin), min(length, int(lines[-1]) + 1 + margin)
        box.append(slice(first, last) if last - first > 1 else slice(None))
    return box[0], box[1]


def cut_volume(
    grey: NDArray[np.float64],
    body: NDArray[np.bool_],
    spacing: Sequence[float],
    settings: SuperpixelSettings,
    smallest: int,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.int32]:
    """Supervoxels of a volume; as `cut_slice`, [z, y, x]."""
    if not body.any():
        return np.zeros(grey.shape, np.int32)
    if settings.method == "slic":
        return _slic(grey, body, spacing, settings, smallest)
    # k in units of 0 to 255: scikit-image, whose numbers the published ones are, divides it by 255
    smooth = _smooth(grey, spacing, settings.sigma)
    return graph_segments(smooth, body, spacing, settings.scale / 255.0, smallest, cancelled)


def _slic(
    grey: NDArray[np.float64],
    body: NDArray[np.bool_],
    spacing: Sequence[float],
    settings: SuperpixelSettings,
    smallest: int,
) -> NDArray[np.int32]:
    smooth = _smooth(grey, spacing, settings.sigma)
    count = int(body.sum())
    found = need("skimage.segmentation").slic(
        smooth / 255.0,
        n_segments=settings.pieces(count, smallest),
        compactness=settings.compactness,
        # relative, or the meaning of compactness would change with the voxels' size
        spacing=tuple(s / min(spacing) for s in spacing),
        mask=None if body.all() else body,
        channel_axis=None,
        start_label=1,
    )
    return join_small(_fill(found, body), smooth, spacing, smallest)


def _quickshift(
    grey: NDArray[np.float64],
    body: NDArray[np.bool_],
    spacing: Sequence[float],
    settings: SuperpixelSettings,
    smallest: int,
) -> NDArray[np.int32]:
    smooth = _smooth(grey, spacing, settings.sigma)
    found = need("skimage.segmentation").quickshift(
        smooth[..., None] / 255.0,
        ratio=settings.ratio,
        kernel_size=settings.kernel_size,
        max_dist=settings.max_dist,
        convert2lab=False,
        rng=_SEED,
        channel_axis=-1,
    )
    return join_small(np.where(body, found + 1, 0).astype(np.int32), smooth, spacing, smallest)


def _smooth(grey: NDArray[np.float64], spacing: Sequence[float], sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing, `sigma` finest voxels wide along the finest axis and as wide in mm along the others."""
    finest = min(spacing)
    return np.asarray(need("scipy.ndimage").gaussian_filter(grey, [sigma * finest / s for s in spacing]))


def _fill(found: NDArray[np.integer], body: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Labels for all of the body: slic leaves out what lies apart, which goes to the nearest label."""
    labels = np.where(body, found, 0).astype(np.int32)
    if not labels.any():
        return body.astype(np.int32)
    if (labels[body] == 0).any():
        nearest = need("scipy.ndimage").distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
        labels = np.where(body, labels[tuple(nearest)], 0).astype(np.int32)
    return labels
