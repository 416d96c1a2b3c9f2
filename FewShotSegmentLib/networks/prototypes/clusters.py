"""Further foreground prototypes from clusters of superpixels: an option of every prototype method, published by none.

The support's slice is cut into superpixels inside the mask (SLIC, Achanta et al., PAMI 2012); the mean features of
these are grouped by k-means or DBSCAN; each group's mean is a prototype. So a foreground of several tissues is compared
with each of them and not with their mean. DSPNet's description promises this; its code has soft clusters instead (see
`clustering`). Needs scikit-image and scikit-learn, imported when first used. Groups are found without gradient; the
means over them pass it on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ...errors import InputError
from .pooling import coverage_on_grid
from .similarity import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_PIXELS = 16
"""Pixels that a superpixel should have at least: fewer pixels are cut into fewer superpixels."""


@dataclass(frozen=True)
class ClusterSettings:
    """How the foreground is clustered.

    Attributes:
        method: "kmeans" (a given number of groups) or "dbscan" (as many as there are dense groups).
        count: groups of k-means; fewer where there are fewer superpixels.
        eps: DBSCAN: cosine distance, 0 to 2, within which superpixels are neighbours.
        min_samples: DBSCAN: neighbours (itself included) that make a superpixel the core of a group.
        superpixels: superpixels wished per slice.
        compactness: SLIC: weight of place against brightness (which is scaled to 0..1).
        seed: of k-means.
    """

    method: Literal["kmeans", "dbscan"] = "kmeans"
    count: int = 3
    eps: float = 0.05
    min_samples: int = 2
    superpixels: int = 24
    compactness: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in {"kmeans", "dbscan"}:
            raise InputError(f"There is no clustering called “{self.method}”; there are: kmeans, dbscan.")
        if min(self.count, self.min_samples, self.superpixels) < 1 or min(self.eps, self.compactness) <= 0:
            raise InputError("Clusters need counts of at least 1, and eps and compactness above 0.")


def cluster_prototypes(images: Tensor, features: Tensor, masks: Tensor, settings: ClusterSettings) -> Tensor:
    """Prototypes of the foreground's clusters, those of all shots together.

    Args:
        images: [S, 1 or 3, H, W].
        features: [S, C, h, w].
        masks: [S, H, W], 0 to 1; shots without foreground add nothing.
        settings: how.

    Returns:
        [K, C], K ≥ 1 if there is any foreground.
    """
    size = (features.shape[-2], features.shape[-1])
    means, sizes = [], []
    for image, feature, mask in zip(images, features, masks, strict=True):
        if not bool((mask > 0).any()):
            continue
        labels = superpixels(image, mask, settings).to(mask.device)
        # one mask per superpixel, soft at the border as the mask is
        parts = torch.stack([mask * (labels == label) for label in range(1, int(labels.max()) + 1)])
        cells = coverage_on_grid(parts, size).flatten(1)
        mass = cells.sum(1)
        means.append((cells @ feature.flatten(1).t()) / mass[:, None])
        sizes.append(mass)
    if not means:
        return features.new_zeros(0, features.shape[1])
    mean, mass = torch.cat(means), torch.cat(sizes)
    groups = _group(unit(mean.detach(), 1).cpu().double().numpy(), settings)
    belongs = torch.stack([torch.as_tensor(groups == group) for group in range(int(groups.max()) + 1)])
    weights = belongs.to(mass) * mass
    return (weights @ mean) / weights.sum(1, keepdim=True)


def superpixels(image: Tensor, mask: Tensor, settings: ClusterSettings) -> Tensor:
    """Superpixels of one slice inside its mask: [1 or 3, H, W] and [H, W] → int64 [H, W].

    They are numbered from 1 on without gaps; 0 is outside. A mask that is nowhere above one half is taken wherever it
    is above 0.
    """
    inside = mask > 0.5
    if not bool(inside.any()):
        inside = mask > 0
    inside = inside.cpu()
    wished = min(settings.superpixels, int(inside.sum()) // _LEAST_PIXELS)
    if wished <= 1:
        return inside.long()
    from skimage.segmentation import slic  # noqa: PLC0415 - heavy, and only this option needs it

    places = inside.nonzero()
    (top, left), (bottom, right) = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
    box = inside[top:bottom, left:right]
    grey = image.detach().mean(0).cpu()[top:bottom, left:right].double().numpy()
    found = slic(
        grey,
        n_segments=wished,
        compactness=settings.compactness,
        mask=box.numpy(),
        channel_axis=None,
        start_label=1,
    )
    _, dense = torch.unique(torch.as_tensor(found).long()[box], return_inverse=True)
    labels = torch.zeros(inside.shape, dtype=torch.int64)
    labels[inside] = dense + 1
    return labels


def _group(vectors: NDArray[np.float64], settings: ClusterSettings) -> NDArray[np.int64]:
    """Group 0, 1, … of each vector, -1 of those that belong to none; there is always a group 0."""
    import numpy as np  # noqa: PLC0415

    if len(vectors) == 1:
        return np.zeros(1, np.int64)
    groups: NDArray[np.int64]
    if settings.method == "kmeans":
        from sklearn.cluster import KMeans  # noqa: PLC0415

        count = min(settings.count, len(np.unique(vectors.round(9), axis=0)))
        groups = KMeans(count, n_init=4, random_state=settings.seed).fit_predict(vectors).astype(np.int64)
        return groups
    from sklearn.cluster import DBSCAN  # noqa: PLC0415

    groups = DBSCAN(eps=settings.eps, min_samples=settings.min_samples, metric="cosine").fit_predict(vectors)
    # all of it noise: one group, rather than no prototype
    return groups.astype(np.int64) if groups.max() >= 0 else np.zeros(len(vectors), np.int64)
