"""The repaired DSPNet as a network."""

import math

import pytest
import torch
import torch.nn.functional as F
from few_shot_cases import Patches, images, make, run, square

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.networks.alignment import alignment_loss
from FewShotSegmentLib.networks.dspnet import RepairedDSPNet
from FewShotSegmentLib.networks.prototypes.clusters import ClusterSettings


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
