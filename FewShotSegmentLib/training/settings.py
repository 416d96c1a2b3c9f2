"""How training is done: one settings object, and the presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..errors import InputError

OPTIMISERS = ("sgd", "adamw")
SCHEDULES = ("steps", "cosine", "hold")
PRECISIONS = ("float32", "bfloat16")
SEQUENCES = ("propagator", "refiner")
"""Networks that are led along slices; the others take episodes."""


@dataclass(frozen=True)
class TrainSettings:
    """Numbers of a training; all that decides about its curve, and nothing that does not.

    Attributes:
        network: "propagator" (which also trains the encoder for few-shot networks), "refiner", or a name of
            `networks.names`.
        encoder: of a few-shot network; its usual one by default (None).
        data: "synthetic", "volumes" or "both".
        iterations: steps of the optimiser.
        parts: pieces of a batch that are made and passed through the network one after the other; several processes
            share them out, so their number must be a multiple of the processes'.
        per_part: sequences or episodes in a part; the batch is parts · per_part.
        size: pixels of the sides of what the network sees, a multiple of 16; of the slices out of which the refiner's
            windows are cut.
        long_side: pixels of the longer side of a volume's slices, of which the propagator sees windows of `size`: its
            structures are then as large as in use, at a fraction of the cost. Few-shot networks see whole slices of
            `size`.
        length: least and most slices that a sequence has beside its support.
        size_of_window: pixels of the sides of what the refiner sees, a multiple of 8 and at least 32: registration
            works on half of that, and 12 is its least.
        windows: most slices of a sequence that the refiner is led along.
        episodes: how a few-shot network's episodes are made of volumes: "published" (one slice twice) or "volumetric"
            (other slices, other "patients").
        volumes_share: share of parts that come from volumes where `data` is "both".
        implants: share of the propagator's parts from volumes in which the structures are blobs put into the images;
            in the others they are supervoxels.
        other_patient: share of parts in which support and query are of different "patients".
        reuse: steps for which a synthetic block is kept; each picks other structures and slices of it.
        optimiser: "sgd" (momentum) or "adamw".
        learning_rate: at its highest.
        momentum: of SGD; the first beta of AdamW.
        weight_decay: of the optimiser.
        schedule: "steps" (× decay every decay_every steps), "cosine" (to 1 % at the end), or "hold" (constant, then
            linear to 1 % over the last `cooldown` steps, at most a third of all: the end may be moved while it holds).
        warm_up: steps over which the rate rises linearly from 0.
        decay: see `schedule`.
        decay_every: see `schedule`.
        cooldown: see `schedule`.
        clip: largest norm of the gradient; 0 for any.
        precision: "float32" or "bfloat16" (autocast; weights stay float32).
        average: decay of the exponential moving average of weights, which is what is kept; 0 for none.
        alignment: weight of the alignment loss of few-shot networks.
        background_weight: weight of the background in their cross-entropy.
        few_shot: weight of the few-shot loss on the propagator's encoder.
        seed: of everything that is drawn.
    """

    network: str = "propagator"
    encoder: str | None = None
    data: str = "both"
    iterations: int = 20_000
    parts: int = 1
    per_part: int = 4
    size: int = 160
    long_side: int = 256
    length: tuple[int, int] = (4, 8)
    size_of_window: int = 80
    windows: int = 8
    episodes: str = "volumetric"
    volumes_share: float = 0.6
    implants: float = 0.75
    other_patient: float = 0.25
    reuse: int = 4
    optimiser: str = "adamw"
    learning_rate: float = 3e-4
    momentum: float = 0.9
    weight_decay: float = 0.01
    schedule: str = "hold"
    warm_up: int = 100
    decay: float = 0.95
    decay_every: int = 1000
    cooldown: int = 2000
    clip: float = 1.0
    precision: str = "bfloat16"
    average: float = 0.998
    alignment: float = 1.0
    background_weight: float = 0.05
    few_shot: float = 0.3
    seed: int = 1234

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"There is no {name} “{getattr(self, name)}”; there are: {', '.join(known)}.")
        if self.episodes not in {"published", "volumetric"}:
            raise InputError(f"Episodes are “published” or “volumetric”, not “{self.episodes}”.")
        if self.data not in {"synthetic", "volumes", "both"}:
            raise InputError(f"Training data are “synthetic”, “volumes” or “both”, not “{self.data}”.")
        for name in ("iterations", "parts", "per_part", "reuse", "windows"):
            if getattr(self, name) < 1:
                raise InputError(f"The training setting {name} must be at least 1, not {getattr(self, name)}.")
        if self.size < 32 or self.size % 16:
            raise InputError(f"The size of training slices must be a multiple of 16 and at least 32, not {self.size}.")
        if self.size_of_window < 32 or self.size_of_window % 8:
            raise InputError(
                f"The size of the refiner's windows must be a multiple of 8 and at least 32, not {self.size_of_window}."
            )
        if self.network == "refiner" and self.other_patient:
            raise InputError(
                "The refiner learns from one patient's slices at a time; use --preset refiner, or set other_patient=0."
            )
        if not 1 <= self.length[0] <= self.length[1]:
            raise InputError(f"The length of sequences must be (least, most), at least 1, not {self.length}.")
        if not self.learning_rate > 0:
            raise InputError(f"The learning rate must be above 0, not {self.learning_rate}.")
        for name in ("volumes_share", "implants", "other_patient"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"The training setting {name} must lie between 0 and 1, not {getattr(self, name)}.")
        if not 0 <= self.average < 1:
            raise InputError(f"The training setting average must lie between 0 and below 1, not {self.average}.")

    def changed(self, **values: Any) -> TrainSettings:
        """These settings with some values replaced; None leaves a value as it is."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def with_words(self, words: Sequence[str]) -> TrainSettings:
        """These settings with some of them replaced, each given as NAME=VALUE.

        Raises:
            InputError: there is no such setting, or the value is none for it.
        """
        values = self.to_json()
        for word in words:
            name, _, text = word.partition("=")
            if name not in values:
                raise InputError(f"There is no training setting “{name}”; there are: {', '.join(values)}.")
            before = values[name]
            try:
                values[name] = (
                    [int(part) for part in text.split(",")]
                    if isinstance(before, list)
                    else text
                    if before is None or isinstance(before, str)
                    else type(before)(text)
                )
            except ValueError:
                raise InputError(f"“{text}” cannot be the training setting {name}, which is {before}.") from None
        return TrainSettings.from_json(values)

    def to_json(self) -> dict[str, Any]:
        """As a dictionary of plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainSettings:
        """From `to_json`.

        Raises:
            InputError: a value is missing, unknown or out of range.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            odd = ", ".join(sorted(set(values) ^ known))
            raise InputError(
                f"These training settings are of another version of FewShotSegment (they differ in {odd})."
            )
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**read)

    def differences(self, other: TrainSettings) -> list[str]:
        """Names of what is not the same, but for the number of iterations, which may be moved."""
        mine, theirs = self.to_json(), other.to_json()
        return [name for name in mine if name != "iterations" and mine[name] != theirs[name]]


