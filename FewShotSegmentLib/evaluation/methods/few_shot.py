"""Few-shot networks alone, slice by slice, as the papers use them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ...devices import repeatable
from ...errors import InputError
from ...transfer.per_slice import segment_slices
from ...transfer.query import Query
from ..method import Across, Answer, Recipe
from .base import Base, nothing
from .framing import Supports, asked_parts, plane
from .loaded import Loaded, count, load


class FewShot(Base):
    """A few-shot network, bare.

    Args:
        recipe: of the method; its name is the network's.
        loaded: whose encoder it uses unless the recipe has weights for it.
    """

    def __init__(self, recipe: Recipe, loaded: Loaded):
        folder = recipe.options.get(f"weights:{recipe.name}")
        self._network, self._encoded = loaded.network(recipe.name, folder)
        note = "with weights of its own" if folder else "on the engine's encoder, which was not trained for it"
        super().__init__(recipe, f"slice by slice, {note}", count(self._network))
        self._engine = loaded.engine
        self._supports = Supports(loaded.engine.settings)

    def across(self, question: Across) -> Answer:
        """Each query slice from its part's annotated slice; without parts from all of them (at most 5) together."""
        device = self._engine.device
        try:
            support = self._supports.make(question)
            query = self._encoded.query(question.query, plane(question, support))
            with torch.inference_mode(), repeatable(device):
                if question.parts is not None:
                    return self._by_parts(question, query)
                found = segment_slices(query, [support], self._network, device, self._engine.settings, False)
        except InputError as error:
            return nothing(question.query.image.shape, str(error))
        return Answer(found.mask, found.slice_confidence if found.axis == 0 else None, found.note)

    def _by_parts(self, question: Across, query: Query) -> Answer:
        mask = np.zeros(query.array.shape, bool)
        confidence = np.ones(len(mask), np.float32)
        notes = []
        for part in asked_parts(question):
            if not question.anchors[part].any():
                continue
            asked = np.flatnonzero(question.parts == part)
            there = torch.from_numpy(asked)
            some = replace(
                query,
                array=query.array[asked],
                grid=replace(query.grid, slices=query.grid.slices[there]),
                features=query.features[there],
            )
            support = self._supports.make(question, [part])
            found = segment_slices(some, [support], self._network, self._engine.device, self._engine.settings, False)
            mask[asked], confidence[asked] = found.mask, found.slice_confidence
            notes += [found.note] if found.note else []
        return Answer(mask, confidence, " ".join(dict.fromkeys(notes)))


def make(recipe: Recipe) -> FewShot:
    """Make it; see `load`."""
    return FewShot(recipe, load(recipe.options))
