"""What every few-shot network promises: shapes, shots, queries, odd masks, settings, gradient, plain errors."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks import FewShotNetwork, build, names
from FewShotSegmentLib.networks.alignment import alignment_loss
from FewShotSegmentLib.networks.encoders import FeatureEncoder, build_encoder, encoder_names
from FewShotSegmentLib.networks.prototypes.clusters import ClusterSettings

ALL = ["dspnet-published", "alpnet", "prototype", "conditional"]
PUBLISHED = ["dspnet-published", "alpnet"]
BY_PROTOTYPES = ["dspnet-published", "alpnet", "prototype"]


class EveryEighthPixel(FeatureEncoder):
    """Features that are known: brightness of every eighth pixel, its opposite, and a constant."""

    channels = 3
    stride = 8

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, images):
        grey = images[:, :1, ::8, ::8]
        return torch.cat([grey, 1 - grey, torch.full_like(grey, 0.1)], 1) * self.gain


@pytest.fixture(scope="module", params=ALL)
def network(request):
    torch.manual_seed(3)
    return build(request.param, encoder="resnet18").eval()


def make(name, **settings):
    torch.manual_seed(3)
    return build(name, encoder="resnet18", **settings).eval()


def images(n, channels=1, height=64, width=64, seed=0):
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def square(n=1, height=64, width=64):
    masks = torch.zeros(n, height, width)
    masks[:, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return masks


def bright_square():
    """A bright square on dark ground: image [1, 1, 128, 128] and mask [1, 128, 128]."""
    mask = square(1, 128, 128)
    return mask[:, None], mask


@torch.inference_mode()
def run(network, *episode):
    return network(*episode)


@pytest.mark.parametrize(
    ("shots", "queries", "channels", "height", "width"),
    [(1, 1, 3, 64, 64), (2, 3, 1, 96, 72), (1, 2, 1, 61, 75), (3, 1, 1, 40, 33), (1, 1, 1, 8, 8), (1, 0, 1, 64, 64)],
)
def test_shapes(network, shots, queries, channels, height, width):
    episode = images(shots, channels, height, width), square(shots, height, width)
    logits = run(network, *episode, images(queries, channels, height, width, seed=1))
    assert logits.shape == (queries, 2, height, width)
    assert torch.isfinite(logits).all()


def test_support_and_query_of_different_size(network):
    logits = run(network, images(2), square(2), images(2, 1, 96, 72, seed=1))
    assert logits.shape == (2, 2, 96, 72)
    assert torch.isfinite(logits).all()


def test_one_channel_is_three_equal_ones(network):
    a = run(network, images(1), square(), images(1, seed=1))
    b = run(network, images(1).repeat(1, 3, 1, 1), square(), images(1, seed=1).repeat(1, 3, 1, 1))
    assert torch.equal(a, b)


def test_queries_do_not_depend_on_each_other(network):
    queries = images(3, seed=1)
    together = run(network, images(1), square(), queries)
    for query, logits in zip(queries, together, strict=True):
        assert torch.allclose(run(network, images(1), square(), query[None])[0], logits, atol=1e-4)


def test_the_parts_are_the_whole(network):
    support, query = images(2), images(2, seed=1)
    with torch.inference_mode():
        memory = network.learn(support, network.embed(support), square(2))
        parts = network.segment(memory, network.embed(query), (64, 64))
        again = network.segment(memory, network.embed(query), (64, 64))  # a memory is not used up
    assert torch.equal(parts, run(network, support, square(2), query))
    assert torch.equal(parts, again)


def test_masks_of_any_type(network):
    soft = run(network, images(1), square(), images(1, seed=1))
    for dtype in (torch.bool, torch.uint8, torch.float64):
        assert torch.equal(run(network, images(1), square().to(dtype), images(1, seed=1)), soft)


def test_the_same_shot_twice_is_one_shot(network):
    one = run(network, images(1), square(), images(1, seed=1))
    two = run(network, images(1).repeat(2, 1, 1, 1), square(2), images(1, seed=1))
    if type(network).__name__ == "DSPNet":  # local prototypes count twice, the refined one is one all the same
        assert torch.allclose(one[:, 0], two[:, 0], atol=1e-4)
        assert (one - two).abs().max() < 1
    else:
        assert torch.allclose(one, two, atol=1e-4)


def test_a_second_shot_matters(network):
    one = run(network, images(1), square(), images(1, seed=1))
    two = run(network, images(2), square(2), images(1, seed=1))
    assert (one - two).abs().max() > 1e-4


@pytest.mark.parametrize("where", ["one pixel", "between centres", "all", "no background window", "one of two shots"])
def test_odd_masks(network, where):
    support, masks = images(1), torch.zeros(1, 64, 64)
    if where == "one pixel":
        masks[0, 20, 20] = 1
    elif where == "between centres":
        masks[0, 24, 24] = 1  # first pixel of a cell: its centre is not touched
    elif where == "all":
        masks[:] = 1
    elif where == "no background window":
        masks[:, ::16] = 1
        masks[:, 3::8, ::2] = masks[:, 4::8, 1::2] = 1
    else:
        support, masks = images(2), square(2)
        masks[1] = 0
    logits = run(network, support, masks, images(2, seed=1))
    assert logits.shape == (2, 2, 64, 64)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_of_a_mask_between_centres(name):
    masks = torch.zeros(1, 64, 64)
    masks[0, 24, 24] = 1
    assert run(make(name), images(1), masks, images(1, seed=1))[:, 1].abs().max() == 0


@pytest.mark.parametrize("name", BY_PROTOTYPES)
def test_a_full_mask_is_foreground(name):
    support = images(1)
    logits = run(make(name), support, torch.ones(1, 64, 64), support)
    assert logits[:, 0].abs().max() == 0
    assert (logits[:, 1] > 0).float().mean() > 0.9


@pytest.mark.parametrize("name", BY_PROTOTYPES)
def test_a_bright_square_is_found(name):
    image, mask = bright_square()
    query = torch.roll(image, 16, 2)
    predicted = run(build(name, encoder=EveryEighthPixel()).eval(), image, mask, query).argmax(1)
    truth = torch.roll(mask, 16, 1)
    overlap = (2 * (predicted * truth).sum() / (predicted.sum() + truth.sum())).item()
    assert overlap > 0.85


@pytest.mark.parametrize(
    ("support", "masks", "query", "words"),
    [
        (images(1), torch.zeros(1, 64, 64), images(1), "empty"),
        (images(0), torch.zeros(0, 64, 64), images(1), "no support"),
        (images(2), square(1), images(1), "shape"),
        (images(1), square(1, 32, 32), images(1), "shape"),
        (images(1), square()[:, None], images(1), "shape"),
        (images(1), square() * 255, images(1), "beyond 0 and 1"),
        (images(1), square() * float("nan"), images(1), "beyond 0 and 1"),
        (images(1, 2), square(), images(1, 2), "channels"),
        (images(1), square(), images(1, 4), "query images have 4 channels"),
        (images(1)[0], square(), images(1), "dimensions"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(network, support, masks, query, words):
    with pytest.raises(InputError, match=words) as caught:
        run(network, support, masks, query)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text


def test_gradient_reaches_every_parameter(network):
    network.train()
    try:
        logits = network(images(2), square(2), images(2, seed=1))
        labels = square(2).long()
        F.cross_entropy(logits, labels).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        assert network.encoder.localconv.weight.grad.abs().sum() > 0
    finally:
        network.zero_grad(set_to_none=True)
        network.eval()


def test_the_conditional_network_learns_one_episode():
    torch.manual_seed(0)
    network = build("conditional", encoder=EveryEighthPixel())
    image, mask = bright_square()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(network(image, mask, torch.roll(image, 16, 2)), torch.roll(mask, 16, 1).long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("dspnet-published", {"alpha": 0.9}),
        ("dspnet-published", {"neighbours": (0.1, 0.9, 0.1)}),
        ("dspnet-published", {"validation_window": 1}),
        ("dspnet-published", {"threshold": 0.4}),
        ("dspnet-published", {"clusters": ClusterSettings()}),
        ("alpnet", {"validation_window": 4}),
        ("alpnet", {"threshold": 0.4}),
        ("alpnet", {"clusters": ClusterSettings("dbscan", eps=0.3)}),
        ("prototype", {"distance": "euclidean"}),
        ("prototype", {"clusters": ClusterSettings()}),
        ("conditional", {"hidden": 32}),
    ],
)
def test_settings_change_the_result(name, setting):
    if "clusters" in setting:
        pytest.importorskip("skimage")
        pytest.importorskip("sklearn")
    episode = images(1, 1, 96, 96), square(1, 96, 96), images(1, 1, 96, 96, seed=1)
    usual, other = run(make(name), *episode), run(make(name, **setting), *episode)
    assert (usual - other).abs().max() > 1e-4
    assert torch.equal(run(make(name, **setting), *episode), other)


def test_alpha_of_the_background_is_literal_unless_told():
    episode = images(1), square(), images(1, seed=1)
    usual = run(make("dspnet-published"), *episode)
    literal = run(make("dspnet-published", alpha=0.9), *episode)
    meant = run(make("dspnet-published", alpha=0.9, literal_alpha=False), *episode)
    assert torch.equal(usual[:, 0], literal[:, 0])
    assert (usual[:, 0] - meant[:, 0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", PUBLISHED)
def test_training_has_its_own_windows(name):
    network = make(name, grid=2)
    features, masks = torch.randn(1, 256, 8, 8), torch.zeros(1, 64, 64)
    masks[:, :32, :32] = 1
    evaluated = network.learn(images(1), features, masks)
    trained = network.train().learn(images(1), features, masks)
    # 8 × 8 cells: three quarters of 4 × 4 windows of 2 × 2 cells, less those the border runs through; of 2 × 2 windows
    assert len(evaluated.background) == 12
    assert len(trained.background) == 3


@pytest.mark.parametrize("name", BY_PROTOTYPES)
def test_alignment_loss(name):
    network = build(name, encoder=EveryEighthPixel()).train()
    image, mask = bright_square()
    support, query = network.embed(image), network.embed(torch.roll(image, 16, 2))
    truth = torch.roll(mask, 16, 1)[:, ::8, ::8]

    def loss(prediction):
        scores = torch.stack([1 - prediction, prediction], 1)
        return alignment_loss(network, support, mask, query, scores)

    right, wrong, nothing, everything = loss(truth), loss(1 - truth), loss(truth * 0), loss(truth * 0 + 1)
    for value in (right, wrong, nothing, everything):
        assert value.isfinite()
        assert value > 0
    for value in (wrong, nothing, everything):
        assert right < 0.5 * value
    right.backward()
    assert network.encoder.gain.grad.isfinite()


@pytest.mark.parametrize("name", BY_PROTOTYPES)
def test_alignment_loss_of_several_is_the_mean(name):
    network = make(name).train()
    support, query, masks = torch.randn(2, 256, 8, 8), torch.randn(2, 256, 8, 8), square(2)
    scores = torch.randn(2, 2, 8, 8)
    with torch.no_grad():
        whole = alignment_loss(network, support, masks, query, scores)
        parts = [
            alignment_loss(network, support[s : s + 1], masks[s : s + 1], query[q : q + 1], scores[q : q + 1])
            for s in range(2)
            for q in range(2)
        ]
    assert whole.item() == pytest.approx(torch.stack(parts).mean().item(), abs=1e-4)


def test_alignment_loss_only_where_there_are_prototypes_and_if_wanted():
    features, scores = torch.randn(1, 3, 8, 8), torch.randn(1, 2, 8, 8)
    with pytest.raises(InputError, match="prototypes"):
        alignment_loss(build("conditional", encoder=EveryEighthPixel()), features, square(), features, scores)
    unwanted = build("alpnet", encoder=EveryEighthPixel(), align=False)
    assert alignment_loss(unwanted, features, square(), features, scores) == 0


def test_registry():
    assert set(ALL) <= set(names())
    with pytest.raises(InputError, match="dspnet-published, .*prototype"):
        build("unet")
    with pytest.raises(InputError, match="colour.*alpha"):
        build("dspnet-published", encoder="resnet18", colour=1)
    with pytest.raises(InputError, match="resnet18"):
        build("alpnet", encoder="resnet152")
    with pytest.raises(InputError, match="channels"):
        build_encoder("resnet18", depth=3)
    for bad in ({"threshold": 2}, {"grid": 0}, {"validation_window": 0.5}):
        with pytest.raises(InputError):
            build("alpnet", encoder="resnet18", **bad)
    with pytest.raises(InputError, match="cosine, euclidean"):
        build("prototype", encoder="resnet18", distance="chess")
    with pytest.raises(InputError, match="three weights"):
        build("dspnet-published", encoder="resnet18", neighbours=(1, 2))
    assert isinstance(build("alpnet", encoder=EveryEighthPixel()), FewShotNetwork)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"])
def test_encoders(name):
    assert name in encoder_names()
    encoder = build_encoder(name).eval()
    assert (encoder.channels, encoder.stride) == (256, 8)
    with torch.inference_mode():
        grey = encoder(images(1, 1, 43, 64))
        assert grey.shape == (1, 256, 6, 8)
        assert torch.equal(grey, encoder(images(1, 1, 43, 64).repeat(1, 3, 1, 1)))
    state = encoder.state_dict()
    assert {key.split(".")[0] for key in state} == {"backbone", "localconv"}
    assert state["localconv.weight"].shape[0] == 256


def test_an_encoder_with_other_channels():
    network = build("dspnet-published", encoder=build_encoder("resnet18", channels=32)).eval()
    assert run(network, images(1), square(), images(1, seed=1)).shape == (1, 2, 64, 64)


def test_importing_the_networks_imports_no_more_than_torch():
    code = "import sys, FewShotSegmentLib.networks; print({'scipy', 'skimage', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
