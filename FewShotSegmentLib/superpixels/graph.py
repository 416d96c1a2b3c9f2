"""Cutting a volume along its voxel graph, and joining pieces that are too small: Felzenszwalb–Huttenlocher in 3D.

scikit-image's version is for 2D images only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled
from .extras import need

_LOOK_EVERY = 1 << 17
"""Edges between two looks at whether to stop: about 0.1 s."""

Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Both ends, as places among the body's voxels in array order, and the cost."""


def graph_segments(
    smooth: NDArray[np.floating],
    body: NDArray[np.bool_],
    spacing: Sequence[float],
    scale: float,
    min_size: int,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.int32]:
    """Supervoxels after Felzenszwalb and Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004.

    Neighbours are the 6 that share a face. An edge costs the steeper of the slopes at its two ends, over all directions
    and in mm, so that slices far apart may differ more. With the mere difference between the ends, as in 2D, a ramp of
    intensity falls apart into sheets a voxel thick, since nothing is as alike as its level sets: of an abdominal MR it
    made 245 supervoxels, most of the skin's and fat's such sheets, where slopes give 66.

    The method's two passes (join by the threshold `scale`/size; join what is smaller than `min_size`) go over the edges
    of the minimum spanning tree, a third of all: the second pass alone gives the same result as over all edges, and
    with the published `scale` of 1/255 the first one hardly joins anything. 2.6 million voxels take 9 s and 0.8 GB.

    Args:
        smooth: [z, y, x], smoothed intensities.
        body: bool [z, y, x]; nothing is joined across what lies outside.
        spacing: voxel size in mm, array order.
        scale: the method's k, in units of `smooth`.
        min_size: smallest supervoxel in voxels; only a part of the body that is smaller itself stays so.
        cancelled: asked now and then whether to stop.

    Returns:
        int32 [z, y, x]: 0 outside the body, in it 1 … n in order of their first voxel.

    Raises:
        Cancelled: `cancelled` said yes.
    """
    count = int(body.sum())
    labels = np.zeros(body.shape, np.int32)
    if not count:
        return labels
    labels[body] = in_order(_join(*_tree(_edges(smooth, body, spacing), count), count, scale, min_size, cancelled))
    return labels


def join_small(
    labels: NDArray[np.int32], smooth: NDArray[np.floating], spacing: Sequence[float], min_size: int
) -> NDArray[np.int32]:
    """Join what is smaller than `min_size` with its neighbour across the cheapest edge, cheapest first.

    It is the second pass of Felzenszwalb and Huttenlocher's method on what another method has cut.

    Args:
        labels: int32, 0 outside the body, any numbers in it; 2D or 3D.
        smooth: intensities of the same shape.
        spacing: pixel size in mm along each axis.
        min_size: in pixels.

    Returns:
        int32: 0 outside the body, in it 1 … n in order of their first pixel.
    """
    body = labels > 0
    joined = np.zeros(labels.shape, np.int32)
    if not body.any():
        return joined
    own = in_order(labels[body]) - 1
    count = int(own.max()) + 1
    first, second, cost = _edges(smooth, body, spacing)
    a, b = own[first], own[second]
    between = a != b
    low, high, cost = np.minimum(a, b)[between], np.maximum(a, b)[between], cost[between]
    order = np.lexsort((high, low, cost))
    sizes = np.bincount(own, minlength=count).tolist()
    parts = _Forest(count, sizes)
    for one, other in zip(low[order].tolist(), high[order].tolist(), strict=True):
        one_, other_ = parts.root(one), parts.root(other)
        if one_ != other_ and (sizes[one_] < min_size or sizes[other_] < min_size):
            parts.join(one_, other_)
    joined[body] = in_order(parts.roots()[own])
    return joined


