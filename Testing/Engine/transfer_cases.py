"""Supports and turned volumes, for the tests of the transfer."""

from itertools import permutations, product
from pathlib import Path

import numpy as np

from FewShotSegmentLib import Settings
from FewShotSegmentLib.images import Annotation, Geometry, Segment, Volume
from FewShotSegmentLib.support import collect_supports

SETTINGS = Settings(long_side=96, window_size=64, refiner_size=48)  # as the engine's of these tests


TURNS = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]


def support_of(image, mask, indices, geometry, axis=0, modality="ct"):
    """A support of some slices of a mask."""
    drawn = np.zeros(mask.shape, bool)
    for index in indices:
        np.moveaxis(drawn, axis, 0)[index] = np.moveaxis(mask, axis, 0)[index]
    volume = Volume(image, geometry, None, Path("v.nrrd"))
    annotation = Annotation([Segment("organ", (1.0, 0.0, 0.0), 1, {}, drawn, 1)], geometry, {}, Path("a.nrrd"))
    ((support,), _) = collect_supports(volume, annotation, axis=axis, modality=modality, settings=SETTINGS)
    return support


def turned(array, geometry, order, flips):
    """The same voxels of the world, in another order."""
    lps = np.eye(4)
    for a in range(3):
        lps[:3, 2 - a] = geometry.ijk_to_lps[:3, 2 - order[a]] * (-1 if flips[a] else 1)
    out = np.ascontiguousarray(np.flip(array.transpose(order), [a for a in range(3) if flips[a]]))
    return out, Geometry(out.shape, lps)


def back(array, order, flips):
    return np.flip(array, [a for a in range(3) if flips[a]]).transpose(np.argsort(order))


def one(transfer, image, geometry, supports, **options):
    return transfer.run(image, geometry, {"organ": supports}, **{"modality": "ct", **options})["organ"]
