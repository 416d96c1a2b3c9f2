"""The ideas in `networks.prototypes`, on tensors small enough to know the answer by hand."""

import math

import pytest
import torch

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks.prototypes.attention import attend, resemblance
from FewShotSegmentLib.networks.prototypes.bcma import ChannelAttention, tridiagonal
from FewShotSegmentLib.networks.prototypes.clustering import soft_clusters
from FewShotSegmentLib.networks.prototypes.clusters import ClusterSettings, cluster_prototypes, superpixels
from FewShotSegmentLib.networks.prototypes.fspa import foreground_prototypes, remember_foreground
from FewShotSegmentLib.networks.prototypes.local import has_full_window, or_average, pool_windows, window_size
from FewShotSegmentLib.networks.prototypes.pooling import coverage_on_grid, masked_average, masks_on_grid
from FewShotSegmentLib.networks.prototypes.seeds import place_seeds, squared_distance_to_background
from FewShotSegmentLib.networks.prototypes.similarity import cosine_scores, euclidean_scores, softmax_pool, unit


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_unit_leaves_zeros_and_does_not_blow_up_the_smallest():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-5, 0.0]])
    assert torch.allclose(unit(vectors, 1), torch.tensor([[0.6, 0.8], [0.0, 0.0], [0.1, 0.0]]))


def test_cosine_scores_of_known_angles():
    features = torch.tensor([[2.0, 0.0], [0.0, 5.0]]).view(1, 2, 1, 2)  # cells along x and along y
    shared = torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, 0.0]])
    own = torch.tensor([[[0.0, -1.0]]])
    scores = cosine_scores(features, shared, own)
    r = 20 / math.sqrt(2)
    assert torch.allclose(scores[0, :, 0], torch.tensor([[20.0, 0.0], [r, r], [0.0, 0.0], [0.0, -20.0]]))


def test_euclidean_scores_are_minus_the_mean_square():
    features = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
    scores = euclidean_scores(features, torch.tensor([[1.0, 2.0], [4.0, 6.0]]))
    assert torch.allclose(scores.flatten(), torch.tensor([0.0, -12.5]))


def test_softmax_pool_weighs_by_softmax():
    scores = torch.tensor([0.0, math.log(3.0)]).view(1, 2, 1, 1)
    assert softmax_pool(scores).item() == pytest.approx(0.75 * math.log(3.0))
    assert torch.equal(softmax_pool(scores[:, :1]), scores[:, :1])


def test_masked_average():
    features = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1.0, 0.0, 0.0, 0.5]).view(1, 1, 2, 2)
    assert masked_average(features, mask).item() == pytest.approx(2.0, abs=1e-4)
    assert masked_average(features, mask * 0).item() == 0


def test_masks_on_grid_reads_the_cells_middle_only():
    masks = torch.zeros(2, 16, 16)
    masks[0, 3, 3] = 1  # one of the four pixels about the first cell's centre
    masks[1, 0, 0] = 1  # none of them
    found = masks_on_grid(masks, (2, 2))
    assert found[0].flatten().tolist() == [0.25, 0, 0, 0]
    assert found[1].max() == 0
    assert coverage_on_grid(masks, (2, 2))[1].flatten().tolist() == [1 / 64, 0, 0, 0]


def test_windows():
    assert window_size(32, 32, 8, None) == (4, 4)
    assert window_size(32, 24, 8, 2) == (2, 2)
    assert window_size(4, 1, 8, None) == (1, 1)
    assert window_size(8, 1, 8, 2) == (2, 1)


def test_local_prototypes_are_the_full_windows_of_all_shots():
    features = torch.arange(16.0).view(1, 1, 4, 4).repeat(2, 1, 1, 1)
    features[1] += 100
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, 0, :2, :2] = 1
    masks[1, 0, 2:, 2:] = 1
    masks[1, 0, 0, 0] = 1
    cells, coverage = pool_windows(features, masks, (2, 2))
    assert coverage.tolist() == [1, 0, 0, 0, 0.25, 0, 0, 1]
    assert cells[coverage > 0.95].flatten().tolist() == [2.5, 112.5]
    assert not has_full_window(masks)
    assert has_full_window(torch.ones(1, 1, 4, 4))
    assert has_full_window(torch.ones(1, 1, 2, 3))


def test_masked_average_where_no_window_is_full():
    features = torch.tensor([[1.0, 3.0], [10.0, 30.0]]).view(2, 1, 1, 2)
    masks = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(2, 1, 1, 2)
    kept = torch.ones(2, 1)
    assert or_average(kept, features, masks) is kept
    assert or_average(kept[:0], features, masks).item() == pytest.approx(2.0, abs=1e-4)
    assert or_average(kept[:0], features, masks * 0).item() == 0


