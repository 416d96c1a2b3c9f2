"""Optical flow from slice to slice, the mask warped along, its contour decided anew by local histograms.

The flow is OpenCV's DIS (Kroeger et al., “Fast optical flow using dense inverse search”, ECCV 2016), its preset
“medium”. `histograms` says how the contour is decided.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...settings import Settings
from ..method import Across, Answer, Recipe, Volume, Within
from .base import Base, Fraction, Last, grey_range, need, soft_tissue, to_grey
from .chain import carry
from .framing import FramedPair, Framing
from .histograms import FAR_MM, refine

_LEAST_SIDE = 16
"""Pixels a side below which DIS does not work; smaller slices are continued at their edges."""


class FlowChain(Base):
    """Optical flow with local histograms, from slice to slice, or from another patient's slice.

    Args:
        recipe: of the method.
        settings: how two patients' volumes are brought into one frame.
        refined: False leaves the contour where the flow has brought it.

    Raises:
        InputError: OpenCV is not installed.
    """

    def __init__(self, recipe: Recipe, settings: Settings | None = None, refined: bool = True):
        super().__init__(
            recipe,
            "DIS optical flow, the mask warped along, its contour decided anew by histograms of grey values; within a "
            "volume from slice to slice until it is empty, each slice from the nearest annotated one",
        )
        self._cv2 = need("cv2")
        self._cv2.setNumThreads(1)  # patches in a fixed order: two runs give the same
        self._dis = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._refined = refined
        self._framing = Framing(settings or Settings())
        self._volumes = Last(_grey)

    def within(self, question: Within) -> Answer:
        """Each slice is taken from the nearest annotated one."""
        grey = self._volumes.of(question.volume)
        apart = question.volume.spacing[0]
        return Answer(carry(question, lambda a, b, f: self._moved(grey[a], grey[b], f, apart), blend=False))

    def across(self, question: Across) -> Answer:
        """The slice that each query slice is compared with is brought to it; see `Framing`."""
        return self._framing.answer(question, self._moved_pair)

    def _moved_pair(self, pair: FramedPair) -> Fraction:
        support, query = (np.rint(image).astype(np.uint8) for image in (pair.support, pair.query))
        return self._moved(support, query, pair.mask, FAR_MM)  # two patients' areas may differ

    def _moved(
        self, source: NDArray[np.uint8], target: NDArray[np.uint8], fraction: Fraction, apart: float
    ) -> Fraction:
        """A fraction on slice `source` brought to slice `target`, `apart` mm away."""
        flow = self._flow(target, source)
        rows, columns = np.indices(target.shape, np.float32)
        warped = self._cv2.remap(
            fraction, columns + flow[..., 0], rows + flow[..., 1], self._cv2.INTER_LINEAR, borderValue=0.0
        )
        return refine(target, warped, apart) if self._refined else np.asarray(warped)

    def _flow(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Where to look on one slice for what is on another: [y, x, 2], (x, y) in pixels."""
        more = [(0, max(0, _LEAST_SIDE - side)) for side in here.shape]
        first, second = (np.ascontiguousarray(np.pad(image, more, "edge")) for image in (here, there))
        flow: Any = self._dis.calc(first, second, None)
        return np.asarray(flow[: here.shape[0], : here.shape[1]])


def _grey(volume: Volume) -> NDArray[np.uint8]:
    image = soft_tissue(volume)
    return np.rint(to_grey(image, grey_range(image))).astype(np.uint8)


def make(recipe: Recipe) -> FlowChain:
    """Make it."""
    return FlowChain(recipe)