def in_order(numbers: NDArray[np.integer]) -> NDArray[np.int32]:
    """Numbers as 1 … n by where they first occur, none left out; flat arrays of at least one number, none negative."""
    present, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(present.size, np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(1, present.size + 1, dtype=np.int32)
    return np.asarray(rank[inverse.reshape(-1)])


def _edges(smooth: NDArray[np.floating], body: NDArray[np.bool_], spacing: Sequence[float]) -> Edges:
    """Neighbours within the body."""
    place = np.cumsum(body.ravel()).reshape(body.shape) - 1
    slope = _slope(smooth, spacing)[body]
    found = []
    for axis in range(body.ndim):
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in range(body.ndim))
        after = tuple(slice(1, None) if a == axis else slice(None) for a in range(body.ndim))
        both = body[before] & body[after]
        found.append((place[before][both], place[after][both]))
    first, second = (np.concatenate(ends) for ends in zip(*found, strict=True))
    return first, second, np.maximum(slope[first], slope[second])


def _slope(smooth: NDArray[np.floating], spacing: Sequence[float]) -> NDArray[np.float32]:
    """Change of intensity over the finest voxel's size, in the direction in which it is steepest."""
    finest = min(spacing)
    squares = np.zeros(smooth.shape, np.float64)
    for axis, size in enumerate(spacing):
        if smooth.shape[axis] > 1:
            squares += (np.gradient(smooth, axis=axis) * (finest / size)) ** 2
    return np.asarray(np.sqrt(squares), np.float32)


def _tree(edges: Edges, count: int) -> tuple[list[int], list[int], list[float]]:
    """The minimum spanning tree's edges, cheapest first; of equal ones the one that comes first."""
    sparse = need("scipy.sparse")
    first, second, cost = edges
    order = np.argsort(cost, kind="stable")
    # ranks, from 1, in the costs' stead: scipy takes a cost of 0 for no edge
    rank = np.empty(order.size, np.float64)
    rank[order] = np.arange(1, order.size + 1)
    matrix = sparse.csr_matrix((rank, (first, second)), shape=(count, count))
    tree = need("scipy.sparse.csgraph").minimum_spanning_tree(matrix, overwrite=True)
    kept = order[np.sort(tree.data.astype(np.int64)) - 1]
    return first[kept].tolist(), second[kept].tolist(), cost[kept].tolist()


def _join(
    first: list[int],
    second: list[int],
    cost: list[float],
    count: int,
    scale: float,
    min_size: int,
    cancelled: Callable[[], bool] | None,
) -> NDArray[np.int64]:
    """The method's two passes; returns each voxel's part."""
    sizes = [1] * count
    parts = _Forest(count, sizes)
    inner = [scale] * count  # largest cost within a part, plus scale over its size
    highest = scale  # of all, past which the first pass joins nothing more
    root, join = parts.root, parts.join
    for number, (one, other, value) in enumerate(zip(first, second, cost, strict=True)):
        if number % _LOOK_EVERY == 0 and cancelled and cancelled():
            raise Cancelled
        if value > highest:
            break
        a, b = root(one), root(other)
        if value <= inner[a] and value <= inner[b]:
            kept = join(a, b)
            inner[kept] = value + scale / sizes[kept]
            highest = max(highest, inner[kept])
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        if number % _LOOK_EVERY == 0 and cancelled and cancelled():
            raise Cancelled
        a, b = root(one), root(other)
        if a != b and (sizes[a] < min_size or sizes[b] < min_size):
            join(a, b)
    return parts.roots()


class _Forest:
    """Disjoint sets, joined by size, looked up with path halving.

    Attributes:
        sizes: of the sets, by their root.
    """

    def __init__(self, count: int, sizes: list[int]):
        self.sizes = sizes
        self._parent = list(range(count))

    def root(self, node: int) -> int:
        """The set that a node is in."""
        parent = self._parent
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    def join(self, one: int, other: int) -> int:
        """Join two roots' sets; returns the root of both."""
        if self.sizes[one] < self.sizes[other]:
            one, other = other, one
        self._parent[other] = one
        self.sizes[one] += self.sizes[other]
        return one

    def roots(self) -> NDArray[np.int64]:
        """Every node's root."""
        parent = np.array(self._parent)
        while True:
            further = parent[parent]
            if (further == parent).all():
                return np.asarray(parent, np.int64)
            parent = further
