"""Windows around structures, made of sequences: what the refiner is trained on."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..motion import RegistrationSettings, enlarge, register
from ..networks.blocks import resize_like
from ..synthetic.draw import Draw
from .batches import SequenceBatch
from .seeds import seed_of
from .settings import TrainSettings

MARGIN = (1.7, 3.3)
"""Side of a window in sides of the square around the annotated mask; see `Settings.window_margin` for use."""

LEAST_SIDE = 10
"""Least side of a window in pixels of the slice, as in use (`Settings.window_least`)."""

HALF_LENGTH = (0.8, 0.45)
"""Distance from the annotated slice to a structure's end, in diameters of a disc of its area there: median, and
standard deviation of the logarithm. Organs and tumours mostly lie between 0.4 and 1.5 where their middle is
annotated."""

TUBES = 0.3
"""Share of structures that are longer by `TUBE_FACTOR`: vessels, cord, bowel."""

TUBE_FACTOR = (2.0, 12.0)
"""How much longer, at least and at most: a spinal cord has twenty diameters."""

STEP = (0.01, 0.6)
"""Least and most distance between two slices, in diameters: 1 mm where a structure has 100 mm, 5 mm where it has 8."""

FARTHER_OUT = 0.6
"""Share of parts that may begin some slices away from the annotated one."""

COARSER = (1, 1, 1, 2, 3, 4)
"""Factors by which pixels are larger than the slices'; one is drawn for a batch. Organs of a few pixels are common: the
spinal cord in a planning CT of 5 mm pixels has four."""

REGISTRATION = RegistrationSettings(iterations=(10, 12, 12))
"""Fewer steps than in use, for speed; the finest grid is half the window's."""


class WindowBatch(NamedTuple):
    """B sequences of windows, anchors first; h = w = the training's window.

    Attributes:
        anchor_image: [B, 1, h, w], mean 0 and deviation 1; slices share the anchor's scale.
        anchor_mask: [B, 1, h, w], 0 to 1.
        start_image: the slice before the first, [B, 1, h, w]; the anchor, or one farther out.
        start_mask: its true mask, [B, 1, h, w], 0 to 1; what is handed on to the first slice.
        start_displacement: from the anchor to it, [B, 2, h, w], in pixels of the window; 0 where it is the anchor.
        start_distance: of it from the anchor, in diameters, [B]; 0 where it is the anchor.
        images: [B, T, h, w], in the order in which they are visited.
        masks: [B, T, h, w], 0 to 1; zeros where the structure has ended.
        displacements: from the slice before (the first from the start), [B, T, 2, h, w], in pixels of the window,
            columns first.
        distances: from the anchor, in diameters of a disc of its area, [B, T], rising.
        own_prior: bool [T], whether the network's own mask or the true one is handed on from slice t; where the true
            one is not known, its own is.
        known: [B, T], 1 where the mask says the truth; others do not count in the loss.
    """

    anchor_image: Tensor
    anchor_mask: Tensor
    start_image: Tensor
    start_mask: Tensor
    start_displacement: Tensor
    start_distance: Tensor
    images: Tensor
    masks: Tensor
    displacements: Tensor
    distances: Tensor
    own_prior: Tensor
    known: Tensor

    @property
    def number(self) -> int:
        """How many sequences, B."""
        return len(self.images)

    @property
    def weight(self) -> float:
        """How many masks are known: what the loss is a mean over."""
        return float(self.known.sum())

    @property
    def slices(self) -> int:
        """Windows that pass through the network; anchors do not."""
        return self.images.shape[0] * self.images.shape[1]

    def to(self, device: torch.device) -> WindowBatch:
        """The same on a device."""
        return WindowBatch._make(value.to(device) for value in self)

    def pieces(self, number: int) -> list[WindowBatch]:
        """In at most so many pieces along B."""
        number = min(number, self.number)
        cuts = [
            [value] * number if name == "own_prior" else value.tensor_split(number)
            for name, value in self._asdict().items()
        ]
        return [WindowBatch._make(parts) for parts in zip(*cuts, strict=True)]


