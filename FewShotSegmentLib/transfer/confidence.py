"""How sure it is that the right organ was found at all."""

from __future__ import annotations

from ..settings import Settings


def overall_confidence(score: float, settings: Settings) -> float:
    """0 to 1 from the surest anchor's score, with one half where the organ counts as found.

    Args:
        score: see `locate`.
        settings: `found_above`.
    """
    line = settings.found_above
    share = score / (2 * line) if score < line else 0.5 + 0.5 * (score - line) / (1 - line)
    return min(1.0, max(0.0, share))


def is_found(score: float, settings: Settings) -> bool:
    """Whether the organ counts as probably found."""
    return score >= settings.found_above
