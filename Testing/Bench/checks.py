"""What the engine must keep: each check has a limit, a measured figure and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from accuracy import Record, overall_mean
from cost import Cost

# A structure on which the engine loses more than this to the prototype is counted: less is a few voxels.
MAY_LOSE = 0.01
THREE_MUST_GAIN = 0.03
MAX_OVERHEAD = 1.25
MAX_SECOND_SEGMENT = 0.60
MAX_CORRECTION = 2.0
MAX_MEMORY_GB = 2.0
WORST_SHOWN = 5


@dataclass(frozen=True)
class Check:
    """One limit; `passed` is None where it could not be measured."""

    passed: bool | None
    text: str
    details: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return {True: "PASS", False: "FAIL", None: "NOT MEASURED"}[self.passed]


def accuracy_checks(records: Sequence[Record]) -> list[Check]:
    """Checks on the tables."""
    return [_against_prototype(records), _gain_of_three(records)]


def _against_prototype(records: Sequence[Record]) -> Check:
    """On average, not structure by structure: the engine has weights of its own, which see some structures worse."""
    name = "engine above the prototype on average over sources"
    both = [record for record in records if {"engine1", "prototype"} <= record.one.keys()]
    if not both:
        return Check(None, name)
    mine, theirs = (overall_mean(both, "one", key) for key in ("engine1", "prototype"))
    gains = [after - before for before, after in zip(theirs, mine, strict=True)]
    differences = []
    for record in both:
        for part in ("whole", "extent"):
            here, there = (getattr(record.one[key], part) for key in ("engine1", "prototype"))
            if not math.isnan(here):
                differences.append((here - there, f"{record.title} {part}: {here:.3f}, prototype {there:.3f}"))
    differences.sort()
    details = [f"{difference:+.4f}  {text}" for difference, text in differences[:WORST_SHOWN]]
    losing = sum(difference < -MAY_LOSE for difference, _ in differences)
    text = (
        f"{name}: {gains[0]:+.3f} whole, {gains[1]:+.3f} extent; {losing} of {len(differences)} figures more than "
        f"{MAY_LOSE} below it; worst:"
    )
    return Check(min(gains) > 0, text, details)


def _gain_of_three(records: Sequence[Record]) -> Check:
    name = f"3 anchors beat 1 by {THREE_MUST_GAIN} on average over sources"
    if not all({"engine1", "engine3"} <= record.three.keys() for record in records):
        return Check(None, name)
    one, three = (overall_mean(list(records), "three", key) for key in ("engine1", "engine3"))
    gains = [after - before for before, after in zip(one, three, strict=True)]
    return Check(min(gains) >= THREE_MUST_GAIN, f"{name}: {gains[0]:+.3f} whole, {gains[1]:+.3f} extent")


def cost_checks(cost: Cost) -> list[Check]:
    """Checks on what the engine costs; a run whose mask died out on the way would be cheap for a wrong reason."""
    checks = [
        Check(
            cost.overhead <= MAX_OVERHEAD,
            f"engine takes at most {MAX_OVERHEAD} of its bare network calls: {cost.overhead:.3f}",
        ),
        Check(
            cost.second_segment < MAX_SECOND_SEGMENT,
            f"a second segment costs under {MAX_SECOND_SEGMENT:.0%} of the first: {cost.second_segment:.1%}",
        ),
        Check(
            cost.correction.ratio <= MAX_CORRECTION,
            f"a correction takes at most {MAX_CORRECTION} of its slices' bare network calls: "
            f"{cost.correction.ratio:.2f}",
        ),
        Check(
            cost.correction.exact and cost.correction.encoded == 0,
            "a correction encodes no slice again and gives what a fresh propagation does",
        ),
        Check(cost.repeats, "the same input gives the same bits (mask and probability of 3 runs, 2 loadings)"),
        Check(
            cost.filled == cost.slices and all(peak.filled == peak.slices for peak in cost.memory),
            "every slice was worked on where time and memory were measured",
        ),
    ]
    name = f"peak memory under {MAX_MEMORY_GB} GB"
    if not cost.memory:
        return [*checks, Check(None, name)]
    worst = max(cost.memory, key=lambda peak: peak.gigabytes)
    found = f"{name}: at most {worst.gigabytes:.2f} GB ({worst.title})"
    return [*checks, Check(worst.gigabytes < MAX_MEMORY_GB, found)]
