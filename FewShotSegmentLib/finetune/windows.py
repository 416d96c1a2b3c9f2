"""Sequences of windows along annotated slices, cut and registered as the engine does it in use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..episodes.transforms import TransformSettings, apply_transform, draw_transform
from ..motion import register
from ..preprocessing import NormalisedVolume, Window, WindowedVolume, box_of_mask, window_around
from ..settings import Settings
from ..training.windows import WindowBatch
from .cases import AnnotatedVolume, evenly

_CLIPPED = 3.0
"""Deviations beyond which grey values are cut for registration, as in use (`propagation.neighbours`)."""

_REACH = 3
"""Annotated slices in either direction that are walked to: what is farther is in use found from another one."""

_LONGEST = 8
"""Slices without annotation on a walk at most; of a longer way, evenly chosen ones."""

_SIDES = (0.85, 1.25)
"""Side of a window in sides of the one in use."""

_SHIFT = 0.04
"""Deviation of a window's place from the one in use, in sides."""

_SHOWN = 0.5
"""Share of a mask that its window must show; elsewhere what is seen of it would be no truth."""

_NEIGHBOUR = TransformSettings(rotate=2, shift=2, zoom=(0.94, 1.06), alpha=220, sigma=20, gamma=(0.9, 1.1), noise=0.05)
"""From a slice to what its neighbour may look like: borders move by 2 pixels of 256 (a deviation), which leaves slices
of 7.7 mm an overlap as they have it, 0.8 to 0.85."""

_COPIES = 2

_CPU = torch.device("cpu")


class Walk(NamedTuple):
    """From a drawn slice over others, or over bent copies of itself.

    Attributes:
        anchor: the drawn slice.
        slices: those that are visited, in this order, the last one annotated; none for bent copies of the anchor.
    """

    anchor: int
    slices: tuple[int, ...]


def plan_walks(volume: AnnotatedVolume, segment: str) -> list[Walk]:
    """Walks from each slice that a segment is drawn on to the annotated slices next to it, and to itself.

    No slice that is hidden is visited. Where the segment is annotated as absent, a walk ends there.

    Args:
        volume: annotated.
        segment: its name.
    """
    masks = volume.anchors.get(segment, {})
    filled = set(volume.filled(segment))
    walks = []
    for anchor in sorted(filled):
        for step in (-1, 1):
            beyond = sorted((i for i in masks if (i - anchor) * step > 0), key=lambda i: i * step)
            for target in beyond[:_REACH]:
                way = [i for i in range(anchor + step, target, step) if i not in volume.hidden]
                unknown = evenly([i for i in way if i not in masks], _LONGEST)
                visited = {target, *unknown, *(i for i in way if i in masks)}
                walks.append(Walk(anchor, tuple(sorted(visited, key=lambda i: i * step))))
                if target not in filled:
                    break
        walks.append(Walk(anchor, ()))
    return walks


def walk_windows(
    volume: AnnotatedVolume, segment: str, walk: Walk, settings: Settings, rng: np.random.Generator, as_in_use: bool
) -> WindowBatch:
    """One sequence of windows along a walk.

    Args:
        volume: annotated.
        segment: its name.
        walk: of `plan_walks`.
        settings: the engine's.
        rng: of the window's place and size, and of bent copies.
        as_in_use: put the window where the engine has it.

    Returns:
        A batch of one; everywhere the network's own mask is to be handed on.
    """
    whole = volume.finest or volume.grid
    drawn = volume.anchors[segment]
    window = window_around(box_of_mask(drawn[walk.anchor], whole.size), whole.size, settings)
    if not as_in_use:
        window = _moved(window, rng)
    if walk.slices:
        return cut_windows(whole, (walk.anchor, *walk.slices), drawn, window, settings)
    return cut_windows(*_bent_copies(whole, walk.anchor, drawn[walk.anchor], rng), window, settings)


