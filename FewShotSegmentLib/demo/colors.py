"""Colours of organs: each its own, close to what Slicer's users know where there is a custom."""

from __future__ import annotations

Color = tuple[float, float, float]

_ORGANS: dict[str, Color] = {
    "liver": (0.87, 0.51, 0.40),
    "spleen": (0.62, 0.35, 0.62),
    "right kidney": (0.73, 0.40, 0.16),
    "left kidney": (0.95, 0.62, 0.22),
    "stomach": (0.85, 0.79, 0.38),
    "aorta": (0.90, 0.16, 0.16),
    "inferior vena cava": (0.16, 0.42, 0.90),
    "gallbladder": (0.30, 0.66, 0.28),
    "pancreas": (0.98, 0.86, 0.60),
    "urinary bladder": (0.95, 0.95, 0.40),
    "LV cavity": (0.91, 0.38, 0.48),
}
_OTHERS: tuple[Color, ...] = (
    (0.12, 0.70, 0.67),
    (0.55, 0.75, 0.22),
    (0.80, 0.47, 0.74),
    (0.42, 0.58, 0.84),
    (0.93, 0.55, 0.55),
    (0.60, 0.60, 0.60),
)


def color_of(name: str, number: int) -> Color:
    """Colour of an organ, red, green, blue 0 … 1; for unknown names the ``number``-th of a short list, in turns."""
    return _ORGANS.get(name, _OTHERS[number % len(_OTHERS)])
