"""How sure the engine is of a slice."""

from __future__ import annotations

from torch import Tensor


def slice_confidence(probability: Tensor, presence: float = 1.0) -> float:
    """Confidence in a slice's mask, 0 to 1.

    Where something is found: the soft Dice between the probabilities and the mask they are cut to,
    2 Σ p·m / (Σ p + Σ m) with m = p > ½, which falls with unsure pixels in proportion to the mask's size.
    It is multiplied by how likely the structure is there at all. Where nothing is found: 1 − max p, how sure it is
    that the structure is not there.

    Args:
        probability: [H, W], 0 to 1.
        presence: 0 to 1.
    """
    mask = probability > 0.5
    area = float(mask.sum())
    if area == 0:
        return 1.0 - float(probability.max())
    total = float(probability.sum())
    return presence * 2.0 * float((probability * mask).sum()) / (total + area)
