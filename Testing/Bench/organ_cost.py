"""Seconds for one organ in a CT of usual size: what a clinician waits for after annotating one slice.

    .venv/bin/python Testing/Bench/organ_cost.py

Unlike `cost`, no bare network is beside it: the limit is in seconds. How much of the organ was found is measured too,
since a run that loses the organ early is quick for a wrong reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
from scores import dice

SLICES, SIZE, ORGAN_SLICES = 300, 512, 100
SPACING = (2.5, 0.8, 0.8)
ROUNDS = 3
THREADS = 2
# Parts of the width: the body's half axes, the organ's middle (column, row) and its half axes on its middle slice.
BODY = (0.42, 0.32)
ORGAN_AT, ORGAN = (0.38, 0.5), (0.12, 0.09)
AIR, BODY_HU, ORGAN_HU, NOISE_HU = -1000.0, 40.0, 110.0, 12.0


@dataclass(frozen=True)
class OrganCost:
    """Seconds are the median of the rounds; `stages` are the seconds of each stage in that round, if the engine tells.

    `found` counts the organ's own slices that got a mask, `beyond` the others.
    """

    seconds: float
    rounds: tuple[float, ...]
    dice: float
    found: int
    beyond: int
    organ_slices: int
    slices: int
    size: int
    threads: int
    stages: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """In words."""
        told = [f"{name} {seconds:.2f} s" for name, seconds in self.stages.items()]
        volume = f"{self.size} × {self.size} × {self.slices}"
        times = f"{self.seconds:.1f} s (median of {len(self.rounds)} rounds)"
        return [
            f"one organ of {self.organ_slices} slices in {volume}, 1 anchor, {self.threads} threads: {times}",
            f"mask found on {self.found} of its slices and on {self.beyond} others, Dice {self.dice:.3f}",
            *([f"of these seconds: {', '.join(told)}"] if told else []),
        ]

    def as_dict(self) -> dict:
        """For the JSON."""
        return asdict(self)


def make(slices: int = SLICES, size: int = SIZE, organ_slices: int = ORGAN_SLICES) -> tuple[np.ndarray, np.ndarray]:
    """int16 volume [slices, size, size] in HU, and the organ's mask, bool, of the same shape.

    A body of soft tissue in air from end to end, and in its middle an ellipsoid that lies on exactly `organ_slices`
    slices. Noise is drawn slice by slice from a fixed seed, since a float copy of all would be 600 MB.
    """
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    body = _disc(rows, columns, (0.5, 0.5), BODY)
    clean = np.where(body, BODY_HU, AIR)
    reference = np.zeros((slices, size, size), dtype=bool)
    first = (slices - organ_slices) // 2
    # middles of the organ's slices, so that the ellipsoid's ends lie half a slice beyond the outermost ones
    for number, height in enumerate((np.arange(organ_slices) + 0.5) * 2 / organ_slices - 1):
        width = np.sqrt(1 - height**2)
        reference[first + number] = _disc(rows, columns, ORGAN_AT, (ORGAN[0] * width, ORGAN[1] * width))
    random = np.random.default_rng(0)
    volume = np.empty((slices, size, size), dtype=np.int16)
    for plane, organ in zip(volume, reference, strict=True):
        noise = NOISE_HU * random.standard_normal((size, size), dtype=np.float32)
        plane[:] = np.rint(np.where(organ, ORGAN_HU, clean) + noise)
    return volume, reference


def measure(engine, progress: Callable[[str], None] = lambda text: None) -> OrganCost:
    """Propagate the organ's middle slice, without probabilities, so often."""
    import torch

    progress("one organ, generating")
    volume, reference = make()
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return _timed(engine, volume, reference, progress)
    finally:
        torch.set_num_threads(before)


def _timed(engine, volume: np.ndarray, reference: np.ndarray, progress: Callable[[str], None]) -> OrganCost:
    import torch

    held = np.flatnonzero(reference.any(axis=(1, 2)))
    middle = int(held[len(held) // 2])
    rounds = []
    for number in range(ROUNDS):
        progress(f"one organ, round {number + 1} of {ROUNDS}")
        start = time.perf_counter()
        result = engine.propagate_segments(
            volume, {"organ": {middle: reference[middle]}}, spacing=SPACING, modality="ct", keep_probability=False
        )["organ"]
        rounds.append((time.perf_counter() - start, _stages(engine)))
    seconds, stages = sorted(rounds, key=lambda one: one[0])[ROUNDS // 2]
    filled = result.mask.any(axis=(1, 2))
    found = int(filled[held].sum())
    return OrganCost(
        seconds=seconds,
        rounds=tuple(taken for taken, _ in rounds),
        dice=dice(result.mask, reference),
        found=found,
        beyond=int(filled.sum()) - found,
        organ_slices=len(held),
        slices=len(volume),
        size=volume.shape[1],
        threads=torch.get_num_threads(),
        stages=stages,
    )


def _stages(engine) -> dict[str, float]:
    """Seconds of each stage of the last call; empty where the engine keeps none."""
    return {name: float(seconds) for name, seconds in (getattr(engine, "stages", None) or {}).items()}


def _disc(rows: np.ndarray, columns: np.ndarray, middle: tuple[float, float], half: tuple[float, float]) -> np.ndarray:
    """Pixels within an ellipse; middle and half axes as (column, row), parts of the width."""
    return ((columns - middle[0]) / half[0]) ** 2 + ((rows - middle[1]) / half[1]) ** 2 < 1


if __name__ == "__main__":
    from engine import load

    for line in measure(load()).lines():
        print(line)
