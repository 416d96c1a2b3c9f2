"""What the transfer must keep, beside `checks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accuracy import overall_mean
from checks import Check
from transfer_accuracy import TransferRecord
from transfer_methods import DEFAULT, FLOOR_AND_BARE, PIPELINE

if TYPE_CHECKING:
    from transfer_cost import TransferCost

PIPELINE_MUST_GAIN = 0.10
REPAIR_MUST_GAIN = 0.05
MAX_PASSES = 1.10
PUBLISHED = "dspnet-published"
BARE = {row.key: row.title for row in FLOOR_AND_BARE if row.kind == "bare"}


def accuracy_checks(records: Sequence[TransferRecord]) -> list[Check]:
    """Checks on the tables."""
    return [_pipeline(list(records)), _repair(list(records))]


def _pipeline(records: list[TransferRecord]) -> Check:
    name = f"full pipeline beats the best bare few-shot network by {PIPELINE_MUST_GAIN:.2f} on average over sources"
    one = _gain_over_best(records, "one")
    if one is None:
        return Check(None, name)
    three = _gain_over_best(records, "three")
    details = [f"three slices: {three[1]}"] if three else []
    return Check(one[0] >= PIPELINE_MUST_GAIN, f"{name}, whole volume, one slice: {one[1]}", details)


def _gain_over_best(records: list[TransferRecord], protocol: str) -> tuple[float, str] | None:
    """The pipeline's gain, and in words; rounded as it is shown, so that the verdict fits the figures."""
    keys = _measured(records, protocol)
    bare = [key for key in BARE if key in keys]
    if PIPELINE not in keys or not bare:
        return None
    means = {key: overall_mean(records, protocol, key).whole for key in (*bare, PIPELINE)}
    best = max(bare, key=means.__getitem__)
    gain = round(means[PIPELINE] - means[best], 6)
    return gain, f"{gain:+.3f} ({means[PIPELINE]:.3f}, {BARE[best]} {means[best]:.3f})"


def _repair(records: list[TransferRecord]) -> Check:
    name = f"DSPNet, repaired, beats the published one by {REPAIR_MUST_GAIN:.2f} on average over sources"
    if not {DEFAULT, PUBLISHED} <= _measured(records, "one"):
        return Check(None, name)
    mine, theirs = (overall_mean(records, "one", key).whole for key in (DEFAULT, PUBLISHED))
    gain = round(mine - theirs, 6)
    text = f"{name}, whole volume, one slice: {gain:+.3f} ({mine:.3f}, published {theirs:.3f})"
    return Check(gain >= REPAIR_MUST_GAIN, text)


def _measured(records: list[TransferRecord], protocol: str) -> set[str]:
    """Keys that every record has."""
    return set.intersection(*(set(getattr(record, protocol)) for record in records)) if records else set()


def cost_checks(cost: TransferCost | None) -> list[Check]:
    """Checks on what a query slice costs, the support learned once and the queries in batches."""
    checks = []
    for encoder, networks in CHECKED.items():
        name = f"a query slice costs at most {MAX_PASSES:.2f} encoder passes ({encoder}; {', '.join(networks)})"
        heads = [head for head in cost.heads if head.encoder == encoder and head.network in networks] if cost else []
        if not heads:
            checks.append(Check(None, name))
            continue
        worst = max(heads, key=lambda head: head.passes)
        checks.append(Check(worst.passes <= MAX_PASSES, f"{name}: at most {worst.passes:.3f} ({worst.network})"))
    return checks


# Encoder → networks whose cost is checked.
CHECKED = {"resnet101": (PUBLISHED, "alpnet", DEFAULT), "propagator": (DEFAULT,)}