class Sequences(Protocol):
    """Where sequences come from."""

    def part(self, step: int, part: int) -> SequenceBatch:
        """Part `part` of the batch of step `step`."""


class WindowSource:
    """Parts of batches for the refiner; the same (step, part) gives the same bits.

    Args:
        sequences: of one patient's slices each, longer than `settings.windows` where there are that many slices.
        settings: window, number of slices and seed.
    """

    def __init__(self, sequences: Sequences, settings: TrainSettings):
        self._sequences = sequences
        self._settings = settings

    @torch.no_grad()
    def part(self, step: int, part: int) -> WindowBatch:
        """Part `part` of the batch of step `step`."""
        settings = self._settings
        batch = self._sequences.part(step, part)
        draw = Draw(seed_of(settings.seed, "windows", step, part), batch.images.device)
        distances = _distances(draw, batch)
        # far from the anchor there is something to learn too: begin there, with the true mask of the slice before
        length = batch.images.shape[1]
        skipped = draw.count(0, max(0, length - settings.windows)) if draw.number(0, 1) < FARTHER_OUT else 0
        shown = slice(skipped, min(length, skipped + settings.windows))
        start = slice(max(0, skipped - 1), skipped)
        masks = torch.cat([batch.support_masks, batch.masks[:, start], batch.masks[:, shown]], 1)
        images = torch.cat([batch.support_images, batch.images[:, start], batch.images[:, shown]], 1)
        coarser = draw.one_of(COARSER)
        if coarser > 1:
            images, masks = _coarser(images, masks, coarser)
        grid = _grid(draw, batch.support_masks, settings.size_of_window)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        masks = F.grid_sample(masks, grid, padding_mode="zeros", align_corners=False)
        scale = images[:, :1].std((2, 3), keepdim=True) + 1e-3
        images = (images - images[:, :1].mean((2, 3), keepdim=True)) / scale
        steps = between_neighbours(images, REGISTRATION)
        first = 1 if skipped else 0
        known = batch.known[:, shown] * (masks[:, :1].sum((2, 3)) > 0)
        if skipped:
            known = known * batch.known[:, start]
        return WindowBatch(
            images[:, :1],
            masks[:, :1],
            images[:, first : first + 1],
            masks[:, first : first + 1],
            steps[:, 0] if skipped else torch.zeros_like(steps[:, 0]),
            distances[:, skipped - 1] if skipped else torch.zeros_like(distances[:, 0]),
            images[:, first + 1 :],
            masks[:, first + 1 :],
            steps[:, first:],
            distances[:, shown],
            batch.own_prior[shown],
            known,
        )


