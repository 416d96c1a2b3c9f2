"""The alignment loss: what a query was segmented to must in turn segment the support.

Introduced by PANet (Wang et al., ICCV 2019), used by SSL-ALPNet and DSPNet with weight 1 beside the query's own loss.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import InputError
from .fewshot import FewShotNetwork, PrototypeMethod

_IGNORED = 255


def alignment_loss(
    network: FewShotNetwork[Any],
    support_features: Tensor,
    support_masks: Tensor,
    query_features: Tensor,
    query_scores: Tensor,
) -> Tensor:
    """Cross-entropy of the support, segmented with prototypes from the query.

    As published: the query's mask is the hard argmax of its scores on the feature grid, so gradient passes through
    features only; windows are those of training; the cross-entropy is not weighted (the query's own loss weighs the
    background 0.05); pixels of a soft mask that are neither 0 nor 1 are ignored; the mean is taken over shots.
    Published code raises, and skips the episode, where the predicted background fills no window; here the masked
    average is used. A predicted foreground without a cell scores 0 everywhere, as published. Published code has one
    query; of several each segments the support on its own, and the mean is taken.

    Args:
        network: one that compares with prototypes; its `align` says whether this loss is wanted.
        support_features: [S, C, h, w].
        support_masks: [S, H, W], bool or 0 to 1.
        query_features: [Q, C, h', w'].
        query_scores: logits on the feature grid, [Q, 2, h', w'], from `network.score`.

    Returns:
        A number; 0 if the network is set not to align.

    Raises:
        InputError: the network has no prototypes.
    """
    if not isinstance(network, PrototypeMethod):
        raise InputError("The alignment loss needs a network that compares with prototypes.")
    if not network.align:
        return support_features.new_zeros(())
    labels = torch.full(support_masks.shape, _IGNORED, device=support_masks.device)
    labels[support_masks == 1] = 1
    labels[support_masks == 0] = 0
    counts = (labels != _IGNORED).sum((1, 2)).clamp_min(1)
    size = (support_masks.shape[-2], support_masks.shape[-1])
    losses = []
    for features, scores in zip(query_features, query_scores, strict=True):
        foreground = (scores.argmax(0) == 1).to(features)[None, None]
        memory = network.learn_cells(features[None], foreground, 1 - foreground, validation=False)
        logits = network.segment(memory, support_features, size)
        errors = F.cross_entropy(logits, labels, ignore_index=_IGNORED, reduction="none")
        losses.append((errors.sum((1, 2)) / counts).mean())
    return torch.stack(losses).mean()
