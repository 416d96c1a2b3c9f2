"""The one settings object: every number that shapes a result, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How the engine looks at volumes and carries masks.

    Attributes:
        long_side: pixels of the longer side of a slice as the network sees it. The weights were trained at 192; 256 is
            what they were measured at.
        ct_window: HU range kept of a CT, soft tissue: organs differ by tens of HU, air and bone by a thousand.
        clip_quantiles: intensity quantiles to which any volume is clipped before it is standardised.
        recent_slices: how many of the last slices are remembered beside the anchor. One keeps up with slow change;
            two gave no more on the development data and cost a third more reading time.
        fusion_sharpness: exponent on the distance to an anchor where two runs meet: weight = confidence / distance^s.
        feature_cache_bytes: bound on image features kept for the way back. 512 MiB hold about 180 slices; a slice that
            was let go is encoded again.
        segments_per_call: segments decoded together on an accelerator. A CPU gains nothing from batches.
    """

    long_side: int = 256
    ct_window: tuple[float, float] = (-160.0, 240.0)
    clip_quantiles: tuple[float, float] = (0.005, 0.995)
    recent_slices: int = 1
    fusion_sharpness: float = 1.0
    feature_cache_bytes: int = 512 * 2**20
    segments_per_call: int = 8
