"""All of the transfer: a few-shot network finds the slices, the propagator draws them and carries them on."""

from __future__ import annotations

from ...errors import InputError
from ...transfer import Transfer
from ..method import Across, Answer, Recipe
from .base import Base, nothing
from .framing import Supports
from .loaded import Loaded, count, load

_NETWORK = "dspnet"


class Pipeline(Base):
    """`Transfer` with DSPNet, repaired.

    Args:
        recipe: of the method.
        loaded: whose engine it uses.
    """

    def __init__(self, recipe: Recipe, loaded: Loaded):
        network, _ = loaded.network(_NETWORK, recipe.options.get("weights:pipeline"))
        engine = loaded.engine
        super().__init__(
            recipe,
            "DSPNet, repaired, finds the slices; the propagator draws them and carries them through the volume. It "
            "chooses among all slices itself: parts that slices are to be compared with are ignored",
            count(network, engine.network, engine.refiner),
        )
        self._transfer = Transfer(engine, _NETWORK, network)
        self._supports = Supports(engine.settings)

    def across(self, question: Across) -> Answer:
        """As `Transfer.run`; `parts` are ignored."""
        query = question.query
        try:
            support = self._supports.make(question)
            found = self._transfer.run(
                query.image,
                query.geometry,
                {question.organ: [support]},
                modality=query.modality,
                keep_probability=False,
            )[question.organ]
        except InputError as error:
            return nothing(query.image.shape, str(error))
        note = "" if found.found else found.note or f"{question.organ} was said not to be found."
        return Answer(found.mask, found.slice_confidence if found.axis == 0 else None, note)


def make(recipe: Recipe) -> Pipeline:
    """Make it; see `load`."""
    return Pipeline(recipe, load(recipe.options))
