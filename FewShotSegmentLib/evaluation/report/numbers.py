"""How figures are written in tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..statistics import Summary

NOTHING = "–"
"""Where a value is not defined."""

METRIC_TITLES = {
    "dice": "Dice, whole volume",
    "dice_extent": "Dice, own slices",
    "iou": "IoU",
    "precision": "Precision",
    "recall": "Recall",
    "hausdorff_mm": "Hausdorff mm",
    "hd95_mm": "HD95 mm",
    "asd_mm": "ASD mm",
    "nsd": "NSD",
    "volume_error": "Volume error",
}
"""Heads of columns."""

HIGHER_IS_BETTER = {"dice", "dice_extent", "iou", "precision", "recall", "nsd"}
"""Of the other metrics the value nearest 0 is the best one."""


def number(value: float | None, digits: int = 3) -> str:
    """A figure: "0.865", "–" where it is not defined, "∞" where it is infinite."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    # −0.000 says nothing; the minus of the field is longer than a hyphen
    return text.replace("-", "" if float(text) == 0 else "−")


def mean_and_sd(summary: Summary, digits: int = 3) -> str:
    """Mean and spread: "0.865 ± 0.041", followed by "∞ (2)" where two values are infinite."""
    parts = []
    if summary.mean is not None:
        spread = "" if summary.sd is None else f" ± {number(summary.sd, digits)}"
        parts.append(number(summary.mean, digits) + spread)
    if summary.n_infinite:
        parts.append(f"∞ ({summary.n_infinite})")
    return ", ".join(parts) or NOTHING


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval: "0.842 … 0.888"; "" where there is none."""
    return "" if low is None or high is None else f"{number(low, digits)} … {number(high, digits)}"


def p_value(value: float | None) -> str:
    """A p-value: "0.012", "< 0.001", "–"."""
    if value is not None and value < 0.001:
        return "< 0.001"
    return number(value)


def count(value: int, noun: str, plural: str = "") -> str:
    """A number of things: "1 case", "3 cases"."""
    return f"{value} {noun if value == 1 else plural or noun + 's'}"
