"""Blocks of synthetic anatomies: label volumes with an image, and two slices of another patient of each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .appearance import Tissues, draw_tissues, paint
from .draw import Draw
from .patient import other_patient, take_out
from .settings import SyntheticSettings
from .shapes import Grid, blob_level, body_level, draw_blob, fork_level, make_grid, mirrored


class SyntheticBlock(NamedTuple):
    """B anatomies, drawn together.

    Attributes:
        images: float32 [B, depth, size, size], mean 0 and deviation 1 over each volume.
        labels: uint8 [B, depth, size, size]; 0 surrounds the body, then regions, then structures.
        other_images: two neighbouring slices of another patient of each anatomy, [B, 2, size, size].
        other_labels: their labels.
        other_first: place of the first of them in the depth of `labels`.
        structures: first label that is a structure and no region.
    """

    images: Tensor
    labels: Tensor
    other_images: Tensor
    other_labels: Tensor
    other_first: int
    structures: int


def make_block(
    seed: int, count: int, settings: SyntheticSettings | None = None, device: torch.device | str = "cpu"
) -> SyntheticBlock:
    """Anatomies of one seed; the same seed gives the same bits on the same kind of device.

    The anatomies of a block share the number of regions and structures and some scales; places, shapes, tissues and
    noise are each one's own.

    Args:
        seed: 0 or more.
        count: how many, B.
        settings: ranges.
        device: where they are made and stay.
    """
    settings = settings or SyntheticSettings()
    draw = Draw(seed, device)
    labels, same_as, regions = _draw_labels(draw, count, settings)
    tissues = draw_tissues(draw, count, len(same_as), same_as, settings)
    images = paint(draw, labels, tissues, settings)
    first = draw.count(0, settings.depth - 2)
    pair = take_out(draw, labels[:, first : first + 2], regions, settings)
    pair = other_patient(draw, pair, settings)
    change = draw.one_of(settings.patient_tissue)
    other = Tissues(tissues.grey + draw.normal(*tissues.grey.shape) * change, tissues.texture)
    other_images = paint(draw, pair, other, settings)
    return SyntheticBlock(images, labels.to(torch.uint8), other_images, pair.to(torch.uint8), first, regions + 1)


def _draw_labels(draw: Draw, count: int, settings: SyntheticSettings) -> tuple[Tensor, Tensor, int]:
    """Labels int64 [B, depth, size, size], whose look each label has [labels], and the number of regions."""
    depth, size = settings.depth, settings.size
    grid = make_grid(depth, size, draw.device)
    regions = draw.one_of(settings.regions)
    labels = _draw_regions(draw, count, regions, grid, settings)
    same_as = list(range(regions + 1))
    waves = draw.smooth(
        count, 3, (depth, size, size), draw.one_of((0.05, 0.1, 0.17)) * size, draw.one_of((3.0, 6.0, 12.0))
    )
    twins = draw.number(0, 1) < settings.twins
    for _ in range(draw.count(*settings.blobs)):
        blob = draw_blob(draw, count, grid, settings)
        number = len(same_as)
        labels = torch.where(blob_level(blob, grid, waves) < 1, number, labels)
        same_as.append(number)
        if twins:
            labels = torch.where(blob_level(mirrored(blob, size), grid, waves.flip(-1)) < 1, number + 1, labels)
            same_as.append(number)
    for _ in range(draw.count(*settings.forks)):
        blob = draw_blob(draw, count, grid, settings)
        labels = torch.where(fork_level(draw, blob, grid, waves) < 1, len(same_as), labels)
        same_as.append(len(same_as))
    labels = _add_body(draw, labels, len(same_as), grid, settings)
    same_as.append(len(same_as))
    return labels, torch.tensor(same_as, device=draw.device), regions


def _draw_regions(draw: Draw, count: int, regions: int, grid: Grid, settings: SyntheticSettings) -> Tensor:
    """A partition of space into regions 1, 2, …: where which of several noise fields is highest."""
    shape = (grid.depth, grid.size, grid.size)
    pixels = draw.one_of(settings.region_scale) * grid.size
    fields = 0.6 * draw.number(0, 1) * draw.normal(count, regions, 1, 1, 1)
    for octave, weight in ((2.0, 1.0), (1.0, 0.5), (0.4, 0.18)):
        # slices are further apart than pixels: a tenth to a half of the scale in pixels
        slices = max(1.5, pixels * octave * draw.number(0.08, 0.4))
        fields = fields + weight * draw.smooth(count, regions, shape, pixels * octave, slices)
    return fields.argmax(1) + 1


def _add_body(draw: Draw, labels: Tensor, skin: int, grid: Grid, settings: SyntheticSettings) -> Tensor:
    """Background and skin, in some of the volumes."""
    one = (len(labels), 1, 1, 1)
    has_body = draw.chance(settings.body, *one)
    radius = body_level(draw, len(labels), grid)
    labels = torch.where(has_body & (radius > 1 - draw.uniform(0.03, 0.15, *one)), skin, labels)
    return torch.where(has_body & (radius > 1), 0, labels)