def test_resemblance_of_known_angles():
    support = torch.tensor([[1.0, 0.0], [0.0, 2.0]])  # columns are cells
    query = torch.tensor([[3.0, 0.0], [0.0, 4.0]])[None]
    weights = resemblance(support, query)
    e = math.e / (math.e + 1)
    assert torch.allclose(weights[0], torch.tensor([[e, 1 - e], [1 - e, e]]), atol=1e-5)
    attended = attend(support.view(2, 1, 2), query.view(1, 2, 1, 2))
    # values are the support's features, read at the query's positions
    assert torch.allclose(attended[0, :, 0, 0], torch.tensor([1 + e, 2 * (1 - e)]), atol=1e-5)


def test_attention_with_a_query_of_another_size():
    assert attend(noise(6, 4, 5), noise(3, 6, 7, 2)).shape == (3, 6, 4, 5)


@pytest.mark.parametrize("centres", [None, noise(3, 6, seed=5)])
def test_fspa_is_the_equation(centres):
    features, queries = noise(1, 6, 4, 4), noise(2, 6, 4, 4, seed=1)
    mask = (noise(1, 1, 4, 4, seed=2) > 0).float()
    found = foreground_prototypes(remember_foreground(features, mask, (centres,)), queries)
    share = mask[0, 0] / (mask.sum() + 1e-5)
    for query, prototype in zip(queries, found, strict=True):
        attended = attend(features[0], query[None])[0]
        c = (attended * share).sum((1, 2))[None] if centres is None else centres
        weights = torch.einsum("nc,chw->nhw", c, attended).flatten(1).softmax(1).view(-1, 4, 4)
        expected = ((features[0] + torch.einsum("nhw,nc->chw", weights, c)) * share).sum((1, 2))
        assert torch.allclose(prototype, expected, atol=1e-5)


def test_fspa_of_an_empty_mask_is_zero():
    memory = remember_foreground(noise(1, 6, 4, 4), torch.zeros(1, 1, 4, 4), (None,))
    assert foreground_prototypes(memory, noise(2, 6, 4, 4)).abs().max() == 0


def test_tridiagonal():
    expected = [[1, 0, 0, 0], [0.3, 0.8, 0.2, 0], [0, 0.3, 0.8, 0.2], [0, 0, 0, 1]]
    assert torch.allclose(tridiagonal(4, (0.3, 0.8, 0.2)), torch.tensor(expected))


def test_channel_attention_by_hand():
    block = ChannelAttention(3, (0.3, 0.8, 0.2))
    cells = torch.tensor([[1.0, 2.0, 3.0]])  # one cell: X is a column
    assert list(block.state_dict()) == ["cal"]
    assert torch.allclose(block(cells, 0.0), torch.tensor([[1.0, 0.3 + 1.6 + 0.6, 3.0]]))
    heed = torch.outer(cells[0], cells[0]).softmax(1)
    middle = 0.3 * (1 + heed[1, 0]) + 1.6 * (1 + heed[1, 1]) + 0.6 * (1 + heed[1, 2])
    expected = torch.stack([1 + heed[0, 0], middle, 3 * (1 + heed[2, 2])])
    assert torch.allclose(block(cells, 1.0)[0], expected)


def test_distance_transform():
    mask = torch.ones(3, 4, dtype=torch.bool)
    # scipy's answer for a mask without background: distances to (-1, 0)
    assert squared_distance_to_background(mask).tolist() == [[1, 2, 5, 10], [4, 5, 8, 13], [9, 10, 13, 18]]
    mask[0, 0] = False
    assert squared_distance_to_background(mask).tolist() == [[0, 1, 4, 9], [1, 2, 5, 10], [4, 5, 8, 13]]


def test_distance_transform_is_scipys():
    edt = pytest.importorskip("scipy.ndimage").distance_transform_edt
    for seed in range(4):
        mask = noise(13, 17, seed=seed) > -1
        expected = torch.as_tensor(edt(mask.numpy()) ** 2).round().long()
        assert torch.equal(squared_distance_to_background(mask), expected)


def seeds_of(rows, columns):
    mask = torch.zeros(256, 256, dtype=torch.bool)
    mask[rows[0] * 8 : rows[1] * 8, columns[0] * 8 : columns[1] * 8] = True
    return mask


