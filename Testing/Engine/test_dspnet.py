"""The repaired DSPNet and its parts, by hand; and the propagator's encoder as a feature encoder."""

import math

import pytest
import torch
import torch.nn.functional as F

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks import Propagator, build
from FewShotSegmentLib.networks.alignment import alignment_loss
from FewShotSegmentLib.networks.dspnet import RepairedDSPNet
from FewShotSegmentLib.networks.encoders import FeatureEncoder
from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder
from FewShotSegmentLib.networks.prototypes.clusters import ClusterSettings
from FewShotSegmentLib.networks.prototypes.details import detail_prototypes
from FewShotSegmentLib.networks.prototypes.labels import LabelledCells, carry_labels, labelled_cells, places
from FewShotSegmentLib.networks.prototypes.own import own_evidence

SURE = math.log((1 - 1e-4) / 1e-4)
"""Log-odds beyond which `carry_labels` does not go."""


class Patches(FeatureEncoder):
    """Random filters on patches of the image: known, quick, and of any stride."""

    def __init__(self, stride=8, channels=24):
        super().__init__()
        self.stride, self.channels = stride, channels
        generator = torch.Generator().manual_seed(1)
        self.filters = torch.nn.Parameter(torch.randn(channels, 1, stride, stride, generator=generator))

    def forward(self, images):
        grey = images.mean(1, keepdim=True)
        height, width = grey.shape[-2:]
        grey = F.pad(grey, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        return F.conv2d(grey, self.filters, stride=self.stride).relu()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def propagator():
    torch.manual_seed(3)
    return Propagator().eval()


def make(stride=8, **settings):
    return RepairedDSPNet(Patches(stride), **settings).eval()


def images(n=1, channels=1, height=64, width=64, seed=0):
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def square(n=1, height=64, width=64):
    masks = torch.zeros(n, height, width)
    masks[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return masks


@torch.inference_mode()
def run(network, *episode):
    return network(*episode)


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [8, 4])
@pytest.mark.parametrize(
    ("shots", "queries", "channels", "height", "width"),
    [(1, 1, 3, 64, 64), (2, 3, 1, 96, 72), (1, 2, 1, 61, 75), (3, 1, 1, 40, 33), (1, 1, 1, 16, 96), (1, 0, 1, 64, 64)],
)
def test_shapes(stride, shots, queries, channels, height, width):
    episode = images(shots, channels, height, width), square(shots, height, width)
    logits = run(make(stride), *episode, images(queries, channels, height, width, seed=1))
    assert logits.shape == (queries, 2, height, width)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("stride", "height", "width"), [(8, 8, 8), (8, 8, 64), (8, 16, 8), (4, 4, 64)])
def test_a_map_of_one_row_or_column(stride, height, width):
    logits = run(make(stride), images(1, 1, height, width), square(1, height, width), images(1, 1, height, width))
    assert logits.shape == (1, 2, height, width)
    assert torch.isfinite(logits).all()


def test_logits_are_opposite():
    logits = run(make(), images(), square(), images(2, seed=1))
    torch.testing.assert_close(logits[:, 0], -logits[:, 1])


def test_support_and_query_of_different_size():
    assert run(make(), images(2), square(2), images(2, 1, 96, 72, seed=1)).shape == (2, 2, 96, 72)


@pytest.mark.parametrize("stride", [8, 4])
@pytest.mark.parametrize("settings", [{}, {"self_prototypes": 0.5, "channel_mixing": 0.3}])
def test_queries_do_not_depend_on_each_other(stride, settings):
    network, queries = make(stride, **settings), images(5, seed=1)
    together = run(network, images(2), square(2), queries)
    for query, logits in zip(queries, together, strict=True):
        torch.testing.assert_close(run(network, images(2), square(2), query[None])[0], logits, atol=1e-4, rtol=1e-4)


def test_the_parts_are_the_whole_and_a_memory_is_not_used_up():
    network, support, query = make(), images(2), images(2, seed=1)
    with torch.inference_mode():
        memory = network.learn(support, network.embed(support), square(2))
        parts = [network.segment(memory, network.embed(query), (64, 64)) for _ in range(2)]
    assert torch.equal(parts[0], parts[1])
    assert torch.equal(parts[0], run(network, support, square(2), query))


