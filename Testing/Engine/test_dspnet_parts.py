"""The parts of the repaired DSPNet, by hand: detail prototypes, carried labels, the query's own prototypes."""

import math

import pytest
import torch
import torch.nn.functional as F
from few_shot_cases import SURE

from FewShotSegmentLib.networks.prototypes.details import detail_prototypes
from FewShotSegmentLib.networks.prototypes.labels import LabelledCells, carry_labels, labelled_cells, places
from FewShotSegmentLib.networks.prototypes.own import own_evidence


def two_halves(shots=1):
    """Features [S, 2, 8, 8]: the left half points one way, the right half another."""
    features = torch.zeros(shots, 2, 8, 8)
    features[:, 0, :, :4] = 3.0
    features[:, 1, :, 4:] = 0.5
    return features


def rows_of(prototypes):
    return sorted([round(float(v), 3) for v in row] for row in prototypes)


@pytest.mark.parametrize("shots", [1, 3])
def test_two_tissues_make_two_details(shots):
    """Groups are of directions, so that bright cells do not outweigh dark ones."""
    found = detail_prototypes(two_halves(shots), torch.ones(shots, 1, 8, 8), most=2, cells_each=4)
    assert rows_of(found) == [[0.0, 1.0], [1.0, 0.0]]


def test_no_more_groups_than_there_are_kinds():
    found = detail_prototypes(two_halves(), torch.ones(1, 1, 8, 8), most=6, cells_each=4)
    assert rows_of(found) == [[0.0, 1.0], [1.0, 0.0]]


def test_fewer_cells_make_fewer_groups():
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., :1, 1:8] = 1  # 3 cells on the left, 4 on the right
    assert len(detail_prototypes(two_halves(), masks, 6, 4)) == 1
    assert len(detail_prototypes(two_halves(), masks, 6, 3)) == 2
    (average,) = detail_prototypes(two_halves(), masks, 1, 1)
    torch.testing.assert_close(average, torch.tensor([9 / 7, 2 / 7]), atol=1e-4, rtol=0)


def test_cells_below_half_do_not_make_groups():
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., :4], masks[..., 4:] = 1.0, 0.4
    assert rows_of(detail_prototypes(two_halves(), masks, 2, 4)) == [[1.0, 0.0]]


@pytest.mark.parametrize("share", [1.0, 0.05])
def test_one_cell_is_its_own_prototype(share):
    features = torch.randn(1, 5, 8, 8, generator=torch.Generator().manual_seed(2))
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., 3, 6] = share
    (found,) = detail_prototypes(features, masks, 6, 1)
    torch.testing.assert_close(F.normalize(found, dim=0), F.normalize(features[0, :, 3, 6], dim=0))


def test_an_empty_mask_makes_zeros():
    found = detail_prototypes(two_halves(), torch.zeros(1, 1, 8, 8), 6, 4)
    assert found.tolist() == [[0.0, 0.0]]


def test_a_shot_without_the_organ_does_not_count():
    features = two_halves(2)
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, :, 2:4, 1:3] = 1
    features[1] = 100.0
    torch.testing.assert_close(detail_prototypes(features, masks, 1, 4), torch.tensor([[3.0, 0.0]]), atol=1e-3, rtol=0)


def all_cells(features, masks):
    """As `labelled_cells`, but every cell for itself."""
    keys = F.normalize(features.permute(0, 2, 3, 1).flatten(0, 2), dim=1)
    return LabelledCells(keys, masks.flatten(), places(features).repeat(len(features), 1), torch.zeros(masks.numel()))


def test_windows_without_the_mask_are_merged():
    features = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    masks = torch.zeros(1, 1, 4, 4)
    masks[0, 0, 1, 0] = 0.25
    cells = labelled_cells(features, masks)
    assert len(cells.keys) == 4 + 3
    assert cells.labels.tolist() == [0, 0, 0.25, 0, 0, 0, 0]
    assert cells.counts.tolist() == pytest.approx([0] * 4 + [math.log(4)] * 3)
    assert cells.places.tolist() == [
        [-1.5, -1.5], [-1.5, -0.5], [-0.5, -1.5], [-0.5, -0.5], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0],
    ]  # fmt: skip
    torch.testing.assert_close(cells.keys.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(cells.keys[0], F.normalize(features[0, :, 0, 0], dim=0))
    torch.testing.assert_close(cells.keys[4], F.normalize(features[0, :, :2, 2:].mean((1, 2)), dim=0))


@pytest.mark.parametrize(("height", "width"), [(5, 5), (4, 7), (2, 3), (3, 2), (6, 6)])
@pytest.mark.parametrize("shots", [1, 2])
def test_all_cells_are_stood_for_in_any_size(height, width, shots):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(shots, 3, height, width, generator=generator)
    masks = torch.zeros(shots, 1, height, width)
    masks[0, 0, 0, 1] = 1
    cells = labelled_cells(features, masks)
    assert float(cells.counts.exp().sum()) == pytest.approx(shots * height * width, rel=1e-5)
    assert float((cells.labels * cells.counts.exp()).sum()) == pytest.approx(1)
    mean = (cells.places * cells.counts.exp()[:, None]).sum(0)
    torch.testing.assert_close(mean, torch.zeros(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9)])
def test_merging_changes_nothing_where_windows_are_of_one_kind(height, width):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 6, (height + 1) // 2, (width + 1) // 2, generator=generator)
    features = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]
    masks = torch.zeros(1, 1, height, width)
    masks[..., 1:4, 2:5] = 1
    query = torch.randn(2, 6, height, width, generator=generator)
    merged, whole = (make(features, masks) for make in (labelled_cells, all_cells))
    assert len(merged.keys) < len(whole.keys)
    a, b = (carry_labels(query, cells, 0.1, math.inf) for cells in (merged, whole))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def cells_of(keys, labels, at):
    return LabelledCells(torch.tensor(keys), torch.tensor(labels), torch.tensor(at), torch.zeros(len(keys)))


