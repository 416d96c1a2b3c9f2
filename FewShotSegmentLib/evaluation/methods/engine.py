"""The engine itself: the same calls as a user's, with the case's modality given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...engine import Engine
from ...errors import InputError
from ...propagation import Result
from ...review import next_slice
from ...session import SessionResult, VolumeSession
from ..case import Mask
from ..method import Answer, Reading, Recipe, Volume, Within
from .base import Base, Last, nothing
from .loaded import count, load


class EngineMethod(Base):
    """FewShotSegment's mask propagator with its refiner.

    Args:
        recipe: of the method.
        engine: loaded.
    """

    def __init__(self, recipe: Recipe, engine: Engine):
        weights = recipe.options.get("weights")
        note = f"FewShotSegment, weights {engine.weights.name}" if weights else "FewShotSegment, bundled weights"
        super().__init__(recipe, note, count(engine.network, engine.refiner))
        self._engine = engine
        self._sessions = Last(self._open)

    def within(self, question: Within) -> Answer:
        """As `Engine.propagate`; where it refuses, nothing with its reason."""
        volume = question.volume
        try:
            result = self._engine.propagate(
                volume.image,
                question.anchors,
                spacing=volume.spacing,
                modality=volume.modality,
                slice_range=question.slice_range,
            )
        except InputError as error:
            return nothing(volume.image.shape, str(error))
        return Answer(result.mask, result.slice_confidence, " ".join(self._engine.notes))

    def read(self, volume: Volume) -> Reading:
        """Features stay from round to round, and from organ to organ of the last volume."""
        return EngineReading(self._sessions.of(volume), volume)

    def _open(self, volume: Volume) -> VolumeSession:
        return VolumeSession(self._engine, volume.image, spacing=volume.spacing, modality=volume.modality)


class EngineReading:
    """One organ, corrected as the module does it: a correction renews its neighbourhood only.

    Args:
        session: of the volume.
        volume: that is read.
    """

    def __init__(self, session: VolumeSession, volume: Volume):
        self._session = session
        self._volume = volume
        self._result: Result | None = None

    def annotate(self, anchors: Mapping[int, Mask], changed: int) -> Answer:
        """See `Reading.annotate`; where the engine refuses, nothing with its reason."""
        around = None if self._result is None else {"": [changed]}
        try:
            part = self._session.propagate({"": anchors}, around=around)[""]
        except InputError as error:
            self._result = None
            return nothing(self._volume.image.shape, str(error))
        self._result = part if self._result is None else renewed(self._result, part)
        notes = " ".join(self._session.notes)
        # copies: the next round must not change what was answered in this one
        return Answer(self._result.mask.copy(), self._result.slice_confidence.copy(), notes)

    def propose(self) -> int | None:
        """The engine's own proposal: it sees its result, and no reference."""
        return None if self._result is None else next_slice(self._result, self._volume.spacing[0])


def renewed(before: Result, part: SessionResult) -> Result:
    """What a user has after a correction: the new result where it was settled anew, else the earlier one."""
    mask, confidence = before.mask.copy(), before.slice_confidence.copy()
    for start, end in part.renewed:
        mask[start : end + 1] = part.mask[start : end + 1]
        confidence[start : end + 1] = part.slice_confidence[start : end + 1]
    result = replace(part, mask=mask, slice_confidence=np.asarray(confidence))
    result.find_slices()
    return result


def make(recipe: Recipe) -> EngineMethod:
    """Make it; see `load`."""
    return EngineMethod(recipe, load(recipe.options).engine)
