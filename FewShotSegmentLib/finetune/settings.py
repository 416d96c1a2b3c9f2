"""How fine-tuning is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import InputError


@dataclass(frozen=True)
class FinetuneSettings:
    """Numbers of a fine-tuning.

    With `steps` the same call gives the same bits (on one kind of device and number of threads); with `minutes` the
    number of steps follows from the time that one takes, and the result from that number.

    Attributes:
        minutes: time that all should take, scoring included. At least `least_steps` are made in any case.
        steps: steps of each of the trainings (one for each group of held-out slices and a last one); from `minutes` by
            default.
        learning_rate: at its highest; a third of what the refiner was trained with.
        sequences: walks along slices in a step.
        held_out: slices that are scored at most.
        folds: groups that they are put into, each with a training of its own.
        margin: Dice by which the mean score must rise for the adapted weights to be kept.
        most_slices: slices of one structure in one volume that are used; evenly chosen where more are annotated.
        rehearsal: share of sequences of generated anatomies, where structures end and are absent, so that this is not
            forgotten.
        least_steps: fewer are not worth it.
        full_steps: more only learn the slices by heart.
        seed: of everything that is drawn.
    """

    minutes: float = 5.0
    steps: int | None = None
    learning_rate: float = 3e-4
    sequences: int = 4
    held_out: int = 4
    folds: int = 2
    margin: float = 0.002
    most_slices: int = 12
    rehearsal: float = 0.2
    least_steps: int = 10
    full_steps: int = 200
    seed: int = 1234

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 24 * 60:
            raise InputError(f"The time for fine-tuning is {self.minutes:g} minutes; give above 0 and up to 1440.")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"The number of steps is {self.steps}; give at least 1.")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"The learning rate is {self.learning_rate:g}; give above 0 and below 1, such as 3e-4.")
        if min(self.held_out, self.folds, self.sequences) < 1 or self.most_slices < 2:
            raise InputError(
                "Fine-tuning needs at least 1 held-out slice, 1 group of them, 1 sequence a step, and 2 slices to use."
            )
        if not (self.margin >= 0 and 0 <= self.rehearsal < 1):
            raise InputError("Of fine-tuning, the margin is at least 0 and the rehearsal from 0 to below 1.")

    def to_json(self) -> dict[str, Any]:
        """What decides about the result, as plain values; `steps` are told where they are known."""
        return {
            "learning_rate": self.learning_rate,
            "rehearsal": self.rehearsal,
            "sequences": self.sequences,
            "margin": self.margin,
            "seed": self.seed,
        }
