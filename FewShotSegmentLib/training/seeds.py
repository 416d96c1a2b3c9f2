"""Seeds for every piece of training material: from what is asked for, not from what came before.

A part of a batch is drawn from (seed, step, part) alone. So the position in the data is the number of the step, and
stopping, resuming, other numbers of workers and several processes change nothing.
"""

from __future__ import annotations

import hashlib


def seed_of(*names: int | str) -> int:
    """A seed below 2^63 that depends on all of the names and their order."""
    text = "\0".join(f"{type(name).__name__}:{name}" for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