def test_seeds_are_counted_by_area():
    grid = (32, 32)
    assert len(place_seeds(seeds_of((1, 15), (1, 11)), grid)) == 0  # 140 cells are rounded to one seed
    assert len(place_seeds(seeds_of((1, 16), (1, 11)), grid)) == 2  # 150 to two
    assert len(place_seeds(seeds_of((1, 11), (1, 26)), grid)) == 2  # 250 too: halves to the even number
    assert len(place_seeds(seeds_of((1, 31), (1, 31)), grid)) == 5  # never more
    assert len(place_seeds(torch.zeros(64, 64, dtype=torch.bool), (8, 8))) == 0


def test_seeds_of_a_filled_box():
    # without background in its box, the first seed is the corner farthest from (-1, 0), the next the one across
    assert place_seeds(seeds_of((2, 17), (3, 13)), (32, 32)).tolist() == [[16, 12], [2, 3]]


def test_a_seed_at_the_origin_is_not_counted():
    mask = seeds_of((0, 15), (0, 10))
    assert place_seeds(mask, (32, 32)).tolist() == [[14, 9]]
    assert place_seeds(mask, (32, 32), count_by_coordinates=False).tolist() == [[14, 9], [0, 0]]


def test_soft_clusters_of_two_tissues():
    features = torch.zeros(1, 1, 20)
    features[..., 10:] = 1000.0
    mask = torch.ones(1, 20)
    centres = soft_clusters(features, mask, torch.tensor([[0, 2], [0, 17]]))
    assert centres[:, 0].tolist() == pytest.approx([0, 1000], abs=1e-3)
    # places outside the mask and partly in it do not count
    mask[:, 10:] = 0.99
    assert soft_clusters(features, mask, torch.tensor([[0, 2]])).item() == 0
    assert soft_clusters(features, mask * 0, torch.tensor([[0, 2]])).item() == 0


def two_tissues():
    """A disc, dark on the left and bright on the right, and features that say so."""
    pytest.importorskip("skimage")
    pytest.importorskip("sklearn")
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    mask = ((y - 32) ** 2 + (x - 32) ** 2 < 24**2).float()[None]
    images = (x >= 32).float().expand(1, 1, 64, 64)
    features = torch.stack([(x < 32).float(), (x >= 32).float()])[None, :, ::8, ::8].clone()
    return images, features, mask


@pytest.mark.parametrize("settings", [ClusterSettings(count=2), ClusterSettings("dbscan", eps=0.05)])
def test_clusters_find_both_tissues(settings):
    images, features, mask = two_tissues()
    found = cluster_prototypes(images, features, mask, settings)
    assert sorted(found.round(decimals=3).tolist()) == [[0.0, 1.0], [1.0, 0.0]]
    assert torch.equal(found, cluster_prototypes(images, features, mask, settings))


def test_clusters_pass_gradient_and_take_shots():
    images, features, mask = two_tissues()
    features.requires_grad_()
    shots = [t.repeat(2, 1, 1, 1) for t in (images, features)]
    masks = torch.cat([mask, mask * 0])
    found = cluster_prototypes(*shots, masks, ClusterSettings(count=3))
    assert found.shape == (2, 2)  # there are only two kinds to be told apart
    found.sum().backward()
    assert features.grad.abs().sum() > 0
    assert len(cluster_prototypes(*shots, masks * 0, ClusterSettings())) == 0


@pytest.mark.parametrize("method", ["kmeans", "dbscan"])
@pytest.mark.parametrize("pixels", [1, 3, 40])
def test_clusters_of_tiny_masks(method, pixels):
    images, features, _ = two_tissues()
    mask = torch.zeros(1, 64, 64)
    mask[0, 20, 5 : 5 + pixels] = 0.4
    found = cluster_prototypes(images, features, mask, ClusterSettings(method))
    assert len(found) >= 1
    assert torch.isfinite(found).all()


def test_one_superpixel_and_all_noise():
    images, features, mask = two_tissues()
    one = cluster_prototypes(images, features, mask, ClusterSettings(superpixels=1))
    assert torch.allclose(one, masked_average(features, coverage_on_grid(mask, (8, 8))), atol=1e-4)
    lonely = cluster_prototypes(images, features, mask, ClusterSettings("dbscan", min_samples=1000))
    assert torch.allclose(lonely, one, atol=1e-4)


def test_superpixels_cover_the_mask_without_gaps():
    images, _, mask = two_tissues()
    labels = superpixels(images[0], mask[0], ClusterSettings(superpixels=10))
    assert torch.equal(labels > 0, mask[0] > 0)
    assert labels.unique().tolist() == list(range(int(labels.max()) + 1))
    assert 5 <= labels.max() <= 20


def test_cluster_settings_are_checked():
    with pytest.raises(InputError, match="kmeans, dbscan"):
        ClusterSettings("meanshift")
    with pytest.raises(InputError):
        ClusterSettings(count=0)
    with pytest.raises(InputError):
        ClusterSettings(eps=0)
