"""How the tissues look: grey values for CT and MR, texture, partial volume and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .anatomy import Tissue
from .shapes import smooth_noise

# Tissue: (CT in HU, standard deviation of its texture in HU, MR like a T2-weighted image in arbitrary units).
_LOOK: dict[Tissue, tuple[float, float, float]] = {
    Tissue.AIR: (-1000, 0, 0),
    Tissue.SKIN: (20, 6, 160),
    Tissue.FAT: (-100, 9, 300),
    Tissue.MUSCLE: (60, 9, 130),
    Tissue.MARROW: (190, 35, 300),
    Tissue.BONE: (480, 60, 40),
    Tissue.DISC: (85, 6, 230),
    Tissue.CORD: (25, 5, 480),
    Tissue.LUNG: (-850, 25, 15),
    Tissue.LUNG_VESSEL: (-250, 60, 60),
    Tissue.HEART: (130, 14, 110),
    Tissue.BOWEL_WALL: (75, 10, 230),
    Tissue.BOWEL: (25, 22, 400),
    Tissue.GAS: (-920, 20, 8),
    Tissue.VEIN: (155, 8, 60),
    Tissue.BILE: (8, 3, 690),
    Tissue.LIVER: (110, 6, 210),
    Tissue.LIVER_VESSEL: (158, 5, 110),
    Tissue.SPLEEN: (120, 5, 400),
    Tissue.CORTEX: (182, 8, 430),
    Tissue.MEDULLA: (150, 10, 520),
    Tissue.STOMACH_WALL: (80, 8, 200),
    Tissue.FLUID: (18, 12, 640),
    Tissue.AORTA: (182, 4, 45),
    Tissue.PANCREAS: (95, 14, 260),
}


def _table(column: int) -> NDArray[np.float32]:
    return np.array([_LOOK[tissue][column] for tissue in Tissue], dtype=np.float32)


def _to_int16(image: NDArray[np.float32], low: int, high: int) -> NDArray[np.int16]:
    return np.clip(np.rint(image), low, high).astype(np.int16)


def render(
    tissue: NDArray[np.uint8], modality: str, spacing: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.int16]:
    """Turn tissues into a CT in HU or an MR in arbitrary units.

    Args:
        tissue: uint8 [z, y, x] of `Tissue`.
        modality: ``ct`` or ``mr``.
        spacing: Voxel size (z, y, x) in mm, which sets how far the scanner blurs in voxels.
        rng: Source of texture and noise.

    Returns:
        int16 [z, y, x]: HU −1024 … 1500 for CT, 0 … 900 for MR.
    """
    ct = modality == "ct"
    image = _table(0 if ct else 2)[tissue]
    texture = 0.8 * smooth_noise(tissue.shape, 26, rng) + 0.6 * rng.standard_normal(tissue.shape).astype(np.float32)
    spread = _table(1)[tissue] if ct else 0.07 * image
    image = image + texture * spread
    # The slice profile and the kernel: about 0.8 of a slice and 2 mm in-plane at full width.
    blur = (0.35, min(0.9 * 2.2 / spacing[1], 1.2) * 0.75, min(0.9 * 2.2 / spacing[2], 1.2) * 0.75)
    image = gaussian_filter(image, blur, mode="nearest")
    grain = (0.0, 0.6, 0.6)
    if ct:
        noise = gaussian_filter(rng.standard_normal(tissue.shape).astype(np.float32), grain)
        image = image + 11 * noise / noise.std()
        return _to_int16(image, -1024, 1500)
    # Coils see the near side brighter; magnitude images have no negative noise (Rician).
    image = image * (1 + 0.1 * smooth_noise(tissue.shape, 140, rng))
    real, imaginary = (gaussian_filter(rng.standard_normal(tissue.shape).astype(np.float32), grain) for _ in range(2))
    scale = 11 / real.std()
    image = np.hypot(image + scale * real, scale * imaginary)
    return _to_int16(image, 0, 900)
