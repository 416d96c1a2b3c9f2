r"""Seeds for clustering: places in the mask as far from its border and from each other as can be.

The mask is sampled at every eighth pixel; area/100 seeds, at most 5, are set one after the other at the maximum of the
distance transform, each becoming background for the next (after Li et al., ASGNet, CVPR 2021). With fewer than 2 there
are none.

Published code, kept: the area is counted in cells of the 32 × 32 map but divided by 100 as if in pixels, so most organs
get no seed; the transform sees the mask's bounding box only, whose outside is not background; a mask that fills its box
has no background at all, and scipy's transform then measures from the place above the first cell (-1, 0); seeds are
counted afterwards by their NON-ZERO COORDINATES, so seeds on row or column 0 can miscount; the blur of the transform
(sigma 0.1) changes nothing and is left out. Not kept: height and width swapped in the sampling of images that are not
square.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_SEEDS = 5
CELLS_PER_SEED = 100

_FAR = 1 << 40


def sample_nearest(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest sampling: [H, W] → [h, w], source index ⌊i · H/h⌋; at stride 8, every eighth pixel from the first on."""
    rows, columns = (
        torch.arange(cells, device=mask.device) * length // cells
        for cells, length in zip(size, mask.shape, strict=True)
    )
    return mask[rows][:, columns]


def squared_distance_to_background(mask: Tensor) -> Tensor:
    """Exact squared distance of each cell to the nearest one outside the mask: bool [h, w] → int64 [h, w].

    Whole numbers, so that ties are ties. Of a mask without background, distances to (-1, 0), as scipy has it.
    """
    h, w = mask.shape
    y, x = torch.arange(h, device=mask.device), torch.arange(w, device=mask.device)
    if bool(mask.all()):
        return (y[:, None] + 1) ** 2 + x[None] ** 2
    height = torch.where(mask, _FAR, 0)
    # along the columns, then along the rows: the parabolas' lower envelope by looking at all of them
    column = ((y[:, None] - y[None]) ** 2)[:, :, None].add(height[None]).amin(1)
    return ((x[:, None] - x[None]) ** 2)[None].add(column[:, None]).amin(2)


def place_seeds(mask: Tensor, size: tuple[int, int], count_by_coordinates: bool = True) -> Tensor:
    """Seeds on the feature grid.

    Args:
        mask: bool [H, W].
        size: height and width of the feature grid, h and w.
        count_by_coordinates: count the seeds as the published code does; False keeps all of them.

    Returns:
        Rows and columns, int64 [n, 2], n from 0 to 5, on the CPU.
    """
    none = torch.zeros(0, 2, dtype=torch.int64)
    cells = sample_nearest(mask, size).cpu()
    places = cells.nonzero()
    if not len(places):
        return none
    count = min(round(len(places) / CELLS_PER_SEED), MAX_SEEDS)
    if count < 2:
        return none
    corner = places.amin(0)
    end = places.amax(0) + 1
    box = cells[corner[0] : end[0], corner[1] : end[1]].clone()
    seeds = []
    for _ in range(count):
        flat = int(squared_distance_to_background(box).argmax())
        row, column = divmod(flat, box.shape[1])
        box[row, column] = False
        seeds.append(torch.tensor([row, column]) + corner)
    found = torch.stack(seeds)
    if count_by_coordinates:
        found = found[: int((found != 0).sum(0).max())]
    return found
