"""What comes out of a fine-tuning: figures before and after, and adapted weights where they are better."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..version import __version__
from ..weights import WeightsInfo


@dataclass(frozen=True)
class SliceScore:
    """One segment on one held-out slice.

    Attributes:
        volume: its name.
        segment: its name.
        axis: array axis across which the slice lies.
        index: of the slice.
        before: score with the weights that were there (see `score.score`), 0 to 1.
        after: score with weights that were adapted without this slice.
    """

    volume: str
    segment: str
    axis: int
    index: int
    before: float
    after: float


@dataclass(frozen=True)
class FinetuneResult:
    """Outcome of a fine-tuning.

    Attributes:
        better: whether the adapted weights scored better, by more than the margin; else the ones that were there stay
            in use and `networks` is None.
        scores: of the held-out slices.
        before: mean of them.
        after: mean of them; measured with weights that never saw the slices scored, so the final weights, which are
            trained on all annotated slices, are not scored themselves.
        steps: of each training.
        seconds: that all took.
        device: where it was computed.
        base: weights that were adapted: the propagator's entry, which stands for both networks of its folder.
        volumes: how many were annotated.
        slices: how many annotated slices were used, of all volumes.
        settings: what else decides about the result.
        notes: what its user should know, a sentence each.
        networks: float16 weights on the CPU by network, "propagator" (as it was) and "refiner" (adapted), or None.
    """

    better: bool
    scores: tuple[SliceScore, ...]
    before: float
    after: float
    steps: int
    seconds: float
    device: str
    base: WeightsInfo
    volumes: int
    slices: int
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    networks: dict[str, dict[str, Tensor]] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """A sentence for the user."""
        figures = f"mean score of held-out slices {self.before:.3f} before, {self.after:.3f} after"
        if self.better:
            return f"The adapted weights are better ({figures})."
        return f"The adapted weights are no better ({figures}), so {self.base.name} stays in use."

    def to_json(self) -> dict[str, Any]:
        """All but the weights, as plain values; of names, only those that its user gave."""
        return {
            "engine_version": __version__,
            "better": self.better,
            "verdict": self.verdict,
            "before": round(self.before, 4),
            "after": round(self.after, 4),
            "scores": [
                {
                    "volume": s.volume,
                    "segment": s.segment,
                    "axis": s.axis,
                    "slice": s.index,
                    "before": round(s.before, 4),
                    "after": round(s.after, 4),
                }
                for s in self.scores
            ],
            "volumes": self.volumes,
            "slices": self.slices,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "device": self.device,
            "base": {"name": self.base.name, "sha256": self.base.sha256},
            "settings": self.settings,
            "notes": list(self.notes),
        }
