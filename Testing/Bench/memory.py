"""Peak memory of one propagation; a script, because a peak is that of a whole process.

memory.py SLICES SIZE ANCHORS prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Peak(NamedTuple):
    """Peak resident memory of a fresh process that generates a volume and segments it."""

    slices: int
    size: int
    anchors: int
    gigabytes: float
    before: float  # GB with the volume and the engine loaded
    filled: int  # slices with a mask: fewer than `slices` would mean that some were never visited
    seconds: float

    @property
    def title(self) -> str:
        return f"{self.size} × {self.size} × {self.slices} int16, {self.anchors} anchor{'s' * (self.anchors > 1)}"

    @property
    def line(self) -> str:
        return (
            f"{self.title}: peak {self.gigabytes:.2f} GB ({self.before:.2f} GB with volume and engine loaded), "
            f"mask found on {self.filled} slices, {self.seconds:.0f} s"
        )


def measure(slices: int, size: int, anchors: int) -> Peak:
    """Run this file in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), str(slices), str(size), str(anchors)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Peak(**json.loads(answer))


def peak_gigabytes() -> float:
    """Highest resident memory of this process so far, in 10⁹ bytes.

    Linux: VmHWM, because ru_maxrss of a process that was started from a larger one begins at the larger one's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    import resource

    # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def main(slices: int, size: int, anchors: int) -> Peak:
    """Generate, load, propagate."""
    import tubes
    from engine import load_without_stops

    volume, (mask, _) = tubes.make(slices, size)
    engine = load_without_stops()
    before = peak_gigabytes()
    places = [slices * (i + 1) // (anchors + 1) for i in range(anchors)]
    start = time.perf_counter()
    result = engine.propagate(volume, dict.fromkeys(places, mask), spacing=(1.0, 0.7, 0.7), modality="ct")
    seconds = time.perf_counter() - start
    filled = int(result.mask.any(axis=(1, 2)).sum())
    return Peak(slices, size, anchors, peak_gigabytes(), before, filled, seconds)


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))._asdict()))
