"""Losses on masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..networks.propagator import MATCH_STRIDE


def soft_dice(found: Tensor, truth: Tensor) -> Tensor:
    """Dice of each of N masks [N, 1, H, W] (0 to 1 or bool), [N]; nan where the truth is empty."""
    found, truth = found.float(), truth.float()
    both, total = (found * truth).sum((1, 2, 3)), found.sum((1, 2, 3)) + truth.sum((1, 2, 3))
    return torch.where(truth.sum((1, 2, 3)) > 0, 2 * both / total.clamp_min(1e-6), torch.nan)


def mask_loss(logits: Tensor, coarse: Tensor, truth: Tensor) -> Tensor:
    """3 · cross-entropy + (1 − Dice) at full resolution + half a cross-entropy at stride 8, for each of N masks.

    Dice counts a pixel more in numerator and denominator, so that an empty truth has a gradient: about 1 as soon as
    some pixels are drawn there, which is what ends a run.

    Args:
        logits: [N, 1, H, W].
        coarse: logits [N, 1, H/8, W/8].
        truth: [N, 1, H, W], 0 to 1.

    Returns:
        [N].
    """
    p = logits.sigmoid()
    both, total = (p * truth).sum((1, 2, 3)), p.sum((1, 2, 3)) + truth.sum((1, 2, 3))
    dice = (2 * both + 1) / (total + 1)
    fine = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2, 3))
    small = F.avg_pool2d(truth, MATCH_STRIDE)
    rough = F.binary_cross_entropy_with_logits(coarse, small, reduction="none").mean((1, 2, 3))
    return 3 * fine + (1 - dice) + 0.5 * rough


def balanced_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy on the feature grid, foreground and background with the same weight.

    Args:
        logits: [N, 1, h, w].
        truth: [N, 1, H, W], 0 to 1, of any multiple of the size.
    """
    covered = F.adaptive_avg_pool2d(truth, (logits.shape[-2], logits.shape[-1]))
    errors = F.binary_cross_entropy_with_logits(logits, covered, reduction="none")
    # a structure that is absent leaves the background alone
    parts = [(errors * w).sum() / w.sum().clamp_min(1e-6) for w in (covered, 1 - covered)]
    return parts[0] + parts[1]
