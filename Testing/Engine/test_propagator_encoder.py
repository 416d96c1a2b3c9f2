"""The propagator's encoder as a feature encoder."""

import pytest
import torch
import torch.nn.functional as F
from few_shot_cases import images, square

from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks import Propagator
from FewShotSegmentLib.networks.dspnet import RepairedDSPNet
from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder


@pytest.fixture(scope="module")
def propagator():
    torch.manual_seed(3)
    return Propagator().eval()


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
