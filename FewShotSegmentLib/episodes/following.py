"""A superpixel followed from slice to slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .training_volume import TrainingVolume

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FollowSettings:
    """When a 2D superpixel counts as the same structure on the next slice. Supervoxels need none of it.

    Attributes:
        same_above: overlap (intersection over union) from which it is the same as on the last slice. At 0.5 two
            fifths of the superpixels of five real volumes are still known after three slices, at 0.6 a third.
        gone_below: overlap below which nothing on the slice resembles it.
        changed_above: by how many deviations of the volume the mean value in its place must have changed as well: then
            the structure has ended. In all other cases (two superpixels that became one) nobody can tell, and the
            masks from there on are unknown.
    """

    same_above: float = 0.5
    gone_below: float = 0.2
    changed_above: float = 0.5

    def __post_init__(self) -> None:
        if self.changed_above < 0:
            raise InputError(f"A change of {self.changed_above} deviations cannot be; give 0 or more.")
        if not 0 <= self.gone_below <= self.same_above < 1:
            raise InputError(
                f"The overlaps {self.gone_below} (gone) and {self.same_above} (same) must lie in this order between "
                "0 and 1."
            )


class Followed(NamedTuple):
    """A structure on consecutive slices, outwards from the one it was found on.

    Attributes:
        masks: bool [h, w] each; empty past the structure's end, and where unknown.
        known: how many of the masks, from the first on, can be relied upon.
    """

    masks: list[Mask]
    known: int

    @property
    def last(self) -> int:
        """Place in `masks` of the last slice that shows the structure."""
        return max(place for place, mask in enumerate(self.masks[: self.known]) if mask.any())


def follow(
    volume: TrainingVolume, index: int, superpixel: int, step: int, count: int, settings: FollowSettings
) -> Followed:
    """Follow a superpixel of slice `index` upwards or downwards.

    A supervoxel (`volume.dimensions` 3) has the same number on all slices; a gap in it is not bridged: past its first
    slice without it, it has ended, and what comes back later is unknown. A 2D superpixel goes on as the superpixel of
    the next slice that overlaps it most, with all that lie in it by more than half, since cuts come and go.

    Args:
        volume: with superpixels.
        index: slice to start from.
        superpixel: its number there.
        step: +1 or −1.
        count: slices wanted, the first included; fewer where the volume ends.
        settings: overlaps for 2D superpixels.

    Raises:
        InputError: the slice has no such superpixel.
    """
    labels, images = volume.superpixels.numpy(), volume.slices.numpy()
    mask: Mask = labels[index] == superpixel
    if superpixel < 1 or not mask.any():
        raise InputError(f"Slice {index} of {volume.name} has no superpixel {superpixel}.")
    masks, known, ended = [mask], 1, False
    nothing = np.zeros_like(mask)
    for place in range(1, count):
        at = index + step * place
        if not 0 <= at < len(labels):
            break
        if volume.dimensions == 3:
            mask = labels[at] == superpixel
            here = bool(mask.any())
            if ended and here:
                break
            ended = ended or not here
        elif not ended:
            found, overlap = _most_alike(labels[at], mask)
            if overlap < settings.same_above:
                change = abs(float(images[at][mask].mean()) - float(images[at - step][mask].mean()))
                if overlap >= settings.gone_below or change <= settings.changed_above:
                    break
                found, ended = nothing, True
            mask = found
        masks.append(mask)
        known += 1
    inside = min(count, index + 1 if step < 0 else len(labels) - index)
    return Followed(masks + [nothing] * (inside - known), known)


def _most_alike(labels: NDArray[np.int32], mask: Mask) -> tuple[Mask, float]:
    """What the structure under a mask is on another slice: superpixels, and their intersection over union with it."""
    shared = np.bincount(labels[mask])
    shared[0] = 0
    if not shared.any():
        return np.zeros_like(mask), 0.0
    areas = np.bincount(labels.ravel())
    shared = np.pad(shared, (0, len(areas) - len(shared)))
    own = np.count_nonzero(mask)
    chosen = 2 * shared > areas
    chosen[(shared / (areas + own - shared)).argmax()] = True
    both = int(shared[chosen].sum())
    return chosen[labels], both / (own + int(areas[chosen].sum()) - both)
