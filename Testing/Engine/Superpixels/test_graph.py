"""The graph's own part: equal to the method done edge by edge, aware of spacing, no sheets on ramps."""

import numpy as np
import pytest

from FewShotSegmentLib import Cancelled
from FewShotSegmentLib.superpixels.graph import _edges, _tree, graph_segments, in_order, join_small


def by_all_edges(smooth, body, spacing, min_size):
    """The second pass over every edge, as it is written in the paper."""
    first, second, cost = _edges(smooth, body, spacing)
    part = np.arange(int(body.sum()))
    for i in np.argsort(cost, kind="stable"):
        a, b = part[first[i]], part[second[i]]
        if a != b and min((part == a).sum(), (part == b).sum()) < min_size:
            part[part == b] = a
    labels = np.zeros(body.shape, int)
    labels[body] = in_order(part)
    return labels


@pytest.mark.parametrize("seed", range(4))
def test_the_tree_gives_what_all_edges_give(seed):
    rng = np.random.default_rng(seed)
    smooth = rng.integers(0, 12, (4, 9, 8)).astype(float)  # many equal costs
    body = rng.random((4, 9, 8)) > 0.1
    found = graph_segments(smooth, body, (3.0, 1.0, 1.0), -1.0, 6)
    assert (found == by_all_edges(smooth, body, (3.0, 1.0, 1.0), 6)).all()
    assert found.max() >= 3


def test_a_larger_scale_joins_more():
    rng = np.random.default_rng(0)
    smooth = rng.normal(0, 1, (4, 12, 12))
    counts = [graph_segments(smooth, np.ones(smooth.shape, bool), (1, 1, 1), k, 1).max() for k in (0.0, 1.0, 5.0, 1e4)]
    assert counts == sorted(counts, reverse=True) and counts[0] > 200 and counts[-1] == 1


def test_two_blocks_and_what_lies_apart():
    smooth = np.zeros((3, 8, 16))
    smooth[:, :, 8:] = 100
    body = np.ones(smooth.shape, bool)
    body[:, :, 13] = False
    labels = graph_segments(smooth, body, (1, 1, 1), 1 / 255, 20)
    assert (labels[:, :, :7] == labels[0, 0, 0]).all() and (labels[:, :, 9:13] == labels[0, 0, 12]).all()
    assert labels[0, 0, 0] != labels[0, 0, 12] != labels[0, 0, 15]
    assert not labels[~body].any()
    assert not graph_segments(smooth, np.zeros_like(body), (1, 1, 1), 1.0, 9).any()


def test_slices_far_apart_may_differ_more():
    smooth = np.zeros((2, 6, 6))
    smooth[1] = 4.0
    smooth[:, :, 3:] += 2.0
    first, second, cost = _edges(smooth, np.ones(smooth.shape, bool), (8.0, 1.0, 1.0))
    assert np.isclose(cost.min(), 0.5)  # 4 over 8 mm
    assert len(first) == len(second) == 36 + 2 * 2 * 30


def test_a_ramp_does_not_fall_into_sheets():
    x = 5 * np.arange(24.0) + np.random.default_rng(0).normal(0, 0.2, (8, 24, 24))
    labels = graph_segments(x, np.ones(x.shape, bool), (1, 1, 1), 1 / 255, 150)
    thickness = [np.ptp(np.nonzero(labels == n)[2]) + 1 for n in range(1, labels.max() + 1)]
    assert min(thickness) > 1


def test_small_ones_join_the_likest_neighbour():
    labels = np.array([[1] * 6 + [2] * 2 + [3] * 6] * 3, np.int32)
    smooth = np.array([[0.0] * 6 + [9.0] * 2 + [10.0] * 6] * 3)
    joined = join_small(labels, smooth, (1.0, 1.0), 10)
    assert joined.max() == 2 and (joined[:, 6:] == 2).all() and (joined[:, :6] == 1).all()
    assert (join_small(labels, smooth, (1.0, 1.0), 1) == labels).all()
    assert not join_small(np.zeros((3, 3), np.int32), np.zeros((3, 3)), (1, 1), 5).any()


def test_it_can_be_stopped():
    with pytest.raises(Cancelled):
        graph_segments(np.zeros((2, 3, 3)), np.ones((2, 3, 3), bool), (1, 1, 1), 1.0, 2, lambda: True)


@pytest.mark.parametrize("k", [0.0, 0.01, 0.5, 2.0, 10.0])
def test_the_first_pass_is_the_papers(k):
    """Joined where the cost is at most each part's largest inner cost plus k over its size."""
    rng = np.random.default_rng(1)
    for _ in range(6):
        smooth = rng.normal(0, 1, (3, 5, 6))
        body = np.ones(smooth.shape, bool)
        part, inner = np.arange(90), [k] * 90
        for one, other, cost in zip(*_tree(_edges(smooth, body, (1, 1, 1)), 90), strict=True):
            a, b = part[one], part[other]
            if cost <= inner[a] and cost <= inner[b]:
                part[part == b] = a
                inner[a] = cost + k / (part == a).sum()
        assert (graph_segments(smooth, body, (1, 1, 1), k, 1)[body] == in_order(part)).all()
