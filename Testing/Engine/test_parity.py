"""Logits of DSPNet and SSL-ALPNet equal what the published code returns, for weights and inputs made from a recipe."""

import re
import zlib

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from FewShotSegmentLib.networks import from_reference_checkpoint

CASES = {  # support seed, query seed, then the ellipse: cy, cx, ry, rx
    "large": (11, 12, 120, 130, 60, 50),
    "middle": (13, 14, 100, 90, 22, 30),
    "small": (15, 16, 150, 160, 7, 9),
    "huge": (17, 18, 128, 128, 95, 90),
}
METHODS = {"dspnet": "dsp", "alpnet": "alp"}
TOLERANCE = 2e-3


def entry(name, shape):
    """One entry of the state dictionary by the recipe."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    values = random.standard_normal(shape)
    if name.endswith("running_var"):
        values = 1 + 0.2 * np.abs(values)
    elif name.endswith("running_mean"):
        values = 0.05 * values
    elif len(shape) == 1:
        values = name.endswith("weight") + 0.05 * values
    else:
        values = values * np.sqrt(2 / np.prod(shape[1:])) * 0.7
    return torch.from_numpy(values.astype(np.float32))


def image(seed):
    a = gaussian_filter(np.random.RandomState(seed).standard_normal((256, 256)), 6)
    return torch.from_numpy(((a - a.mean()) / a.std()).astype(np.float32)).expand(1, 3, 256, 256)


def ellipse(cy, cx, ry, rx):
    y, x = np.mgrid[:256, :256]
    return torch.from_numpy(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1)[None]


@pytest.fixture(scope="module")
def networks(shared):
    folder = shared / "golden"
    if not folder.is_dir():
        pytest.skip("outputs of the published code (shared/golden) are not here")
    made, built = {}, {}
    for method, short in METHODS.items():
        state = {}
        for line in (folder / f"keys_{short}.txt").read_text().splitlines():
            name, shape = line.split(" ", 1)
            if "aspp" in name or name == "cls_unit.cal":  # never used; as initialised
                continue
            if name not in made:
                size = tuple(int(n) for n in re.findall(r"\d+", shape))
                made[name] = torch.tensor(0) if name.endswith("num_batches_tracked") else entry(name, size)
            state[name] = made[name]
        built[method] = from_reference_checkpoint(state, method)
    return built


@pytest.fixture(scope="module")
def features(networks):
    """Features by image seed; both networks have the same encoder with the same weights."""
    a, b = (network.encoder.state_dict() for network in networks.values())
    assert all(torch.equal(a[name], b[name]) for name in a)
    with torch.inference_mode():
        return {seed: networks["dspnet"].embed(image(seed)) for case in CASES.values() for seed in case[:2]}


@pytest.fixture(scope="module", params=METHODS)
def method(request, networks, shared):
    reference = np.load(shared / "golden" / f"{request.param}_reference.npz")
    return networks[request.param], reference


def test_features(method, features):
    _, reference = method
    found = features[11][0]
    np.testing.assert_allclose(found[:4].numpy(), reference["features_ch0_4"], atol=1e-4)
    np.testing.assert_allclose(found.norm(dim=0).numpy(), reference["features_norm"], atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_logits(method, features, case):
    network, reference = method
    support, query, *shape = CASES[case]
    with torch.inference_mode():
        memory = network.learn(image(support), features[support], ellipse(*shape))
        logits = network.segment(memory, features[query], (256, 256))
    assert logits.shape == (1, 2, 256, 256)
    np.testing.assert_allclose(logits[0, :, ::4, ::4].numpy(), reference[f"{case}_logits"], atol=TOLERANCE, rtol=0)
    share = (logits[0, 1] > logits[0, 0]).float().mean().item()
    assert share == pytest.approx(float(reference[f"{case}_fgfrac"]), abs=1e-3)


def test_forward_is_the_parts_one_after_the_other(networks):
    """The whole episode, from images to logits, in one call."""
    network = networks["dspnet"]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 1, 64, 64, generator=generator)
    mask = torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 1
    with torch.inference_mode():
        whole = network(images[:1], mask, images[1:])
        memory = network.learn(images[:1], network.embed(images[:1]), mask)
        parts = network.segment(memory, network.embed(images[1:]), (64, 64))
    assert torch.equal(whole, parts)
