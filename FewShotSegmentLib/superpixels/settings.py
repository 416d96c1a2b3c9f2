"""How superpixels are made: every number, with where it comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from ..errors import InputError

METHODS = ("felzenszwalb", "slic", "quickshift")

FORMAT = 1
"""Goes up when the same settings give other superpixels, so that nothing made before is taken for theirs."""

_PIXELS = 400
_CUBIC_MM = 12_500.0
"""Smallest supervoxel: the 1000 voxels of 1.25 × 1.25 × 8 mm of ADNet (Hansen et al., 2022) on heart MR. In mm³, since
voxels differ by a factor of 100 between scanners. Its 5000 on abdominal MR are 60 000 mm³."""

_PIECES = 3.5
"""An average superpixel in smallest ones, where their number is not given: what the published settings give (median
1408 pixels with at least 400)."""


@dataclass(frozen=True)
class SuperpixelSettings:
    """How superpixels are made; by default as published for SSL-ALPNet and DSPNet (Ouyang et al., ECCV 2020).

    Attributes:
        method: "felzenszwalb" (Felzenszwalb and Huttenlocher, IJCV 2004), "slic" (Achanta et al., PAMI 2012) or
            "quickshift" (Vedaldi and Soatto, ECCV 2008), which works on slices only.
        dimensions: 2 cuts each slice by itself, 3 the whole volume into supervoxels.
        scale: felzenszwalb: larger values join more. At 1 the smallest size decides nearly alone.
        sigma: width of the smoothing before the cut, in the finest voxel's size; it is as wide in mm along all axes.
        min_size: smallest superpixel in pixels (supervoxel in voxels); None for 400 pixels, or 12 500 mm³ in 3D.
        min_size_mm: the same in mm² (mm³), for each volume by its spacing; instead of `min_size`.
        segments: slic: superpixels of a slice (supervoxels of a volume); None for as many as let them be 3.5 times the
            smallest size on average.
        compactness: slic: larger values make them rounder. Intensities are 0 to 1 there.
        ratio: quickshift: weight of intensity (0 to 1) against place.
        kernel_size: quickshift: width of the density estimate in pixels.
        max_dist: quickshift: farthest two points of one superpixel are linked over.

    Raises:
        InputError: a value that cannot be.
    """

    method: str = "felzenszwalb"
    dimensions: int = 2
    scale: float = 1.0
    sigma: float = 1.0
    min_size: int | None = None
    min_size_mm: float | None = None
    segments: int | None = None
    compactness: float = 0.1
    ratio: float = 1.0
    kernel_size: float = 5.0
    max_dist: float = 10.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"There is no superpixel method “{self.method}”; use one of {', '.join(METHODS)}.")
        if self.dimensions not in (2, 3):
            raise InputError(f"Superpixels are made in 2 or 3 dimensions, not in {self.dimensions}.")
        if self.method == "quickshift" and self.dimensions == 3:
            raise InputError("Quickshift works on slices only; use felzenszwalb or slic for supervoxels.")
        if self.min_size is not None and self.min_size_mm is not None:
            raise InputError("The smallest size is given twice, in pixels and in mm; give one of the two.")
        if self.segments is not None and self.method != "slic":
            raise InputError(f"The number of segments belongs to slic, not to {self.method}; give the smallest size.")
        for name, value in self._numbers().items():
            least_is_zero = name in ("scale", "sigma")
            if not math.isfinite(value) or value < 0 or (value == 0 and not least_is_zero):
                words = name.replace("_", " ")
                raise InputError(
                    f"The {words} of superpixels must be {'0 or ' * least_is_zero}more than 0, not {value}."
                )

    def _numbers(self) -> dict[str, float]:
        every = asdict(self)
        return {k: v for k, v in every.items() if k not in ("method", "dimensions") and v is not None}

    def smallest(self, spacing: Sequence[float], axis: int = 0) -> int:
        """Smallest superpixel in pixels, or supervoxel in voxels; at least 1.

        Args:
            spacing: voxel size in mm, array order.
            axis: array axis across the slices.
        """
        if self.min_size is not None:
            return self.min_size
        if self.min_size_mm is None and self.dimensions == 2:
            return _PIXELS
        return max(1, round((self.min_size_mm or _CUBIC_MM) / self.voxel_mm(spacing, axis)))

    def voxel_mm(self, spacing: Sequence[float], axis: int = 0) -> float:
        """Area of a pixel in mm² (2D) or volume of a voxel in mm³ (3D)."""
        return math.prod(s for a, s in enumerate(spacing) if self.dimensions == 3 or a != axis)

    def pieces(self, voxels: int, smallest: int) -> int:
        """How many superpixels slic is to cut a body of this many pixels into; at least 1."""
        wanted = self.segments if self.segments is not None else round(voxels / (_PIECES * smallest))
        return max(1, min(wanted, voxels))

    def as_dict(self) -> dict[str, Any]:
        """All settings, fit for JSON."""
        return asdict(self)

    def digest(self) -> str:
        """12 hexadecimal digits that differ where settings (or the way they are used) differ."""
        numbers = {k: float(v) for k, v in self._numbers().items()}  # 1 and 1.0 are one setting
        text = json.dumps([FORMAT, self.method, self.dimensions, numbers], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:12]
