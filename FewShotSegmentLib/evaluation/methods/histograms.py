r"""A contour decided anew by what is bright and dark on either side of it.

A pixel near the contour is inside as far as the fraction f says so, and as far as its grey value g is commoner inside
than outside *near it*:

.. math:: \operatorname{logit} f'(x) = \operatorname{logit} f(x) + w \ln \frac{h_{in}(g \mid x)}{h_{out}(g \mid x)} - b,

h the histograms of the fraction and of what it leaves, each pixel weighted by a Gaussian about x. After localised
region competition (Lankton and Tannenbaum, IEEE Trans. Image Process. 2008), with histograms in place of means and one
step in place of an evolution.

Every decision adds a little to what is inside. Where slices are thick that mends what the flow has lost; over fifty
thin ones it lets an organ run out of its place. So w is smaller the closer the slices lie, and b keeps the area as the
flow has left it unless they are far apart. Mean Dice of the whole volume from one annotated slice, 31 structures of six
sources, with the flow alone, with w = 0.5 and b = 0 throughout (and the signed distance for logit f), and as it is now:
heart MR (8 mm) 0.904, 0.914, 0.911; head and neck CT (2.5 to 3 mm) 0.349, 0.081, 0.385; all six 0.647, 0.575, 0.656.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Fraction, need

FAR_MM = 6.0
"""Distance of slices from which areas may change freely, and up to which grey values count for less."""
BAND = 3.0
"""Distance from the contour, in pixels, up to which pixels are decided anew."""
_UNSURE = 0.02
"""No fraction is surer than this of either side, so that grey values have a say."""
_NEAR = 8.0
"""Standard deviation of the Gaussian about a pixel, in pixels."""
_BINS = 32
_BLUR = 1.0
"""Standard deviation, in bins, with which histograms are smoothed."""
_MOST = 3.0
"""Bound on the logarithm of the ratio: few pixels prove nothing."""


def refine(grey: NDArray[np.uint8], fraction: Fraction, apart_mm: float = FAR_MM) -> Fraction:
    """Decide the contour of a fraction anew.

    Args:
        grey: [y, x], the slice.
        fraction: [y, x], 0 to 1. Not changed.
        apart_mm: distance to the slice that the fraction came from.

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
    band = np.abs(_signed_distance(inside)) <= BAND
    ratio = np.log(_likelihood(bins, part)) - np.log(_likelihood(bins, 1 - part))
    given = np.clip(part, _UNSURE, 1 - _UNSURE)
    logit = np.log(given / (1 - given)) + min(1.0, apart_mm / FAR_MM) * np.clip(ratio, -_MOST, _MOST)
    if apart_mm < FAR_MM:
        logit -= _bias(logit[band], int(np.count_nonzero(inside & band)))
    decided = np.where(band, 1 / (1 + np.exp(-logit)), part).astype(np.float32)
    _, parts = cv2.connectedComponents((decided > 0.5).astype(np.uint8), connectivity=4)
    decided[(parts > 0) & ~np.isin(parts, np.unique(parts[inside]))] = 0
    out = np.zeros_like(fraction)
    out[box] = decided
    return out


def _bias(logits: NDArray[np.float32], count: int) -> float:
    """What to take off so that `count` logits are above 0; 0 where none or all of them shall be."""
    falling = np.sort(logits)[::-1]
    return float(falling[count - 1] + falling[count]) / 2 if 0 < count < len(falling) else 0.0


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