def _coarser(images: Tensor, masks: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Slices as of a scanner with larger pixels, and their masks drawn in these pixels, at the size they had.

    A mask of which no such pixel would be left on the annotated slice stays as it was, like its images.

    Args:
        images: [B, T, H, W], the annotated slice first.
        masks: the same, 0 or 1.
        factor: how many pixels a side make one; of sides that are no multiple of it the rest is cut off, and what is
            left is stretched (by 1.6 % at 128 pixels and factor 3).

    Returns:
        [B, T, H, W] both; masks 0 to 1.
    """
    few = (F.avg_pool2d(masks, factor) >= 0.5).float()
    left = (few[:, :1].sum((2, 3)) > 2)[:, :, None, None]
    blurred, drawn = resize_like(F.avg_pool2d(images, factor), images), resize_like(few, masks)
    return torch.where(left, blurred, images), torch.where(left, drawn, masks)


def between_neighbours(images: Tensor, settings: RegistrationSettings) -> Tensor:
    """Displacements from every slice to the next, found at half the resolution.

    Args:
        images: [B, T, h, w], mean 0 and deviation 1; cut at 3 deviations, so that the contrast is what `register`
            expects.
        settings: of the registration on the grid of h/2 × w/2.

    Returns:
        [B, T − 1, 2, h, w], in pixels of h × w.
    """
    count, length, height, width = images.shape
    small = F.avg_pool2d(images.clamp(-3, 3), 2)
    before, after = (x.reshape(-1, 1, *small.shape[2:]) for x in (small[:, :-1], small[:, 1:]))
    return enlarge(register(before, after, settings), (height, width)).view(count, length - 1, 2, height, width)


def _distances(draw: Draw, batch: SequenceBatch) -> Tensor:
    """Distance of every slice from the anchor, in diameters, [B, T].

    Sequences have no millimetres (synthetic ones) or structures that no organ is like (supervoxels). So how far slices
    lie apart is drawn: such that the distance at which the structure ends is as with organs.
    """
    count, length = batch.images.shape[:2]
    # of what is not known nothing says that it has ended
    there = (batch.masks.sum((2, 3)) > 0) | (batch.known == 0)
    after_end = torch.where(there.all(1), length, there.float().argmin(1))
    ends = ~there.all(1)
    end = HALF_LENGTH[0] * (draw.normal(count) * HALF_LENGTH[1]).exp()
    longer = torch.where(draw.chance(TUBES, count), draw.uniform(*TUBE_FACTOR, count), torch.ones_like(end))
    end = end * longer
    # in slices: between the last that has the structure and the first that lacks it, or somewhere past those seen
    seen = torch.where(ends, after_end + draw.uniform(-0.1, 0.9, count), length / draw.uniform(0.15, 0.95, count))
    step = (end / seen.clamp_min(0.5)).clamp(*STEP)
    return step[:, None] * torch.arange(1, length + 1, device=step.device)


def _grid(draw: Draw, masks: Tensor, size: int) -> Tensor:
    """Sampling grid of a square window around each mask, at random mirrored and turned by a quarter.

    Args:
        draw: margins, shifts and mirrors of each, and whether all are turned.
        masks: [B, 1, H, W]; where one is empty the window lies in the middle.
        size: pixels of the window's sides, whatever it covers of the slice.

    Returns:
        [B, size, size, 2] as `grid_sample` takes it, columns first, −1 to 1 within the slice.
    """
    count, _, height, width = masks.shape
    rows, columns = (masks[:, 0] > 0).any(2), (masks[:, 0] > 0).any(1)
    boxes = []
    for seen in (rows, columns):
        n = seen.shape[1]
        at = torch.arange(n, device=masks.device)
        least = torch.where(seen, at, n).amin(1).clamp(max=n - 1)
        most = torch.where(seen, at, -1).amax(1).clamp(min=0)
        boxes.append(((least + most).float() / 2 + 0.5, (most - least).float() + 1))
    (y, tall), (x, wide) = boxes
    side = (torch.maximum(tall, wide) * draw.uniform(*MARGIN, count)).clamp(LEAST_SIDE, max(height, width))
    shift = draw.normal(count, 2) * 0.03 * side[:, None]
    line = (torch.arange(size, device=masks.device) + 0.5) / size - 0.5
    mirror = torch.where(draw.chance(0.5, count, 2), 1.0, -1.0)
    at_y = (y + shift[:, 0])[:, None] + side[:, None] * line * mirror[:, :1]
    at_x = (x + shift[:, 1])[:, None] + side[:, None] * line * mirror[:, 1:]
    at_y, at_x = 2 * at_y / height - 1, 2 * at_x / width - 1
    grid_y = at_y[:, :, None].expand(-1, -1, size)
    grid_x = at_x[:, None, :].expand(-1, size, -1)
    if draw.number(0, 1) < 0.5:
        grid_y, grid_x = grid_y.transpose(1, 2), grid_x.transpose(1, 2)
    return torch.stack([grid_x, grid_y], -1)
