"""Where the patient is, slice by slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .extras import need
from .intensity import CT_WINDOW, GreyScale, grey_scale

_MR_ABOVE = 50.0
_MR_SHARE = 0.5
_LIMB = 0.1
"""Smallest further piece that is kept, in the largest one's area; a CT's table, a thin line, is smaller."""


def body_mask(image: NDArray[np.generic], modality: str, axis: int = 0) -> NDArray[np.bool_]:
    """Find the body: above a threshold, the largest piece of each slice, its holes filled.

    CT's threshold is the published one, −125 HU. For MR the published one is 50 of 255, which loses much of the body
    where fat or a coil's neighbourhood is far brighter than the rest: on 35 of 70 MR volumes it kept less than 0.8 of
    what is kept here, on heart MR down to 0.20. So it is at most half of Otsu's threshold, taken of the intensities'
    roots over the whole volume. Beside the largest piece, others of at least a tenth of its size stay: of two legs the
    published rule drops one, and of a chest the heart where lungs and a weak signal cut it off.

    Args:
        image: [z, y, x], any real type.
        modality: "ct" (values in HU) or "mr".
        axis: array axis across the slices.

    Returns:
        bool, of the image's shape.

    Raises:
        InputError: values that are not finite, no contrast, or a package is missing.
    """
    return find_body(image, modality, axis, grey_scale(image, modality))


def find_body(image: NDArray[np.generic], modality: str, axis: int, scale: GreyScale) -> NDArray[np.bool_]:
    """`body_mask` for a volume whose scale is known."""
    above = CT_WINDOW[0] if modality == "ct" else _mr_threshold(image, scale)
    body = np.zeros(image.shape, bool)
    for slice_, piece in zip(np.moveaxis(image, axis, 0), np.moveaxis(body, axis, 0), strict=True):
        piece[:] = _clean(slice_.astype(np.float64) > above)
    return body


def _mr_threshold(image: NDArray[np.generic], scale: GreyScale) -> float:
    """In the image's own values."""
    roots = np.sqrt(scale.apply(image))
    bright = roots > need("skimage.filters").threshold_otsu(roots)
    # between the two means: where nothing lies between air and body, Otsu's own is at the air's very edge
    otsu = float((roots[bright].mean() + roots[~bright].mean()) / 2) ** 2
    return scale.low + min(_MR_ABOVE, _MR_SHARE * otsu) / 255.0 * (scale.high - scale.low)


def _clean(slice_: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece, and others nearly as large, without holes."""
    ndimage = need("scipy.ndimage")
    pieces, _ = ndimage.label(slice_)
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    kept = areas >= max(1.0, _LIMB * areas.max())
    return np.asarray(ndimage.binary_fill_holes(kept[pieces]), bool)
