r"""ALP: adaptive local prototypes (SSL-ALPNet, Ouyang et al., ECCV 2020, section 3.3).

The support's features and mask are averaged in windows; every window whose mask exceeds 0.95 is a prototype,

.. math:: p_{mn} = \operatorname{mean}_{window(m,n)} f, \qquad \operatorname{mean}_{window(m,n)} m > 0.95.

In training the map is cut into 8 × 8 windows (4 × 4 cells of a 32 × 32 map), in validation windows are 2 × 2 cells.

Published code: windows that are neither 0.95 foreground nor 0.95 background are dropped from both. Whether the
foreground has local prototypes at all is asked of 4 × 4 windows, in validation too, so organs with many full 2 × 2
windows get none. With no window left the code raises; here the masked average takes its place.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .pooling import masked_average

THRESHOLD = 0.95
"""Share of a window that must belong to a class; the published value."""

_PRESENCE_WINDOW = 4


def window_size(height: int, width: int, grid: int, validation: int | None) -> tuple[int, int]:
    """Cells of a window: `validation` squared if given, else the map cut into `grid` × `grid`; within the map."""
    if validation is not None:
        return min(validation, height), min(validation, width)
    return max(height // grid, 1), max(width // grid, 1)


def pool_windows(features: Tensor, masks: Tensor, window: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Features and masks averaged in windows, those of all shots together.

    Args:
        features: [S, C, h, w].
        masks: [S, 1, h, w].
        window: height and width in cells; what is left over at the far edges is dropped, as published.

    Returns:
        Features [N, C] and covered shares [N], N = S · ⌊h / height⌋ · ⌊w / width⌋.
    """
    pooled = F.avg_pool2d(features, window).flatten(2).transpose(1, 2)
    return pooled.flatten(0, 1), F.avg_pool2d(masks, window).flatten()


def has_full_window(masks: Tensor, threshold: float = THRESHOLD) -> bool:
    """Whether some 4 × 4 window of [S, 1, h, w] is covered to `threshold`: published test for local foreground."""
    window = min(_PRESENCE_WINDOW, masks.shape[-2]), min(_PRESENCE_WINDOW, masks.shape[-1])
    return bool(F.avg_pool2d(masks, window).max() >= threshold)


def or_average(prototypes: Tensor, features: Tensor, masks: Tensor) -> Tensor:
    """`prototypes` [K, C] if any, else the masked average over all shots [1, C] (zeros if no cell is covered)."""
    if len(prototypes):
        return prototypes
    # shots side by side, so that one without such cells does not count
    return masked_average(_side_by_side(features), _side_by_side(masks))


def _side_by_side(maps: Tensor) -> Tensor:
    return maps.permute(1, 2, 0, 3).flatten(2)[None]
