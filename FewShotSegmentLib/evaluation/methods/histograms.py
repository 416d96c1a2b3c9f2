r"""A contour decided anew by what is bright and dark on either side of it.

Pixels near the contour are inside as far as their grey value g is commoner inside than outside *near them*, and as far
as they lie inside already:

.. math:: \operatorname{logit} p(x) = \frac{d(x)}{s} + w \ln \frac{h_{in}(g \mid x)}{h_{out}(g \mid x)},

d the signed distance to the contour (inside positive) and h the histograms of the fraction and of what it leaves, each
pixel weighted by a Gaussian about x. After localised region competition (Lankton and Tannenbaum, IEEE Trans. Image
Process. 2008), with histograms in place of means and one step in place of an evolution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Fraction, need

BAND = 3.0
"""Distance from the contour, in pixels, up to which pixels are decided anew."""
_SLACK = 1.5
"""s: distance, in pixels, at which the place weighs as much as e times commoner a grey value."""
_WEIGHT = 0.5
"""w: grey values of neighbours are alike, so a ratio counts for less than if each were drawn for itself."""
_NEAR = 8.0
"""Standard deviation of the Gaussian about a pixel, in pixels."""
_BINS = 32
_BLUR = 1.0
"""Standard deviation, in bins, with which histograms are smoothed."""
_MOST = 3.0
"""Bound on the logarithm of the ratio: few pixels prove nothing."""


def refine(grey: NDArray[np.uint8], fraction: Fraction) -> Fraction:
    """Decide the contour of a fraction anew.

    Args:
        grey: [y, x], the slice.
        fraction: [y, x], 0 to 1. Not changed.

    Returns:
        [y, x], 0 to 1; parts that hold nothing of what was above one half before are left out.

    Raises:
        InputError: OpenCV is not installed.
    """
    inside = fraction > 0.5
    if not inside.any() or inside.all():
        return fraction
    cv2 = need("cv2")
    box = _box(inside, int(BAND + 2 * _NEAR))
    inside, part = inside[box], np.ascontiguousarray(fraction[box])
    bins = grey[box].astype(np.intp) * _BINS // 256
    distance = _signed_distance(inside)
    ratio = np.log(_likelihood(bins, part)) - np.log(_likelihood(bins, 1 - part))
    logit = distance / _SLACK + _WEIGHT * np.clip(ratio, -_MOST, _MOST)
    decided = np.where(np.abs(distance) <= BAND, 1 / (1 + np.exp(-logit)), inside).astype(np.float32)
    decided = cv2.GaussianBlur(decided, (0, 0), 1.0)
    _, parts = cv2.connectedComponents((decided > 0.5).astype(np.uint8), connectivity=4)
    known = np.unique(parts[inside])
    decided[(parts > 0) & ~np.isin(parts, known)] = 0
    out = np.zeros_like(fraction)
    out[box] = decided
    return out


def _box(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Rows and columns that hold a mask, with a margin."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def _signed_distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels from each pixel's middle to the contour, positive inside."""
    cv2 = need("cv2")
    within, beyond = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (inside, ~inside)
    )
    return np.asarray(np.where(inside, within - 0.5, 0.5 - beyond), np.float32)


def _likelihood(bins: NDArray[np.intp], weights: Fraction) -> NDArray[np.float32]:
    """How common each pixel's grey value is among the weighted pixels near it, above 0."""
    cv2 = need("cv2")
    counts = np.zeros((*bins.shape, _BINS), np.float32)
    np.put_along_axis(counts, bins[..., None], weights[..., None], axis=2)
    near = cv2.GaussianBlur(counts, (0, 0), _NEAR, borderType=cv2.BORDER_CONSTANT)
    places = np.arange(_BINS)
    kernel = np.exp(-((places[:, None] - places) ** 2) / (2 * _BLUR**2)).astype(np.float32)
    kernel /= kernel.sum(1, keepdims=True)
    total = near.sum(axis=2)
    # only the pixel's own bin is asked for: a row of the smoothing kernel on its histogram
    own = np.einsum("yxb,yxb->yx", near, kernel[bins])
    return np.asarray((own + 1e-3 / _BINS * np.maximum(total, 1e-6)) / np.maximum(total, 1e-6), np.float32)
