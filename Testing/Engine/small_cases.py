"""A small generated organ, and files of it on any geometry."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


@dataclass
class Organ:
    """A bright, tilted ellipsoid in a noisy body, [z, y, x]."""

    image: np.ndarray
    mask: np.ndarray

    def anchors(self, *indices, axis=0):
        stack = np.moveaxis(self.mask, axis, 0)
        return {i: stack[i] for i in indices}


def make_organ(shape=(14, 48, 56), center=None, radii=None, seed=0):
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    cz, cy, cx = center or [(n - 1) / 2 for n in shape]
    rz, ry, rx = radii or [0.36 * shape[0], 0.24 * shape[1], 0.2 * shape[2]]
    tilt = (z - cz) * 0.6
    mask = ((z - cz) / rz) ** 2 + ((y - cy - tilt) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
    body = ((y - shape[1] / 2) / (0.48 * shape[1])) ** 2 + ((x - shape[2] / 2) / (0.48 * shape[2])) ** 2 < 1
    image = np.where(body, 40.0, -100.0) + 90.0 * mask + rng.normal(0, 6, shape)
    return Organ(image.astype(np.int16), mask)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


OBLIQUE = np.array([[0.9, -0.3, 0.1], [0.25, 0.85, 0.4], [-0.2, -0.33, 0.9]])
"""Made orthonormal below; with one axis turned round it is left-handed."""


def direction(oblique=False, left_handed=False):
    matrix = np.linalg.qr(OBLIQUE)[0] if oblique else np.eye(3)
    if (np.linalg.det(matrix) < 0) != left_handed:
        matrix[:, 0] *= -1
    return matrix


def to_image(array, spacing=(1.0, 1.0, 3.0), origin=(-40.0, 25.0, 300.0), matrix=None):
    """SimpleITK image of [z, y, x]; spacing and origin as x, y, z."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection((np.eye(3) if matrix is None else matrix).ravel().tolist())
    return image


def write(path, array, **geometry):
    sitk.WriteImage(to_image(array, **geometry), str(path))
    return path


def write_series(folder, array, uid="1.2.826.0.1.3680043.2.1125.1", modality="CT", spacing=2.0, shift=0.0, prefix="a"):
    """A minimal series, one file per slice, with positions along z (and `shift` mm sideways per slice)."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z, pixels in enumerate(array):
        image = sitk.GetImageFromArray(pixels)
        image.SetSpacing((0.8, 0.8))
        tags = {
            "0008|0060": modality,
            "0008|103e": f"series {prefix}",
            "0020|000e": uid,
            "0020|000d": "1.2.826.0.1.3680043.2.1125.9",
            "0008|0018": f"{uid}.{z + 1}",
            "0020|0013": str(z + 1),
            "0020|0032": f"{-20 + z * shift}\\-15\\{100 + z * spacing}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0018|0050": str(spacing),
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{prefix}{len(array) - z:03}.dcm"))  # names in another order than positions
        writer.Execute(image)
    return folder