def cut_windows(
    volume: NormalisedVolume,
    path: Sequence[int],
    masks: Mapping[int, NDArray[np.bool_]],
    window: Window,
    settings: Settings,
) -> WindowBatch:
    """Slices and masks as the refiner sees them through one window.

    Args:
        volume: whose slices they are.
        path: indices of slices: the anchor, then those that are visited.
        masks: {index: bool [row, column] of the volume's own grid}, the anchor's among them; of others nothing is
            known.
        window: around the anchor's mask.
        settings: the engine's.

    Returns:
        A batch of one sequence, h = w = `settings.refiner_size`.
    """
    size = settings.refiner_size
    view = WindowedVolume(volume, window, size)
    images = torch.cat([view.image(index, _CPU) for index in path])
    images = (images - images[:1].mean()) / (images[:1].std() + 1e-3)
    chain = images.clamp(-_CLIPPED, _CLIPPED)
    steps = register(chain[:-1], chain[1:])
    anchor = view.mask_to_grid(masks[path[0]], _CPU)
    truths, known = [], []
    for index in path[1:]:
        truth, share = _seen(view, masks.get(index), volume)
        truths.append(truth)
        known.append(float(share >= _SHOWN))
    area = max(1.0, float(anchor.sum()) * (window.side / size) ** 2)
    unit = volume.distance / (2 * math.sqrt(area / math.pi))
    return WindowBatch(
        anchor_image=images[:1],
        anchor_mask=anchor,
        start_image=images[:1],
        start_mask=anchor,
        start_displacement=torch.zeros_like(steps[:1]),
        start_distance=torch.zeros(1),
        images=images[1:, 0][None],
        masks=torch.cat(truths, 1),
        displacements=steps[None],
        distances=torch.tensor([[abs(index - path[0]) * unit for index in path[1:]]]),
        own_prior=torch.ones(len(path) - 1, dtype=torch.bool),
        known=torch.tensor([known]),
    )


def _seen(view: WindowedVolume, mask: NDArray[np.bool_] | None, volume: NormalisedVolume) -> tuple[torch.Tensor, float]:
    """A mask through a window, [1, 1, h, w], and the share of it that is seen: 1 of an empty one, 0 of none."""
    size = view.size[0]
    if mask is None:
        return torch.zeros(1, 1, size, size), 0.0
    seen = view.mask_to_grid(mask, _CPU)
    if not mask.any():
        return seen, 1.0
    all_of_it = float(volume.mask_to_grid(mask, _CPU).sum())
    return seen, float(seen.sum()) * (view.window.side / size) ** 2 / max(all_of_it, 1e-6)


def _moved(window: Window, rng: np.random.Generator) -> Window:
    """Another window around the same structure."""
    side = max(8, round(window.side * rng.uniform(*_SIDES)))
    top, left = (
        round(start + (window.side - side) / 2 + rng.normal(0, _SHIFT) * side) for start in (window.top, window.left)
    )
    return Window(top, left, side)


def _bent_copies(
    volume: NormalisedVolume, index: int, mask: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NormalisedVolume, tuple[int, ...], dict[int, NDArray[np.bool_]]]:
    """A slice and copies that are bent one after the other, as a volume of their own, with the way and all masks."""
    image = volume.slices[index][None]
    drawn = (volume.mask_to_grid(mask, _CPU)[0] > 0.5).float()
    if not drawn.any():  # a structure of less than a pixel
        drawn = (volume.mask_to_grid(mask, _CPU)[0] > 0).float()
    images, masks = [image], [drawn]
    for _ in range(_COPIES):
        bent = draw_transform(rng, _NEIGHBOUR, volume.size)
        image, drawn = apply_transform(bent, image, drawn)
        images.append(image)
        masks.append(drawn)
    copies = replace(volume, slices=torch.cat(images), native=volume.size)
    return copies, tuple(range(len(images))), {i: mask[0].numpy() > 0.5 for i, mask in enumerate(masks)}
