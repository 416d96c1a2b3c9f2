r"""How much a cell is like a set of prototypes.

.. math:: d_k = 20\,\cos(p_k, f), \qquad s = \sum_k \mathrm{softmax}_k(d)\; d_k

(SSL-ALPNet, eq. 3-4; DSPNet takes it over.) A norm below 1e-4 is taken as 1e-4, so a vector of zeros scores 0 and not
nan: an empty mask's prototype is nowhere preferred to a background that resembles at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

NORM_FLOOR = 1e-4
"""Least norm that is divided by; the published value."""

SCALE = 20.0
"""Factor on the cosine; the published value."""


def safe_norm(x: Tensor, dim: int) -> Tensor:
    """Norm along `dim` (kept), at least `NORM_FLOOR`."""
    norms: Tensor = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    return norms.clamp_min(NORM_FLOOR)


def unit(x: Tensor, dim: int) -> Tensor:
    """Vectors along `dim` at length 1; shorter than 1 where their norm is below `NORM_FLOOR`."""
    return x / safe_norm(x, dim)


def standardise(features: Tensor) -> Tensor:
    """Each channel of each slice at zero mean and unit deviation: [N, C, h, w] → [N, C, h, w]."""
    features = features - features.mean((-2, -1), keepdim=True)
    variance = features.square().mean((-2, -1), keepdim=True)
    # added within the root, which has no gradient at 0
    return features / (variance + 1e-10).sqrt()


def cosine_scores(features: Tensor, *prototypes: Tensor) -> Tensor:
    """20 · cosine of every cell with every prototype.

    Args:
        features: [Q, C, h, w].
        prototypes: sets, each [K, C] for all queries or [Q, K, C] for each its own; K may be 0.

    Returns:
        [Q, ΣK, h, w].
    """
    flat = features.flatten(2)
    # the product is scaled, not the features: K is mostly less than C, and a set may serve many queries
    scores = torch.cat([torch.matmul(unit(p, -1), flat) for p in prototypes], 1)
    scores = scores * (SCALE / safe_norm(flat, 1))
    return scores.view(*scores.shape[:2], *features.shape[-2:])


def euclidean_scores(features: Tensor, *prototypes: Tensor) -> Tensor:
    """Minus the squared distance of every cell to every prototype, mean over channels; shapes as `cosine_scores`.

    Prototypical networks (Snell et al., NeurIPS 2017) sum over channels; the mean keeps the softmax as sharp whatever
    the number of channels.
    """
    flat = features.flatten(2)
    squares = flat.square().sum(1, keepdim=True)
    parts = [2 * torch.matmul(p, flat) - p.square().sum(-1, keepdim=True) - squares for p in prototypes]
    scores = torch.cat(parts, 1) / features.shape[1]
    return scores.view(*scores.shape[:2], *features.shape[-2:])


def softmax_pool(scores: Tensor) -> Tensor:
    """Scores of K ≥ 1 prototypes as one, weighted by their softmax: [Q, K, h, w] → [Q, 1, h, w]."""
    if scores.shape[1] == 1:
        return scores
    return (scores.softmax(1) * scores).sum(1, keepdim=True)