@pytest.mark.parametrize(
    ("stride", "setting"),
    [
        (8, {"standardise": False}),
        (8, {"details": 1}),
        (8, {"details": 3}),
        (8, {"cells_per_detail": 32}),
        (8, {"window": 1}),
        (8, {"window": 4}),
        (8, {"attention": 0.0}),
        (8, {"attention": 1.0}),
        (8, {"temperature": 0.2}),
        (8, {"reach": 0.05}),
        (8, {"reach": math.inf}),
        (8, {"channel_mixing": 0.5}),
        (8, {"self_prototypes": 1.0}),
        (4, {"window": 1}),
        (4, {"reach": 0.05}),
        (4, {"temperature": 0.2}),
        (8, {"clusters": ClusterSettings()}),
    ],
)
def test_every_setting_changes_the_result(stride, setting):
    if "clusters" in setting:
        pytest.importorskip("skimage")
        pytest.importorskip("sklearn")
    support, query = images(1, 1, 128, 128), images(1, 1, 128, 128, seed=1)
    query[..., 32:96, 32:96] = (support + 0.3 * query)[..., 32:96, 32:96]  # something of it is found
    episode = support, square(1, 128, 128), query
    usual, other = run(make(stride), *episode), run(make(stride, **setting), *episode)
    assert torch.isfinite(other).all()
    assert (usual - other).abs().max() > 1e-3
    assert torch.equal(run(make(stride, **setting), *episode), other)


