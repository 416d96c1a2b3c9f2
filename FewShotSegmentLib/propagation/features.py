"""The feature store: every slice of a volume is encoded once, within a bound on memory."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..networks import Propagator, SliceFeatures
from ..preprocessing import Window, WindowedVolume


class FeatureStore:
    """Encodes slices on demand and keeps what is wanted again: on one sweep's way back, or in sweeps to come.

    All upward runs come first and ask for slices in rising order, then all downward runs in falling order; so what is
    kept on the way up is wanted last in, first out, and of what is kept for sweeps to come the slices last worked on
    are the likeliest: when the bound is reached, the slice that was used longest ago is let go. Features are kept in
    half precision without the finest level, which is nearly free to compute again: 2.9 MB a slice of 256 × 256, where
    the decoder works with over 30. What is used is always what would have been kept, so that a result does not depend
    on whether a slice was still there.

    Attributes:
        network: whose encoder is used.
        device: where features are computed and kept.
        encoded: how many slices have been encoded, repeats included.
    """

    def __init__(
        self,
        network: Propagator,
        device: torch.device,
        wanted_again: Iterable[int] | None,
        cache_bytes: int,
    ):
        """Make an empty store.

        Args:
            network: the encoder's owner.
            device: where to compute and keep.
            wanted_again: slices of one sweep that will be asked for on the way down too; None keeps all, for any
                number of sweeps.
            cache_bytes: bound on what is kept.
        """
        self.network = network
        self.device = device
        self._wanted_again = None if wanted_again is None else set(wanted_again)
        self._room = cache_bytes
        self._kept: dict[tuple[Window, int], list[Tensor]] = {}
        self.encoded = 0

    def get(self, view: WindowedVolume, index: int) -> tuple[Tensor, SliceFeatures]:
        """Image [1, 1, h, w] and features of slice `index` as a window shows it."""
        image = view.image(index, self.device).contiguous(memory_format=torch.channels_last)
        encoder = self.network.image_encoder
        stem = encoder.stem(image)
        deep = self._kept.pop((view.window, index), None)
        if deep is None:
            deep = [level.half() for level in encoder.deepen(stem)]
            self.encoded += 1
        else:
            self._room += _bytes(deep)
        if self._wanted_again is None or index in self._wanted_again:
            self._keep((view.window, index), deep)
        return image, self.network.project([stem, *(level.float() for level in deep)])

    @property
    def kept_bytes(self) -> int:
        """Bytes of features that are kept now."""
        return sum(_bytes(levels) for levels in self._kept.values())

    def on_the_way_back(self) -> None:
        """Say that the downward runs begin: what one sweep has used from now on needs not be kept."""
        if self._wanted_again is not None:
            self._wanted_again.clear()

    def _keep(self, place: tuple[Window, int], deep: list[Tensor]) -> None:
        """Keep a slice as the one used last; the dictionary is in the order of use."""
        self._room -= _bytes(deep)
        self._kept[place] = deep
        while self._room < 0:
            self._room += _bytes(self._kept.pop(next(iter(self._kept))))


def _bytes(levels: list[Tensor]) -> int:
    return sum(level.numel() * level.element_size() for level in levels)
