"""Few-shot networks: a support slice with its mask says what to find in query slices.

All of them have the same four parts, in the order in which data flows through them::

    features = network.embed(images)                       # any slices; the costly part
    memory   = network.learn(images, features, masks)      # all that depends on the support only, once
    logits   = network.segment(memory, query_features, (H, W))   # many queries at once

and `forward` does them one after the other for one episode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..errors import InputError
from .encoders.base import FeatureEncoder
from .prototypes.clusters import ClusterSettings, cluster_prototypes

Memory = TypeVar("Memory")


def check_images(images: Tensor, what: str) -> None:
    """Refuse what is not [N, 1 or 3, H, W].

    Raises:
        InputError: with `what` ("support", "query") in its text.
    """
    if images.ndim != 4:
        raise InputError(f"The {what} images have {images.ndim} dimensions; [N, 1 or 3, H, W] is needed.")
    if images.shape[1] not in {1, 3}:
        raise InputError(f"The {what} images have {images.shape[1]} channels; 1 or 3 are needed.")


def check_support(images: Tensor, masks: Tensor) -> None:
    """Refuse a support that nothing can be learned from.

    Raises:
        InputError: no slice, masks that do not fit the images, values beyond 0 and 1, no foreground.
    """
    check_images(images, "support")
    if images.shape[0] == 0:
        raise InputError("There is no support: at least one slice with its mask is needed.")
    expected = (images.shape[0], *images.shape[-2:])
    if tuple(masks.shape) != expected:
        raise InputError(f"The support masks have the shape {list(masks.shape)}, but the images need {list(expected)}.")
    if not bool(((masks >= 0) & (masks <= 1)).all()):
        raise InputError("The support masks have values beyond 0 and 1.")
    if not bool((masks > 0).any()):
        raise InputError("The support masks are empty: no pixel of the segment is marked.")


class FewShotNetwork(nn.Module, ABC, Generic[Memory]):
    """Base of all few-shot networks; N, S and Q count slices, supports (shots) and queries, 1 or more.

    A segment is told apart from the background: logits have two channels, background and foreground. Nothing depends
    on the device; in evaluation mode queries do not depend on each other.

    Attributes:
        encoder: images → features.
    """

    def __init__(self, encoder: FeatureEncoder):
        super().__init__()
        self.encoder = encoder

    def embed(self, images: Tensor) -> Tensor:
        """Features of slices: [N, 1 or 3, H, W] → [N, C, h, w]."""
        check_images(images, "given")
        # masks and images may come in any type; weights decide
        features: Tensor = self.encoder(images.to(next(self.parameters()).dtype))
        return features

    def learn(self, images: Tensor, features: Tensor, masks: Tensor) -> Memory:
        """All that depends on the support only.

        Args:
            images: [S, 1 or 3, H, W].
            features: of these images, [S, C, h, w].
            masks: [S, H, W], bool or 0 to 1. Shots may be empty as long as one is not.

        Raises:
            InputError: see `check_support`.
        """
        check_support(images, masks)
        if features.ndim != 4 or features.shape[0] != images.shape[0]:
            raise InputError(f"There are features of {len(features)} support images, but {len(images)} images.")
        return self._learn(images, features, masks.to(features))

    @abstractmethod
    def _learn(self, images: Tensor, features: Tensor, masks: Tensor) -> Memory:
        """`learn`, of what was checked; masks of the features' type."""

    @abstractmethod
    def score(self, memory: Memory, features: Tensor) -> Tensor:
        """Logits of queries on their feature grid: [Q, C, h, w] → [Q, 2, h, w]."""

    def segment(self, memory: Memory, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits of queries.

        Args:
            memory: from `learn`.
            features: [Q, C, h, w] from `embed`.
            size: height and width of the query images, H and W.

        Returns:
            [Q, 2, H, W], background and foreground.
        """
        return F.interpolate(self.score(memory, features), size=size, mode="bilinear", align_corners=False)

    def forward(self, support_images: Tensor, support_masks: Tensor, query_images: Tensor) -> Tensor:
        """One episode.

        In training mode support and query are embedded as one batch where their sizes agree, as published: batch
        normalisation then sees both. In evaluation mode that makes no difference.

        Args:
            support_images: [S, 1 or 3, H, W].
            support_masks: [S, H, W], bool or 0 to 1.
            query_images: [Q, 1 or 3, H', W'].

        Returns:
            Logits [Q, 2, H', W'], background and foreground.

        Raises:
            InputError: shapes that do not fit, no support, empty masks.
        """
        check_support(support_images, support_masks)
        check_images(query_images, "query")
        if self.training and support_images.shape[1:] == query_images.shape[1:]:
            both = self.embed(torch.cat([support_images, query_images]))
            support, query = both[: len(support_images)], both[len(support_images) :]
        else:
            support, query = self.embed(support_images), self.embed(query_images)
        memory = self.learn(support_images, support, support_masks)
        return self.segment(memory, query, (query_images.shape[-2], query_images.shape[-1]))


class PrototypeMethod(FewShotNetwork[Memory]):
    """Base of the networks that compare queries with prototypes, and so can be trained with the alignment loss.

    Attributes:
        align: whether `alignment.alignment_loss` is asked for in training; it returns 0 otherwise.
        clusters: how further foreground prototypes are found, or None for none (see `prototypes.clusters`).
    """

    def __init__(self, encoder: FeatureEncoder, align: bool = True, clusters: ClusterSettings | None = None):
        super().__init__(encoder)
        self.align = align
        self.clusters = clusters

    @abstractmethod
    def learn_cells(self, features: Tensor, foreground: Tensor, background: Tensor, validation: bool) -> Memory:
        """Memory from masks on the feature grid, which may be empty.

        Args:
            features: [S, C, h, w].
            foreground: [S, 1, h, w], 0 to 1.
            background: [S, 1, h, w], 0 to 1.
            validation: use the windows of validation, not those of training.
        """

    def further_prototypes(self, images: Tensor, features: Tensor, masks: Tensor) -> Tensor:
        """Prototypes of the foreground's clusters, [K, C]; K = 0 without `clusters`."""
        if self.clusters is None:
            return features.new_zeros(0, features.shape[1])
        return cluster_prototypes(images, features, masks, self.clusters)


def check_share(name: str, value: float) -> None:
    """Refuse a setting that is not a share.

    Raises:
        InputError: `value` is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise InputError(f"The setting {name} must lie between 0 and 1, not {value}.")


def check_count(name: str, value: int) -> None:
    """Refuse a setting that is not a whole number above 0.

    Raises:
        InputError: it is not.
    """
    if value < 1 or value != int(value):
        raise InputError(f"The setting {name} must be a whole number of at least 1, not {value}.")
