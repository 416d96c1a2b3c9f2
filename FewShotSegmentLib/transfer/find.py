"""One segment in one query: framed, learned, located, its slices chosen and their masks drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..errors import Cancelled
from ..networks import FewShotNetwork, Propagator
from ..settings import Settings
from ..support import Support
from .anchors import DrawnAnchor, draw_anchor
from .choose import choose_slices
from .frame import FramedSlice, bring_to_frame, query_axis
from .locate import locate, score_slices
from .query import Query

_SEEN = 0.1
"""Share of the mask at some cell's centre from which a network that looks there has a foreground."""


@dataclass(frozen=True)
class Finding:
    """What is known of a segment before it is carried on.

    Attributes:
        supports: those that lie on the query's plane.
        anchors: the found slices with their masks, by rising index; a mask may have come out empty.
        strength: match times confidence of the surest anchor, about 0 to 1; 0 if all masks came out empty. Either alone
            says less: a foreign body part may match well and be drawn with doubt, or the other way round.
        seconds: time it took.
        note: why it could not be looked for, a sentence; empty if it could.
    """

    supports: Sequence[Support]
    anchors: list[DrawnAnchor]
    strength: float
    seconds: float
    note: str = ""


def on_plane(query: Query, supports: Sequence[Support]) -> list[Support]:
    """Supports whose slices lie across the query's axis."""
    return [s for s in supports if query_axis(s, query.frame.geometry).axes[0] == query.frame.axis]


def frame_supports(query: Query, supports: Sequence[Support], settings: Settings) -> list[FramedSlice]:
    """At most `support_slices` slices of each support on the query's plane, evenly spaced, in the query's frame.

    None where no mask overlaps the query, even with the bodies' middles on each other.
    """
    framed = []
    for number, support in enumerate(supports):
        if not on_plane(query, [support]):
            continue
        count = min(len(support.slices), settings.support_slices)
        # the middles of equal parts: an organ's very ends are a few pixels that say little
        places = ((np.arange(count) + 0.5) * len(support.slices) / count).astype(int)
        framed += bring_to_frame(support, number, [support.slices[i] for i in places], query.frame, settings.body_scale)
    # a mask at the edge of a larger field of view may lie outside this one
    return [item for item in framed if bool((item.mask > 0).any())]


def no_overlap(name: str) -> str:
    """What to say where no support slice overlaps the query."""
    return (
        f"The annotated slices of {name} do not overlap the volume, even with the bodies' middles on each other; check "
        "that both show the same part of the body."
    )


def learn(framed: Sequence[FramedSlice], network: FewShotNetwork[Any], device: torch.device) -> tuple[Any, Tensor]:
    """What the few-shot network makes of the supports: (memory, features [S, C, h, w])."""
    images = torch.stack([item.image for item in framed])[:, None].to(device)
    masks = torch.stack([item.mask for item in framed]).to(device)
    features = torch.cat([network.embed(image) for image in images.split(1)])
    seen = F.interpolate(masks[:, None], size=features.shape[-2:], mode="bilinear", align_corners=False)
    if not bool((seen > _SEEN).any()):
        # published networks read masks at the cells' centres: an organ between them would be background to them
        side = 2 * round(max(masks.shape[-2:]) / max(features.shape[-2:]) / 2) + 1
        masks = F.max_pool2d(masks[:, None], side, 1, side // 2)[:, 0]
    return network.learn(images, features, masks), features


def find(
    query: Query,
    supports: Sequence[Support],
    network: FewShotNetwork[Any],
    propagator: Propagator,
    device: torch.device,
    settings: Settings,
    cancelled: Callable[[], bool] | None = None,
) -> Finding:
    """Find a segment's anchors in a volume.

    Args:
        query: the volume, encoded by `network`.
        supports: of the segment, one or more.
        network: the few-shot network.
        propagator: draws the anchors.
        device: where to compute.
        settings: see `Settings`.
        cancelled: asked before every support slice.

    Raises:
        Cancelled: `cancelled` said yes.
    """
    start = time.perf_counter()
    framed = frame_supports(query, supports, settings)
    if not framed:
        return Finding([], [], 0.0, time.perf_counter() - start, no_overlap(supports[0].name))
    memory, features = learn(framed, network, device)
    maps = score_slices(memory, query, network, device)
    sightings = []
    for item, own in zip(framed, features.split(1), strict=True):
        if cancelled and cancelled():
            raise Cancelled()
        sightings.append(locate(item, own, maps, query, device, settings))
    choices = choose_slices(sightings, query.spacing, settings)
    anchors = [draw_anchor(choice, query, propagator, device) for choice in choices]
    strength = max((anchor.choice.score * anchor.confidence for anchor in anchors if anchor.mask.any()), default=0.0)
    return Finding(on_plane(query, supports), anchors, strength, time.perf_counter() - start)
