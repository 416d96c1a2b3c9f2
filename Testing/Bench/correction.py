"""What a correction costs: one more anchor after a propagation, from features that the session has kept.

    .venv/bin/python Testing/Bench/correction.py

Measured where it is dearest: between two anchors, where every slice is visited from both sides. Anchors outside of
these keep it to these slices: what leaves the outermost anchors depends on the next two behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import numpy as np
import tubes

SLICES, SIZE = 40, 256
SPACING = (3.0, 1.0, 1.0)
OUTERMOST, OUTER, ADDED = (4, 6, 34, 36), (8, 32), 20
ROUNDS = 5


class Correction(NamedTuple):
    """Seconds are medians over rounds; `ratio` is the median of each round's, as a slow spell slows both parts."""

    seconds: float
    bare_seconds: float
    ratio: float
    slices: int  # concerned: between the outer anchors, the added one included
    encoded: int  # slices that were encoded again
    exact: bool  # whether old and renewed slices make up what a fresh propagation gives, bit for bit

    @property
    def line(self) -> str:
        return (
            f"correction of {self.slices} slices from kept features {self.seconds:.2f} s, "
            f"bare network calls for these slices {self.bare_seconds:.2f} s: ratio {self.ratio:.2f}"
        )


def measure(engine, rounds: int = ROUNDS, progress: Callable[[str], None] = lambda text: None) -> Correction:
    """Propagate from the outer anchors, then add the one between them, again and again."""
    from cost import bare_calls

    from FewShotSegmentLib.session import VolumeSession

    volume, (mask, _) = tubes.make(SLICES, SIZE)
    before = {"tube": dict.fromkeys((*OUTERMOST, *OUTER), mask)}
    after = {"tube": before["tube"] | {ADDED: mask}}
    first, last = OUTER[0] + 1, OUTER[1] - 1
    bare = bare_calls(engine, volume[first : last + 1], mask)
    session = VolumeSession(engine, volume, spacing=SPACING, modality="ct")
    progress("warming up")
    whole = session.propagate(before)["tube"]
    bare()
    counted = _count_encodings(engine.network.image_encoder)
    times = []
    for number in range(rounds):
        progress(f"correction, round {number + 1} of {rounds}")
        times.append((_seconds(bare), _seconds(lambda: session.propagate(after, around={"tube": [ADDED]}))))
    encoded = counted() - rounds * (last - first + 1)
    part = session.propagate(after, around={"tube": [ADDED]})["tube"]
    mask_after = whole.mask.copy()
    for start, end in part.renewed:
        mask_after[start : end + 1] = part.mask[start : end + 1]
    fresh = engine.propagate_segments(volume, after, spacing=SPACING, modality="ct", keep_probability=False)["tube"]
    return Correction(
        seconds=median(own for _, own in times),
        bare_seconds=median(base for base, _ in times),
        ratio=median(own / base for base, own in times),
        slices=last - first + 1,
        encoded=encoded,
        exact=part.renewed == ((first, last),) and np.array_equal(mask_after, fresh.mask),
    )


def _count_encodings(encoder) -> Callable[[], int]:
    """Count the slices that the encoder sees until the count is asked for."""
    seen = []
    hook = encoder.stages[-1].register_forward_hook(lambda *_: seen.append(1))

    def count() -> int:
        hook.remove()
        return len(seen)

    return count


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    from engine import load_without_stops

    found = measure(load_without_stops())
    print(f"{found.line}; {found.encoded} slices encoded again; exact: {found.exact}")
