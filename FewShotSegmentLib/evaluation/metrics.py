"""How good a mask is: overlap, surface distances and volume, beside a reference.

Overlap and volume are sums over slices, so annotated slices can be left out of them. Surfaces cannot be cut without
making new ones, so surface metrics are of the whole masks, annotated slices included: in a protocol with many
annotated slices they look better than what was carried between them is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .case import Mask
from .row import METRICS

Scope = Literal["whole", "extent"]
"""Which slices count: all, or those from the reference's first to its last."""


def measure(
    prediction: Mask,
    reference: Mask,
    spacing: tuple[float, float, float],
    *,
    given: Collection[int] = (),
    tolerance_mm: float = 2.0,
    scope: Scope = "whole",
) -> dict[str, float | None]:
    """All metrics of one mask.

    - dice, iou, precision, recall: 0 to 1, of the voxels of all slices together, `given` ones left out.
    - dice_extent: Dice of the slices from the reference's first to its last, `given` ones left out.
    - volume_error: (predicted − reference) / reference volume, `given` slices left out; negative where too little was
      found.
    - hausdorff_mm, hd95_mm: the largest distance between the surfaces, and that within which 95 % of the surface lies,
      the larger of both directions.
    - asd_mm: average distance from the predicted to the reference surface and from the reference to the predicted one,
      each weighted by area; the mean of the two.
    - nsd: normalised surface Dice, 0 to 1: the share of both surfaces that lies within `tolerance_mm` of the other.

    Surface metrics are of the whole masks, with surface elements weighted by area: S. Nikolov et al., “Clinically
    applicable segmentation of head and neck anatomy for radiotherapy”, J Med Internet Res 23(7), 2021, with the
    authors' package surface-distance. There a surface goes through the corners of voxels, half a voxel from their
    centres, and a mask that touches the volume's border has a surface there too.

    Where the reference is empty once `given` slices are left out, overlap and volume are not defined: None. Where only
    the prediction is, dice, iou and recall are 0, precision is None and volume_error is −1. Where one whole mask is
    empty, distances are inf and nsd is 0; where both are, None.

    Args:
        prediction: bool [z, y, x]. Not changed.
        reference: bool [z, y, x]. Not changed.
        spacing: voxel size in mm, (z, y, x).
        given: indices of slices that were annotated, along z.
        tolerance_mm: for nsd; 0 or more.
        scope: "extent" ignores what was predicted before the reference's first and behind its last slice, in all
            metrics, as the published protocols do; then an empty reference makes all metrics None.

    Returns:
        {name: value} of all `METRICS`, in their order; plain floats.

    Raises:
        InputError: the tolerance is no distance, or the package surface-distance is missing.
        ValueError: the masks' shapes differ, or `scope` is unknown.
    """
    if not (isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise InputError(f"The tolerance of the surface Dice has to be 0 mm or more, not {tolerance_mm}.")
    if scope not in ("whole", "extent"):
        raise ValueError(f"unknown scope {scope!r}")
    prediction, reference = np.asarray(prediction, bool), np.asarray(reference, bool)
    counts = _count(prediction, reference)
    kept = _kept(counts.shape[1], given)
    extent = _span(counts[2] > 0)
    own = _overlap(*counts[:, extent][:, kept[extent]].sum(axis=1).tolist())
    if scope == "extent":
        values, slices = dict(own), extent
    else:
        values, slices = _overlap(*counts[:, kept].sum(axis=1).tolist()), _span(_filled(counts))
    values["dice_extent"] = own["dice"]
    values |= _surfaces(prediction[slices], reference[slices], spacing, tolerance_mm)
    return {name: values[name] for name in METRICS}


def profile(prediction: Mask, reference: Mask, given: Collection[int] = ()) -> tuple[tuple[float, float], ...]:
    """Dice of each slice along the organ, from the reference's first slice to its last.

    Args:
        prediction: bool [z, y, x].
        reference: bool [z, y, x].
        given: indices of slices that were annotated; left out.

    Returns:
        ((place, Dice), …), rising: place 0 is the first slice and 1 the last; 0.5 where there is only one. A gap in the
        reference that is one in the prediction too has no Dice and is left out. Empty without reference.

    Raises:
        ValueError: the masks' shapes differ.
    """
    counts = _count(prediction, reference)
    held = np.flatnonzero(counts[2])
    if not len(held):
        return ()
    first, last = int(held[0]), int(held[-1])
    wanted = _kept(counts.shape[1], given) & _filled(counts)
    dice = _slice_dice(counts)
    return tuple(
        ((index - first) / (last - first) if last > first else 0.5, float(dice[index]))
        for index in range(first, last + 1)
        if wanted[index]
    )


def slice_pairs(
    confidence: Sequence[float] | NDArray[np.floating[Any]],
    prediction: Mask,
    reference: Mask,
    given: Collection[int] = (),
) -> tuple[tuple[float, float], ...]:
    """What a method thinks of each slice beside what the slice is worth.

    Args:
        confidence: [z], 0 to 1.
        prediction: bool [z, y, x].
        reference: bool [z, y, x].
        given: indices of slices that were annotated; left out.

    Returns:
        ((confidence, Dice), …) of the slices where either mask has something, in their order.

    Raises:
        ValueError: the masks' shapes differ, or there are not as many confidences as slices.
    """
    counts = _count(prediction, reference)
    if len(confidence) != counts.shape[1]:
        raise ValueError(f"{len(confidence)} confidences for {counts.shape[1]} slices")
    dice = _slice_dice(counts)
    sure = np.asarray(confidence, float)
    wanted = np.flatnonzero(_kept(counts.shape[1], given) & _filled(counts))
    return tuple((float(sure[index]), float(dice[index])) for index in wanted)


def _count(prediction: Mask, reference: Mask) -> NDArray[np.int64]:
    """Voxels of each slice: [3, z], those in both masks, in the prediction and in the reference."""
    prediction, reference = np.asarray(prediction, bool), np.asarray(reference, bool)
    if prediction.shape != reference.shape or prediction.ndim != 3:
        raise ValueError(f"masks of shapes {prediction.shape} and {reference.shape}")
    # slice by slice: several times as fast as count_nonzero over axes
    counts = np.zeros((3, len(prediction)), np.int64)
    for index, (found, marked) in enumerate(zip(prediction, reference, strict=True)):
        counts[:, index] = np.count_nonzero(found & marked), np.count_nonzero(found), np.count_nonzero(marked)
    return counts


def _kept(slices: int, given: Collection[int]) -> NDArray[np.bool_]:
    """Bool [z] of the slices that were not annotated."""
    return np.isin(np.arange(slices), list(given), invert=True)


def _filled(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bool [z] of the slices where either mask has something."""
    return np.asarray(counts[1:].any(axis=0))


def _span(filled: NDArray[np.bool_]) -> slice:
    """From the first to the last that is True; empty where none is."""
    found = np.flatnonzero(filled)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _slice_dice(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dice of each slice, [z]; 0 where neither mask has anything."""
    both, predicted, marked = counts
    return np.asarray(2 * both / np.maximum(predicted + marked, 1))


def _overlap(both: int, predicted: int, marked: int) -> dict[str, float | None]:
    """Overlap and volume error from numbers of voxels."""
    if not marked:
        return dict.fromkeys(("dice", "iou", "precision", "recall", "volume_error"))
    return {
        "dice": 2 * both / (predicted + marked),
        "iou": both / (predicted + marked - both),
        "precision": both / predicted if predicted else None,
        "recall": both / marked,
        "volume_error": (predicted - marked) / marked,
    }


def _surfaces(
    prediction: Mask, reference: Mask, spacing: tuple[float, float, float], tolerance_mm: float
) -> dict[str, float | None]:
    """Distances between surfaces."""
    names = ("hausdorff_mm", "hd95_mm", "asd_mm", "nsd")
    found, there = bool(prediction.any()), bool(reference.any())
    if not (found and there):
        return dict(zip(names, (inf, inf, inf, 0.0), strict=True)) if found or there else dict.fromkeys(names)
    package = _surface_distance()
    distances = _distances(_surface(reference, spacing), _surface(prediction, spacing), spacing)
    averages = package.compute_average_surface_distance(distances)
    return {
        "hausdorff_mm": float(package.compute_robust_hausdorff(distances, 100)),
        "hd95_mm": float(package.compute_robust_hausdorff(distances, 95)),
        "asd_mm": float(np.mean(averages)),
        "nsd": float(package.compute_surface_dice_at_tolerance(distances, tolerance_mm)),
    }


def _surface(mask: Mask, spacing: tuple[float, float, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Elements of a mask's surface: where, [n, 3] in voxels (corners, not centres), and their areas in mm², [n]."""
    from scipy.ndimage import correlate  # noqa: PLC0415 - optional, and needed by surface-distance too

    tables = _surface_distance().lookup_tables
    box = tuple(_span(np.asarray(mask.any(axis=rest))) for rest in ((1, 2), (0, 2), (0, 1)))
    # one voxel around it, so that the surface is closed at the volume's border too
    corners = correlate(
        np.pad(mask[box].astype(np.uint8), 1), tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL, mode="constant", cval=0
    )
    where = np.argwhere((corners != 0) & (corners != 0b11111111))
    areas = tables.create_table_neighbour_code_to_surface_area(spacing)[corners[tuple(where.T)]]
    return where + [part.start for part in box], areas


def _distances(
    reference: tuple[NDArray[np.int64], NDArray[np.float64]],
    prediction: tuple[NDArray[np.int64], NDArray[np.float64]],
    spacing: tuple[float, float, float],
) -> dict[str, NDArray[np.float64]]:
    """What `surface_distance.compute_surface_distances` returns, to the last digit, but by a tree of points.

    That makes distance maps of the box around both masks: for a liver in CT 10 s, and 30 s with one false voxel far
    away, where the tree takes 2 s; too long for every round of a simulated reader. It also uses names that NumPy 2 no
    longer has and SciPy 2 will not have.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415

    scale = np.asarray(spacing, float)
    found = {}
    for name, own, (points, areas), (others, _) in (
        ("distances_gt_to_pred", "surfel_areas_gt", reference, prediction),
        ("distances_pred_to_gt", "surfel_areas_pred", prediction, reference),
    ):
        nearest = KDTree(others * scale).query(points * scale)[1]
        # from voxels: differences of mm would be off by their last digits, which matters at the tolerance
        lengths = np.sqrt((((points - others[nearest]) * scale) ** 2).sum(axis=1))
        order = np.lexsort((areas, lengths))
        found[name], found[own] = lengths[order], areas[order]
    return found


def _surface_distance() -> Any:
    """The package surface-distance.

    Raises:
        InputError: it is missing.
    """
    try:
        import surface_distance  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError(
            "Distances between surfaces need the package surface-distance: pip install 'fewshotsegment[evaluate]'."
        ) from None
    return surface_distance
