"""What was measured: one row for every organ, method, setting and round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

METRICS = (
    "dice",
    "dice_extent",
    "iou",
    "precision",
    "recall",
    "hausdorff_mm",
    "hd95_mm",
    "asd_mm",
    "nsd",
    "volume_error",
)
"""Names of the metrics, in the order of tables; see `metrics`. `dice_extent` counts the organ's own slices only."""


@dataclass(frozen=True)
class Row:
    """One method's answer to one question, measured.

    Attributes:
        protocol: "published", "whole-volume", "one-slice", "interactive" or "robustness".
        dataset: of the case.
        group: of the case.
        case: its name.
        patient: whose it is.
        organ: which one.
        fold: of the cross-validation, "0", "1", …; "" without folds.
        method: its name.
        setting: what was varied: "1 slice", "noise 10 %", "proposed", …; "" for nothing.
        round: slices read so far (interactive); else 0.
        support: the case that was annotated, "" where it is the same.
        given: indices of the annotated slices (of the support's, where it is another).
        slices: how many slices hold the organ in the reference.
        metrics: {name of `METRICS`: value}; None where it is not defined, inf where a surface is missing.
        profile: Dice of each slice from the organ's first to its last, ((place 0…1, Dice), …), annotated ones left out.
        confidence: [(confidence, Dice), …] of each slice that is not annotated and where either mask has something;
            empty where the method has no confidence.
        seconds: that the answer took, reading and scoring left out.
        peak_mb: memory in MB that the process used at most while it answered, beyond what it held before.
        parameters: that were learned.
        note: of the answer, or why there is none.
        failed: whether there is no answer, e.g. because the method said why it cannot.
        mask: file of the answer below the report's folder, "" where none was kept.
    """

    protocol: str
    dataset: str
    group: str
    case: str
    patient: str
    organ: str
    fold: str
    method: str
    setting: str
    round: int
    support: str
    given: tuple[int, ...]
    slices: int
    metrics: Mapping[str, float | None]
    profile: tuple[tuple[float, float], ...] = ()
    confidence: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    peak_mb: float = 0.0
    parameters: int = 0
    note: str = ""
    failed: bool = False
    mask: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; inf is written as "inf", since JSON has none."""
        values = asdict(self)
        values["metrics"] = {name: "inf" if v == float("inf") else v for name, v in self.metrics.items()}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Row:
        """From `to_json`."""
        read = dict(values)
        read["metrics"] = {name: float("inf") if v == "inf" else v for name, v in values["metrics"].items()}
        for name in ("profile", "confidence"):
            read[name] = tuple((float(a), float(b)) for a, b in values[name])
        read["given"] = tuple(int(index) for index in values["given"])
        return cls(**read)
