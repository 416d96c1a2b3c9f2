"""A case as the transfer takes it: voxels with their place in the world, and supports made of annotated slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk
from cases import Case
from pairs import Pair

from FewShotSegmentLib.evaluation.protocols.supports import MIN_SLICES, anchor_slices

# Protocol → how many slices of the support's structure are annotated.
PROTOCOLS = {"one": 1, "three": 3}


@dataclass
class Volume:
    """One case, read.

    Attributes:
        case: which one.
        image: [z, y, x], as in the file.
        labels: of the same shape.
    """

    case: Case
    image: np.ndarray
    labels: np.ndarray

    @classmethod
    def read(cls, case: Case) -> Volume:
        image, labels, _ = case.read()
        return cls(case, image, labels)

    @property
    def modality(self) -> str:
        return self.case.modality.lower()

    @cached_property
    def geometry(self):
        """Where it lies, from the header of its file."""
        from FewShotSegmentLib.images import Geometry

        header = sitk.ImageFileReader()
        header.SetFileName(str(self.case.folder / f"{self.case.name}_image.nii.gz"))
        header.ReadImageInformation()
        return Geometry.of_image(header)

    @cached_property
    def scale(self):
        """Of its values, as for a support that a user collects."""
        from FewShotSegmentLib import Settings
        from FewShotSegmentLib.preprocessing import normalise

        return normalise(self.image, self.geometry.spacing[1:], self.modality, Settings()).scale

    def mask(self, name: str) -> np.ndarray:
        """bool [z, y, x] of a structure."""
        value = next(value for value, own in self.case.labels.items() if own == name)
        return self.labels == value

    def slices(self, name: str) -> np.ndarray:
        """Sorted indices of the slices that hold a structure."""
        return np.flatnonzero(self.mask(name).any(axis=(1, 2)))

    def support(self, name: str, indices: Sequence[int]):
        """A structure with these slices annotated, as `collect_supports` makes it."""
        from FewShotSegmentLib.support import Support, SupportSlice
        from FewShotSegmentLib.support.collect import volume_id
        from FewShotSegmentLib.support.slices import slice_geometry

        mask = self.mask(name)
        slices = tuple(
            SupportSlice(
                np.array(self.image[z], np.float32), mask[z], slice_geometry(self.geometry, 0, z), z, len(self.image)
            )
            for z in indices
        )
        identity = volume_id(self.image)
        return Support(name, (1.0, 0.0, 0.0), {}, self.modality, self.scale, slices, identity, None, "2000-01-01")


@dataclass
class Scene:
    """A pair, read: what may be shown of the support, and the query with its reference.

    Attributes:
        pair: which one.
        support: the annotated volume.
        query: the other patient's.
        names: the structures to be found.
    """

    pair: Pair
    support: Volume
    query: Volume
    names: list[str]

    def supports(self, protocol: str) -> dict:
        """{structure: support with the protocol's slices}."""
        return {name: self.support.support(name, self._annotated(protocol, name)) for name in self.names}

    def _annotated(self, protocol: str, name: str) -> tuple[int, ...]:
        return anchor_slices(self.support.slices(name), PROTOCOLS[protocol])


def scenes(pairs: Sequence[Pair], left_out: list[str]) -> Iterator[Scene]:
    """The pairs, one read at a time; structures too thin in either volume go to `left_out`, in words."""
    for pair in pairs:
        support, query = Volume.read(pair.support), Volume.read(pair.query)
        names = []
        for name in pair.names:
            counts = {volume.case.name: len(volume.slices(name)) for volume in (support, query)}
            thin = [f"{count} slices in {case}" for case, count in counts.items() if count < MIN_SLICES]
            if thin:
                left_out.append(f"{pair.title} {name}: {', '.join(thin)}, fewer than {MIN_SLICES}")
            else:
                names.append(name)
        if names:
            yield Scene(pair, support, query, names)
