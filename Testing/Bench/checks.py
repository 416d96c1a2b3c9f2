"""What the engine must keep, and what it is to reach: each check has a limit, a measured figure and a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import reader
from accuracy import Record, overall_mean
from confidence import Confidence
from cost import Cost
from organ_cost import OrganCost
from reader import Reading

# A structure on which the engine loses more than this to the prototype is counted: less is a few voxels.
MAY_LOSE = 0.01
THREE_MUST_GAIN = 0.03
MAX_OVERHEAD = 1.25
MAX_SECOND_SEGMENT = 0.60
MAX_CORRECTION = 2.0
MAX_MEMORY_GB = 2.0
WORST_SHOWN = 5
# Aims: what comes out with one and with three annotated slices, what a reader has to do, what a clinician waits for.
AIM_ONE = (0.80, 0.88)  # whole volume, own slices
AIM_THREE = 0.88
AIM_SLICES_READ = 4
AIM_AUC = 0.85
AIM_SECONDS = 10.0
# Of the organ's slices: fewer would mean that the run was quick because it ended early.
ORGAN_FOUND = 0.90


@dataclass(frozen=True)
class Check:
    """One limit; `passed` is None where it could not be measured. An aim may be missed without the run failing."""

    passed: bool | None
    text: str
    details: list[str] = field(default_factory=list)
    aim: bool = False

    @property
    def verdict(self) -> str:
        if self.passed is None:
            return "NOT MEASURED"
        good, bad = ("REACHED", "MISSED") if self.aim else ("PASS", "FAIL")
        return good if self.passed else bad

    @property
    def fails(self) -> bool:
        """Whether the run fails by it."""
        return self.passed is False and not self.aim


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
    if not records or not all({"engine1", "engine3"} <= record.three.keys() for record in records):
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
            f"a second segment in the same window costs under {MAX_SECOND_SEGMENT:.0%} of the first: "
            f"{cost.second_segment:.1%}",
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


def accuracy_aims(records: Sequence[Record]) -> list[Check]:
    """Aims for the tables, on average over sources."""
    whole, extent = AIM_ONE
    one = f"one annotated slice gives {whole:.2f} over the whole volume, {extent:.2f} over the structure's own slices"
    three = f"three annotated slices give {AIM_THREE:.2f} over the whole volume"
    return [
        _aim_of_means(one, _rounded_means(records, "one", "engine1"), AIM_ONE),
        _aim_of_means(three, _rounded_means(records, "three", "engine3"), (AIM_THREE,)),
    ]


def _rounded_means(records: Sequence[Record], protocol: str, key: str) -> list[float] | None:
    """Means over sources (whole, extent), rounded as shown, so that the verdict fits them; None if not measured."""
    if not records or not all(key in getattr(record, protocol) for record in records):
        return None
    return [round(value, 3) for value in overall_mean(list(records), protocol, key)]


def _aim_of_means(name: str, means: list[float] | None, limits: tuple[float, ...]) -> Check:
    if means is None:
        return Check(None, name, aim=True)
    pairs = list(zip(means, limits, strict=False))
    shown = ", ".join(f"{value:.3f}" for value, _ in pairs)
    return Check(all(value >= limit for value, limit in pairs), f"{name}: {shown}", aim=True)


def reading_aims(readings: Sequence[Reading], found: Confidence | None) -> list[Check]:
    """Aims for the reader, and for what the engine knows of its own slices."""
    return [_few_slices(readings), _ranking(found)]


def _few_slices(readings: Sequence[Reading]) -> Check:
    name = f"a reader who follows the proposals reads at most {AIM_SLICES_READ} slices (median) to {reader.TARGET:.2f}"
    own = reader.of_strategy(readings, "proposed")
    if not own:
        return Check(None, name, aim=True)
    summary = reader.summarise(own)
    shown = f"more than {reader.MOST_SLICES}" if summary.median is None else f"{summary.median:g}"
    text = f"{name}: {shown}; {summary.share_reached:.0%} of {summary.structures} structures get there"
    return Check(summary.median is not None and summary.median <= AIM_SLICES_READ, text, aim=True)


def _ranking(found: Confidence | None) -> Check:
    name = f"confidence tells the bad slices with an AUC of at least {AIM_AUC:.2f}, all slices together"
    if found is None or found.pooled.auc is None:
        return Check(None, name, aim=True)
    auc = round(found.pooled.auc, 3)
    return Check(auc >= AIM_AUC, f"{name}: {auc:.3f}", aim=True)


def organ_aims(cost: OrganCost) -> list[Check]:
    """Aim for the wait; a run that lost the organ early does not reach it."""
    text = (
        f"one organ of {cost.organ_slices} slices in a CT takes at most {AIM_SECONDS:.0f} s, {ORGAN_FOUND:.0%} of its "
        f"slices found: {cost.seconds:.1f} s, {cost.found} found, Dice {cost.dice:.3f}"
    )
    reached = cost.seconds <= AIM_SECONDS and cost.found >= ORGAN_FOUND * cost.organ_slices
    return [Check(reached, text, aim=True)]
