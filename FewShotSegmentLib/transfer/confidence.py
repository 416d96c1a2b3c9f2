"""How sure it is that the right organ was found at all."""

from __future__ import annotations

from ..settings import Settings


def overall_confidence(strength: float, settings: Settings) -> float:
    """0 to 1 from the surest anchor, with one half where the organ counts as found.

    Args:
        strength: see `Finding`.
        settings: `found_above`.
    """
    line = settings.found_above
    # what counts as not found must not read as 0.50
    share = min(0.49, strength / (2 * line)) if strength < line else 0.5 + 0.5 * (strength - line) / (1 - line)
    return min(1.0, max(0.0, share))


def is_found(strength: float, settings: Settings) -> bool:
    """Whether the organ counts as probably found."""
    return strength >= settings.found_above