PRESETS: dict[str, TrainSettings] = {
    "fast": TrainSettings(),
    # sequences are longer than what is shown of them, so that some begin farther out; slices of one patient alone
    "refiner": TrainSettings(
        network="refiner",
        iterations=3000,
        per_part=16,
        size=128,
        length=(8, 14),
        volumes_share=0.5,
        implants=0.8,
        other_patient=0.0,
        reuse=12,
        learning_rate=1e-3,
        weight_decay=1e-3,
        warm_up=50,
        cooldown=800,
        average=0.995,
        few_shot=0.0,
    ),
    # SSL-ALPNet and DSPNet, METHODS: SGD 1e-3, momentum 0.9, decay 5e-4, × 0.95 every 1000 steps, batch 1, 256 px,
    # weights [0.05, 1] and alignment loss of weight 1, float32, 50 000 steps (DSPNet; ALPNet has 100 100)
    "published": TrainSettings(
        network="dspnet-published",
        encoder="resnet101",
        data="volumes",
        episodes="published",
        iterations=50_000,
        per_part=1,
        size=256,
        optimiser="sgd",
        learning_rate=1e-3,
        weight_decay=5e-4,
        schedule="steps",
        warm_up=0,
        clip=0.0,
        precision="float32",
        average=0.0,
        few_shot=0.0,
    ),
}
"""“fast” and “refiner” are ours; “published” is the published recipe of DSPNet (ALPNet: network alpnet, 100 100
iterations)."""


def preset(name: str) -> TrainSettings:
    """Settings of that name.

    Raises:
        InputError: there are none (the text lists those there are).
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset “{name}”; there are: {', '.join(PRESETS)}.")
    return PRESETS[name]
