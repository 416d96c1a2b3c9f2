"""All rows of the transfer's tables: what each is called, which network it is and what else is said of it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT = "dspnet"
PIPELINE = "pipeline"
# Kinds of rows that are a few-shot network and nothing else.
ALONE = ("bare", "change")


@dataclass(frozen=True)
class Row:
    """One way to get another patient's organ.

    Attributes:
        key: in the JSON.
        title: in the tables.
        kind: "floor" (no network), "bare" (a few-shot network alone, slice by slice), "pipeline" (all of it) or
            "change" (a bare DSPNet, repaired, with one thing changed).
        network: name for `networks.build`.
        settings: of the network; for `clusters` the method's name.
        stride: of the encoder's features.
        note: printed below the tables.
    """

    key: str
    title: str
    kind: str
    network: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stride: int = 8
    note: str = ""


def _bare(key: str, title: str, network: str, note: str = "", **settings: Any) -> Row:
    return Row(key, title, "bare", network, settings, note=note)


def _change(key: str, title: str, stride: int = 8, **settings: Any) -> Row:
    return Row(key, title, "change", DEFAULT, settings, stride)


def _pipeline(network: str) -> Row:
    return Row(f"{PIPELINE}-{network}", f"pipeline, {network}", "pipeline", network)


FLOOR_AND_BARE = (
    Row(
        "paste",
        "paste",
        "floor",
        note="the support's mask on every query slice, in the frame that brings the two bodies together; of three "
        "masks, that of the slice nearest in its place along the body",
    ),
    _bare("prototype", "prototype", "prototype", "masked averages, compared by cosine"),
    _bare("prototype-euclidean", "prototype, euclidean", "prototype", distance="euclidean"),
    _bare(
        "prototype-kmeans",
        "prototype, k-means",
        "prototype",
        "cluster prototypes beside the average",
        clusters="kmeans",
    ),
    _bare(
        "prototype-dbscan", "prototype, DBSCAN", "prototype", "cluster prototypes beside the average", clusters="dbscan"
    ),
    _bare(
        "conditional",
        "conditional",
        "conditional",
        "UNTRAINED: its head has random parameters (seed 0), it knows nothing",
    ),
    _bare("alpnet", "ALPNet", "alpnet"),
    _bare("dspnet-published", "DSPNet, published", "dspnet-published"),
    _bare(DEFAULT, "DSPNet, repaired", DEFAULT),
)
PIPELINES = (
    Row(
        PIPELINE,
        "full pipeline",
        "pipeline",
        DEFAULT,
        note="DSPNet, repaired, finds the slices; the propagator draws them and carries them through the volume",
    ),
    *(_pipeline(network) for network in ("dspnet-published", "alpnet", "prototype", "conditional")),
)
CHANGES = (
    _change("no-standardise", "standardise=False", standardise=False),
    _change("one-detail", "details=1", details=1),
    _change("no-attention", "attention=0: no labels", attention=0.0),
    _change("no-temperature", "temperature=1: none", temperature=1.0),
    _change("no-reach", "reach=∞", reach=float("inf")),
    _change("raw-anywhere", "standardise=False, reach=∞", standardise=False, reach=float("inf")),
    _change("channel-mixing", "channel_mixing=0.3", channel_mixing=0.3),
    _change("self-prototypes", "self_prototypes=0.3", self_prototypes=0.3),
    _change("stride-4", "encoder stride 4", stride=4),
    _change("kmeans", "clusters=k-means", clusters="kmeans"),
    _change(
        "all-undone", "all undone", standardise=False, details=1, attention=0.0
    ),
)  # fmt: skip


def rows(ablation: bool, all_pipelines: bool) -> list[Row]:
    """The rows to be measured; bare ones first, since all share one encoding."""
    return [*FLOOR_AND_BARE, *(CHANGES if ablation else ()), *(PIPELINES if all_pipelines else PIPELINES[:1])]


def missing(row: Row) -> str | None:
    """Why a row cannot be measured here, if it cannot."""
    needed = ("torch", "skimage", "sklearn") if "clusters" in row.settings else ("torch",)
    absent = [name for name in needed if not importlib.util.find_spec(name)]
    return f"{' and '.join(absent)} not installed" if absent else None


def build_network(row: Row, encoder):
    """The row's network on this encoder, in evaluation mode; what has no weights comes out the same at every start."""
    import torch

    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.networks.prototypes.clusters import ClusterSettings

    settings = dict(row.settings)
    if "clusters" in settings:
        settings["clusters"] = ClusterSettings(method=settings["clusters"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(row.network, encoder, **settings).eval().requires_grad_(False)
