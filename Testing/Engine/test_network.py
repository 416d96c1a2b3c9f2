"""The propagator network: its algebra, its independence of batches, and parity with the prototype it was trained as."""

import sys

import pytest
import torch

from FewShotSegmentLib.networks import Propagator
from FewShotSegmentLib.networks.blocks import MergeBlock


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Propagator().eval().requires_grad_(False)


def test_merge_block_is_a_convolution_of_the_inputs_side_by_side():
    torch.manual_seed(1)
    block = MergeBlock(8, image=5, prior=1).eval()
    a, b = torch.randn(2, 5, 12, 12), torch.rand(2, 1, 12, 12)
    joint = torch.cat([a, b], 1)
    weight = torch.cat([block.branches["image"].conv.weight, block.branches["prior"].conv.weight], 1)
    shortcut = torch.cat([block.branches["image"].shortcut.weight, block.branches["prior"].shortcut.weight], 1)
    y = torch.relu(block.norm_in(torch.conv2d(joint, weight, padding=1)))
    expected = torch.relu(block.norm_out(block.conv_out(y)) + torch.conv2d(joint, shortcut))
    torch.testing.assert_close(block([block.share("image", a), block.share("prior", b)]), expected, rtol=0, atol=1e-5)


def test_shapes_and_ranges(network):
    image, mask = torch.randn(1, 1, 64, 96), torch.rand(1, 1, 64, 96)
    features = network.encode(image)
    assert [tuple(f.shape[-2:]) for f in features.levels] == [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)]
    torch.testing.assert_close(features.key.norm(dim=1), torch.ones(1, 8, 12))
    entry = network.remember(image, features, mask)
    readout = network.read(features, [entry, entry])
    assert readout.value.shape == (1, 128, 8, 12)
    assert 0 <= float(readout.coverage.min()) <= float(readout.coverage.max()) <= 1
    logits, coarse = network.decode(features, readout, mask)
    assert logits.shape == (1, 1, 64, 96)
    assert coarse.shape == (1, 1, 8, 12)


def test_segments_in_a_batch_do_not_touch_each_other(network):
    image, masks = torch.randn(1, 1, 64, 64), (torch.rand(3, 1, 64, 64) > 0.5).float()
    features = network.encode(image)

    def run(m):
        entry = network.remember(image, features, m)
        return network.decode(features, network.read(features, [entry]), m)[0]

    together = run(masks)
    for n in range(3):
        torch.testing.assert_close(run(masks[n : n + 1]), together[n : n + 1], rtol=1e-4, atol=1e-4)


def test_decoding_leaves_shared_features_as_they_are(network):
    image, mask = torch.randn(1, 1, 64, 64), torch.rand(1, 1, 64, 64)
    features = network.encode(image)
    readout = network.read(features, [network.remember(image, features, mask)])
    first = network.decode(features, readout, mask)[0]
    torch.testing.assert_close(network.decode(features, readout, mask)[0], first, rtol=0, atol=0)


def test_gradients_reach_every_parameter():
    network = Propagator()
    image, mask = torch.randn(2, 1, 64, 64), torch.rand(2, 1, 64, 64)
    features = network.encode(image)
    logits, coarse = network.decode(features, network.read(features, [network.remember(image, features, mask)]), mask)
    (logits.square().mean() + coarse.square().mean()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


BLOCK = {"a": "conv_in", "n1": "norm_in", "b": "conv_out", "n2": "norm_out", "s": "shortcut"}
PARTS = {"q": "image_encoder", "v": "mask_encoder", "mid": "context", "out": "to_logits", "o3": "to_coarse_logits"}
MERGED = {"vf": "value", "d4": "decode16", "d3": "decode8", "d2": "decode4", "d1": "decode2", "d0": "decode1"}


def in_our_names(weights, network):
    """The prototype's weights: a convolution of inputs side by side is here one of each input."""
    ours = {"position": weights["pos"][0], "temperature": weights["temp"]}
    for name, value in weights.items():
        first, *rest = name.split(".")
        if first in MERGED:
            block, part = MERGED[first], BLOCK[rest[0]]
            if rest[0] in ("a", "s"):
                branches = getattr(network, block).branches
                sizes = [branch.conv.in_channels for branch in branches.values()]
                layer = "conv" if rest[0] == "a" else "shortcut"
                for branch, piece in zip(branches, value.split(sizes, 1), strict=True):
                    ours[f"{block}.branches.{branch}.{layer}.weight"] = piece
            else:
                ours[f"{block}.{part}.{rest[1]}"] = value
        elif first not in ("pos", "temp"):
            rest = ["stages" if r == "st" else BLOCK.get(r, r) for r in rest]
            ours[".".join([PARTS.get(first, first), *rest])] = value
    return ours


def test_same_logits_as_the_prototype(shared):
    sys.path.insert(0, str(shared / "prototype"))
    import propagator as prototype
    from safetensors.torch import load_file

    old = prototype.Propagator().eval().requires_grad_(False)
    weights = {
        name: value.float()
        for name, value in load_file(shared / "prototype" / "weights" / "propagator-v0.safetensors").items()
    }
    old.load_state_dict(weights)
    torch.manual_seed(3)
    image, mask, one = torch.randn(1, 1, 96, 128), torch.rand(1, 1, 96, 128), torch.ones(1)
    f = old.encode(image)
    memory = [old.remember(image, f, mask), old.remember(image, f, 1 - mask)]
    expected = old.decode(f, *old.read(f, memory, [one, one]), mask)[0]
    new = Propagator().eval().requires_grad_(False)
    new.load_state_dict(in_our_names(weights, new))
    features = new.encode(image)
    memory = [new.remember(image, features, mask), new.remember(image, features, 1 - mask)]
    logits = new.decode(features, new.read(features, memory), mask)[0]
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
