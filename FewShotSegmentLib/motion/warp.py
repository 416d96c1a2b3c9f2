"""Images and masks moved by displacements.

A displacement says where to look, not where to go: a structure moves against it. Pixels are counted by their middles,
so that column 0 is the middle of the first one.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def warp(x: Tensor, displacement: Tensor, outside: str = "zeros") -> Tensor:
    """`x` as seen from where the displacement leads: out(p) = x(p + u(p)), bilinear.

    Args:
        x: [N, C, h, w], float32.
        displacement: u, [N, 2, h, w], columns first, then rows, in pixels.
        outside: "zeros" (masks), or "border" to go on with the outermost pixel (images).

    Returns:
        [N, C, h, w], within the range of x (and 0).
    """
    height, width = x.shape[-2:]
    at = pixel_places(height, width, x.device) + displacement
    grid = torch.stack([(2 * at[:, 0] + 1) / width - 1, (2 * at[:, 1] + 1) / height - 1], -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=outside, align_corners=False)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """One displacement for two: warping by the result is warping by `first` and the outcome by `then`.

    Args:
        first: [N, 2, h, w], from slice a to slice b, in pixels.
        then: [N, 2, h, w], from slice b to slice c.

    Returns:
        [N, 2, h, w], from slice a to slice c.
    """
    # the edge goes on: with zeros, whatever comes from outside would be said not to have moved
    return then + warp(first, then, "border")


def enlarge(displacement: Tensor, size: tuple[int, int]) -> Tensor:
    """The same motion on a grid of another size that covers the same region.

    Args:
        displacement: [N, 2, h, w], in pixels of its own grid.
        size: (height, width) of the other grid.

    Returns:
        [N, 2, height, width], in pixels of the other grid: of twice the size, twice as many.
    """
    height, width = displacement.shape[-2:]
    if (height, width) == size:
        return displacement
    larger = F.interpolate(displacement, size=size, mode="bilinear", align_corners=False)
    return larger * larger.new_tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def pixel_places(height: int, width: int, device: torch.device) -> Tensor:
    """Column and row of every pixel, [1, 2, h, w], from 0; kept for the last few sizes.

    Made outside inference mode, since what is made within it could not serve a training later.
    """
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y])[None].float()
