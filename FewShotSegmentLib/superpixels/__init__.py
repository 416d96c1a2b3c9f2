"""Superpixels and supervoxels: pieces of like intensity that stand in for annotations in self-supervised training.

    found = make_superpixels(image, spacing, "ct", SuperpixelSettings())
    found.labels, found.body, found.counts

`settings` says how, `body` and `intensity` what is looked at, `methods` and `graph` cut it up, `make` puts these
together, `cache` keeps what was made, `job` goes from files to files (`files`, `picture`, `workers`). scikit-image,
scipy and matplotlib are imported when they are used.
"""

from __future__ import annotations

from .body import body_mask
from .cache import SuperpixelCache
from .job import SuperpixelJob
from .make import SuperpixelMap, make_superpixels
from .settings import METHODS, SuperpixelSettings

__all__ = [
    "METHODS",
    "SuperpixelCache",
    "SuperpixelJob",
    "SuperpixelMap",
    "SuperpixelSettings",
    "body_mask",
    "make_superpixels",
]
