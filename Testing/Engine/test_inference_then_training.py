"""What inference leaves behind must serve a training that follows."""

import torch

from FewShotSegmentLib.networks import Propagator
from FewShotSegmentLib.networks.blocks import squared_distances


def test_a_grid_that_inference_made_serves_training():
    squared_distances.cache_clear()
    torch.manual_seed(0)
    network, image, mask = Propagator(), torch.randn(1, 1, 48, 48), torch.ones(1, 1, 48, 48)

    def carry():
        features = network.encode(image)
        memory = [network.remember(image, features, mask)]
        return network.decode(features, network.read(features, memory), mask)[0]

    with torch.inference_mode():
        carry()
    carry().sum().backward()
    assert network.position.grad is not None and bool(torch.isfinite(network.position.grad))
