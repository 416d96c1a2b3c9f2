"""What is evaluated: scans with reference labels, whatever files a data set keeps them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..images import Geometry

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scan:
    """One scan, read.

    Attributes:
        image: [z, y, x], with the file's own type; CT in HU.
        labels: integers [z, y, x], 0 where nothing is labelled.
        geometry: where the voxels lie.
        modality: "ct" or "mr".
    """

    image: NDArray[np.generic]
    labels: NDArray[np.integer]
    geometry: Geometry
    modality: str

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm, (z, y, x)."""
        return self.geometry.spacing


@dataclass(frozen=True)
class Case:
    """A scan of a data set that has not been read yet.

    Attributes:
        dataset: the adapter's name, "chaos", "generic", ….
        name: of the scan; unique within the data set, the same on every machine.
        patient: whose scan it is; scans of one patient never support each other.
        modality: "ct" or "mr".
        organs: {name: value in `Scan.labels`}, in the data set's order.
        load: reads it; can be pickled, so that cases go to other processes.
        group: part of the data set that means are taken over first ("msd-pancreas", "limb tumour MR"); "" for none.
    """

    dataset: str
    name: str
    patient: str
    modality: str
    organs: Mapping[str, int]
    load: Callable[[], Scan] = field(compare=False)
    group: str = ""

    def read(self) -> Scan:
        """Read image and labels.

        Raises:
            InputError: a file is missing, damaged, or does not fit the other.
        """
        return self.load()

    def mask(self, scan: Scan, organ: str) -> Mask:
        """Bool [z, y, x] of an organ."""
        return np.asarray(scan.labels == self.organs[organ])