@pytest.mark.parametrize(
    "bad",
    [
        {"details": 0},
        {"cells_per_detail": 0.5},
        {"window": 0},
        {"attention": 1.1},
        {"channel_mixing": -0.1},
        {"temperature": 0},
        {"reach": 0},
        {"self_prototypes": -1},
    ],
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        make(**bad)


def test_the_registry_knows_it():
    network = build("dspnet", encoder=Patches(), details=2)
    assert isinstance(network, RepairedDSPNet)
    assert network.details == 2


@pytest.mark.parametrize("stride", [8, 4])
def test_the_same_shot_twice_is_one_shot(stride):
    network = make(stride, cells_per_detail=1000)  # each shot may have its own details: one in all
    one = run(network, images(), square(), images(1, seed=1))
    two = run(network, images().repeat(2, 1, 1, 1), square(2), images(1, seed=1))
    torch.testing.assert_close(one, two, atol=1e-3, rtol=1e-3)


def test_a_second_shot_matters_and_an_empty_one_adds_background():
    one = run(make(), images(), square(), images(1, seed=1))
    two = run(make(), images(2), square(2), images(1, seed=1))
    masks = square(2)
    masks[1] = 0
    half = run(make(), images(2), masks, images(1, seed=1))
    assert (one - two).abs().max() > 1e-3
    assert (one - half).abs().max() > 1e-3
    assert torch.isfinite(half).all()


@pytest.mark.parametrize("stride", [8, 4])
def test_a_bright_square_is_found_where_it_has_moved_to(stride):
    mask = square(1, 128, 128)
    support, query = (mask[:, None] + 0.2 * images(1, 1, 128, 128, seed=seed) for seed in (0, 1))
    predicted = run(make(stride), support, mask, torch.roll(query, 8, 2)).argmax(1).bool()
    truth = torch.roll(mask, 8, 1).bool()
    overlap = 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
    assert overlap > 0.9


@pytest.mark.parametrize("stride", [8, 4])
@pytest.mark.parametrize("where", ["one pixel", "faint", "corner", "all", "no background window"])
def test_odd_masks(stride, where):
    masks = torch.zeros(1, 64, 64)
    if where == "one pixel":
        masks[0, 24, 24] = 1
    elif where == "faint":
        masks[0, 24, 24] = 1e-3
    elif where == "corner":
        masks[0, -1, -1] = 1
    elif where == "all":
        masks[:] = 1
    else:
        masks[:, ::4, ::4] = 1
    for settings in ({}, {"self_prototypes": 1.0, "channel_mixing": 0.5}):
        logits = run(make(stride, **settings), images(), masks, images(2, seed=1))
        assert logits.shape == (2, 2, 64, 64)
        assert torch.isfinite(logits).all()


def test_one_pixel_is_found_again_in_its_cell():
    masks = torch.zeros(1, 64, 64)
    masks[0, 28, 36] = 1
    network = make()
    score = run(network, images(), masks, images())[0, 1]
    assert divmod(int(score.argmax()), 64)[0] // 8 == 28 // 8
    assert divmod(int(score.argmax()), 64)[1] // 8 == 36 // 8


def test_a_full_mask_is_foreground():
    assert (run(make(), images(), torch.ones(1, 64, 64), images())[:, 1] > 0).float().mean() > 0.9


def test_an_empty_mask_is_refused():
    with pytest.raises(InputError, match="empty"):
        run(make(), images(), torch.zeros(1, 64, 64), images())


def test_a_constant_slice_does_no_harm():
    logits = run(make(), torch.zeros(1, 1, 64, 64), square(), torch.ones(1, 1, 64, 64))
    assert torch.isfinite(logits).all()


def test_contrast_and_brightness_of_one_channel_do_not_count():
    """Features are standardised for each slice."""
    network, features = make(), torch.randn(1, 24, 8, 8, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        memory = network.learn(images(), features, square())
        gain = torch.linspace(0.5, 3, 24)[:, None, None]
        again = network.learn(images(), features * gain + 7, square())
        torch.testing.assert_close(memory.foreground, again.foreground, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(
            network.score(memory, features), network.score(memory, features * gain - 2), atol=1e-2, rtol=1e-2
        )


@pytest.mark.parametrize("settings", [{}, {"self_prototypes": 0.5, "channel_mixing": 0.3}, {"standardise": False}])
@pytest.mark.parametrize("stride", [8, 4])
def test_gradient_reaches_the_encoder(stride, settings):
    network = make(stride, **settings).train()
    logits = network(images(2), square(2), images(2, seed=1))
    F.cross_entropy(logits, square(2).long()).backward()
    gradient = network.encoder.filters.grad
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_alignment_loss_prefers_the_right_mask():
    network, mask = make().train(), square(1, 128, 128)
    support = network.embed(images(1, 1, 128, 128))
    truth = mask[:, ::8, ::8]

    def loss(prediction):
        return alignment_loss(network, support, mask, support, torch.stack([1 - prediction, prediction], 1))

    right, wrong, nothing, everything = loss(truth), loss(1 - truth), loss(truth * 0), loss(truth * 0 + 1)
    for value in (right, wrong, nothing, everything):
        assert value.isfinite() and value >= 0
    for value in (wrong, nothing, everything):
        assert right < 0.5 * value
    right.backward()
    assert torch.isfinite(network.encoder.filters.grad).all()


# --- detail prototypes -----------------------------------------------------------------------------------------------


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


# --- carried labels --------------------------------------------------------------------------------------------------


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


# --- the query's own prototypes --------------------------------------------------------------------------------------


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


# --- the propagator's encoder ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "channels"), [(8, 192), (4, 288)])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (61, 75), (16, 40), (8, 8), (33, 96)])
@torch.inference_mode()
def test_sizes(propagator, stride, channels, height, width):
    encoder = PropagatorEncoder(propagator, stride).eval()
    features = encoder(images(2, 1, height, width))
    assert (encoder.channels, encoder.stride) == (channels, stride)
    assert features.shape == (2, channels, -(-height // stride), -(-width // stride))
    assert torch.isfinite(features).all()


@torch.inference_mode()
def test_it_is_the_propagators_own_map(propagator):
    levels = propagator.image_encoder(images(2))
    coarse = PropagatorEncoder(propagator).eval()(images(2))
    torch.testing.assert_close(coarse, levels[3])
    fine = PropagatorEncoder(propagator, 4).eval()(images(2))
    torch.testing.assert_close(fine[:, :96], F.normalize(levels[2], dim=1))
    torch.testing.assert_close(fine.norm(dim=1), torch.full((2, 16, 16), 2**0.5), atol=1e-3, rtol=0)
    larger = F.interpolate(levels[3], size=(16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(fine[:, 96:], F.normalize(larger, dim=1))
    for stride, expected in ((8, coarse), (4, fine)):
        torch.testing.assert_close(PropagatorEncoder(propagator, stride).from_levels(levels, (64, 64)), expected)


@torch.inference_mode()
def test_three_channels_are_their_mean(propagator):
    encoder = PropagatorEncoder(propagator).eval()
    colours = images(1, 3)
    torch.testing.assert_close(encoder(colours), encoder(colours.mean(1, keepdim=True)))
    torch.testing.assert_close(encoder(images().repeat(1, 3, 1, 1)), encoder(images()))


@torch.inference_mode()
def test_odd_sizes_are_continued_at_the_edge(propagator):
    encoder = PropagatorEncoder(propagator).eval()
    odd = images(1, 1, 60, 50)
    padded = F.pad(odd, (0, 14, 0, 4), mode="replicate")
    torch.testing.assert_close(encoder(odd), encoder(padded)[..., :8, :7])


def test_weights_are_shared(propagator):
    encoder = PropagatorEncoder(propagator)
    theirs = {id(p) for p in propagator.image_encoder.parameters()}
    assert list(encoder.parameters()) and all(id(p) in theirs for p in encoder.parameters())


def test_no_other_stride(propagator):
    with pytest.raises(InputError, match="no stride 16; it has: 4, 8"):
        PropagatorEncoder(propagator, 16)


@pytest.mark.parametrize("stride", [8, 4])
def test_the_network_with_the_propagators_encoder(propagator, stride):
    network = RepairedDSPNet(PropagatorEncoder(propagator, stride)).train()
    try:
        logits = network(images(2), square(2), images(2, seed=1))
        F.cross_entropy(logits, square(2).long()).backward()
        assert logits.shape == (2, 2, 64, 64)
        gradients = [p.grad for p in network.encoder.parameters()]
        assert all(g is not None and torch.isfinite(g).all() for g in gradients)
        assert sum(float(g.abs().sum()) for g in gradients) > 0
    finally:
        network.eval().zero_grad(set_to_none=True)
