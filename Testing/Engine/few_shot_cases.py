"""A quick encoder, images and masks, for the tests of the repaired DSPNet."""

import math

import torch
import torch.nn.functional as F

from FewShotSegmentLib.networks.dspnet import RepairedDSPNet
from FewShotSegmentLib.networks.encoders import FeatureEncoder

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
