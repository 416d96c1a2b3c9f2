"""Another patient: the same anatomy bent, turned, scaled and shifted, with some structures gone."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .draw import Draw
from .settings import SyntheticSettings


def other_patient(draw: Draw, labels: Tensor, settings: SyntheticSettings) -> Tensor:
    """Labels of another patient of the same anatomy.

    Args:
        draw: random numbers.
        labels: int64 [B, depth, size, size].
        settings: ranges.

    Returns:
        int64 of the same shape; 0 where the slice shows what lies outside the first one.
    """
    count, _, size, _ = labels.shape
    strength = draw.one_of((0.5, 1.0, 1.5))
    turn = draw.uniform(-1, 1, count) * settings.patient_turn * strength
    scale = (draw.uniform(-1, 1, count, 2) * settings.patient_scale * strength).exp()
    affine = torch.zeros(count, 2, 3, device=labels.device)
    affine[:, 0, 0], affine[:, 0, 1] = turn.cos() * scale[:, 0], -turn.sin()
    affine[:, 1, 0], affine[:, 1, 1] = turn.sin(), turn.cos() * scale[:, 1]
    affine[:, :, 2] = draw.uniform(-1, 1, count, 2) * settings.patient_shift * strength
    field = F.affine_grid(affine, [count, 1, size, size], align_corners=False)
    pixels, reach = draw.one_of((0.125, 0.25, 0.42)), draw.one_of((2.0, 5.0, 9.0))
    bend = draw.smooth(count, 2, (1, size, size), pixels * size, 2)[:, :, 0]
    field = field + bend.permute(0, 2, 3, 1) * strength * reach / 192 * 2
    bent = F.grid_sample(labels.float(), field, mode="nearest", padding_mode="zeros", align_corners=False)
    return bent.long()


def take_out(draw: Draw, labels: Tensor, regions: int, settings: SyntheticSettings) -> Tensor:
    """Labels without some structures: where one lay there is a region, as if it had never been.

    Args:
        draw: random numbers.
        labels: int64 [B, depth, size, size]; 1 to `regions` are regions, higher ones are structures.
        regions: number of regions.
        settings: how often.
    """
    count, highest = len(labels), int(labels.max()) + 1
    gone = draw.chance(0.5, count, highest) & draw.chance(settings.absent, count, 1)
    gone[:, : regions + 1] = False
    filling = draw.uniform(1, regions + 1, count, 1, 1, 1).long().expand_as(labels)
    return torch.where(gone.gather(1, labels.flatten(1)).view_as(labels), filling, labels)
