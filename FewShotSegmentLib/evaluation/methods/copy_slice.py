"""The floor: the annotated slice repeated on every slice."""

from __future__ import annotations

import numpy as np

from ...settings import Settings
from ..method import Across, Answer, Recipe, Within
from .base import Base, Fraction, keep_anchors
from .framing import FramedPair, Framing


class CopySlice(Base):
    """The annotated slice, of several the nearest, repeated.

    Args:
        recipe: of the method.
        settings: how volumes are brought into one frame.
    """

    def __init__(self, recipe: Recipe, settings: Settings | None = None):
        super().__init__(
            recipe, "the annotated slice repeated; another patient's after their bodies were laid on each other"
        )
        self._framing = Framing(settings or Settings())

    def within(self, question: Within) -> Answer:
        """Every slice gets the mask of the nearest annotated one, of two the lower."""
        mask = np.zeros(question.volume.image.shape, bool)
        given = sorted(question.anchors)
        for z in range(len(mask)):
            mask[z] = question.anchors[min(given, key=lambda index: abs(index - z))]
        return Answer(keep_anchors(mask, question))

    def across(self, question: Across) -> Answer:
        """Every slice of the query gets the mask of the slice it is compared with; see `Framing`."""
        return self._framing.answer(question, _same)


def _same(pair: FramedPair) -> Fraction:
    return pair.mask


def make(recipe: Recipe) -> CopySlice:
    """Make it."""
    return CopySlice(recipe)