def test_labels_by_hand():
    """Cosines of 1 and 0 at temperature ½: weights of e² and 1."""
    support = cells_of([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], [[0.0, 0.0], [0.0, 0.0]])
    query = torch.tensor([[5.0, 0.0], [0.0, 0.1], [1.0, 1.0]]).t().view(1, 2, 1, 3)
    carried = carry_labels(query, support, 0.5, math.inf)
    # odds of e² : 1, of 1 : e², and even
    torch.testing.assert_close(carried, torch.tensor([[[[2.0, -2.0, 0.0]]]]), atol=1e-4, rtol=0)


def test_what_one_cell_stands_for_counts():
    support = cells_of([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0], [[0.0, 0.0], [0.0, 0.0]])
    support = support._replace(counts=torch.tensor([0.0, math.log(4)]))
    carried = carry_labels(torch.ones(1, 2, 1, 1), support, 0.5, math.inf)
    assert carried.item() == pytest.approx(-math.log(4), abs=1e-5)


def test_reach_by_hand_prefers_the_nearer_twin():
    # on a row of 10 cells, twins 6 cells apart; a reach of 0.2 are 2 cells
    support = cells_of([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0], [[0.0, -3.0], [0.0, 3.0]])
    query = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 1, 10)
    carried = carry_labels(query, support, 0.5, 0.2)[0, 0, 0]
    columns = torch.arange(10) - 4.5
    expected = ((columns - 3) ** 2 - (columns + 3) ** 2) / (2 * 2**2)
    torch.testing.assert_close(carried, expected, atol=1e-4, rtol=1e-4)
    assert (carried[:5] > 0).all() and (carried[5:] < 0).all()
    torch.testing.assert_close(carry_labels(query, support, 0.5, math.inf), torch.zeros(1, 1, 1, 10))


def test_temperature_sharpens():
    generator = torch.Generator().manual_seed(0)
    features, masks = torch.randn(1, 4, 6, 6, generator=generator), torch.zeros(1, 1, 6, 6)
    masks[..., 2:4, 2:4] = 1
    support = all_cells(features, masks)
    sharp, soft, flat = (carry_labels(features, support, t, math.inf).sigmoid() for t in (0.01, 0.3, 1e4))
    torch.testing.assert_close(sharp, masks, atol=0.01, rtol=0)
    assert (flat - 4 / 36).abs().max() < 1e-3
    assert ((soft - 4 / 36).abs() < (sharp - 4 / 36).abs()).all()


def test_log_odds_are_bounded():
    support = cells_of([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], [[0.0, 0.0], [0.0, 0.0]])
    carried = carry_labels(torch.eye(2)[None, :, None], support, 1e-3, math.inf)
    torch.testing.assert_close(carried.flatten(), torch.tensor([SURE, -SURE]), atol=1e-2, rtol=0)


def test_queries_in_pieces_are_queries_at_once(monkeypatch):
    from FewShotSegmentLib.networks.prototypes import labels

    generator = torch.Generator().manual_seed(0)
    support = all_cells(torch.randn(1, 4, 6, 6, generator=generator), torch.rand(1, 1, 6, 6, generator=generator))
    query = torch.randn(5, 4, 6, 6, generator=generator)
    whole = carry_labels(query, support, 0.1, 0.2)
    monkeypatch.setattr(labels, "_CHUNK", 1)
    torch.testing.assert_close(carry_labels(query, support, 0.1, 0.2), whole)


def test_places_are_from_the_middle():
    assert places(torch.zeros(2, 3, 2, 3)).tolist() == [[-0.5, -1], [-0.5, 0], [-0.5, 1], [0.5, -1], [0.5, 0], [0.5, 1]]


def test_own_evidence_by_hand():
    features = torch.eye(2)[:, [0, 0, 1, 1]].view(1, 2, 2, 2)  # two cells of one kind, two of the other
    probability = torch.tensor([0.9, 0.85, 0.1, 0.1]).view(1, 1, 2, 2)
    evidence = own_evidence(features, probability)
    torch.testing.assert_close(evidence.flatten(), torch.tensor([1.0, 1.0, -1.0, -1.0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    "probability", [[0.4, 0.3, 0.1, 0.1], [0.9, 0.9, 0.9, 0.9], [0.9, 0.9, 0.3, 0.3], [0.0, 0.0, 0.0, 0.0]]
)
def test_no_evidence_where_nothing_is_sure(probability):
    features = torch.randn(1, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    assert own_evidence(features, torch.tensor(probability).view(1, 1, 2, 2)).abs().max() == 0


def test_cells_above_one_half_but_far_from_the_best_are_not_sure():
    features = torch.eye(3)[:, [0, 1, 2, 2]].view(1, 3, 2, 2)
    probability = torch.tensor([0.95, 0.6, 0.1, 0.1]).view(1, 1, 2, 2)
    evidence = own_evidence(features, probability).flatten()
    assert evidence[0] == pytest.approx(1, abs=1e-3)
    assert evidence[1] == pytest.approx(0, abs=1e-3)


def test_evidence_of_one_query_is_its_own():
    generator = torch.Generator().manual_seed(0)
    features, probability = torch.randn(3, 5, 4, 4, generator=generator), torch.rand(3, 1, 4, 4, generator=generator)
    together = own_evidence(features, probability)
    for i in range(3):
        torch.testing.assert_close(own_evidence(features[i : i + 1], probability[i : i + 1])[0], together[i])
