"""How a synthetic anatomy looks: a grey value and a texture for each tissue, then what a scanner adds."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .draw import Draw
from .settings import SyntheticSettings


class Tissues(NamedTuple):
    """Look of each label in each of B volumes.

    Attributes:
        grey: [B, labels], mostly 0 to 1; label 0 is what surrounds the body.
        texture: amplitude of its texture, [B, labels].
    """

    grey: Tensor
    texture: Tensor


def draw_tissues(draw: Draw, count: int, labels: int, same_as: Tensor, settings: SyntheticSettings) -> Tissues:
    """Grey values and textures.

    Args:
        draw: random numbers.
        count: volumes, B.
        labels: number of labels, background included.
        same_as: [labels], the label whose look each one has (its own number, but for twins).
        settings: ranges.
    """
    anything = draw.uniform(0, 1, count, labels)
    middle, spread = draw.uniform(0.25, 0.75, count, 1), draw.uniform(*settings.contrast, count, 1)
    near = middle + draw.normal(count, labels) * spread
    near = torch.where(draw.chance(settings.outlier_tissues, count, labels), anything, near)
    grey = torch.where(draw.chance(0.65, count, 1), near, anything)
    # organs that touch with hardly a difference: borders must then be carried over from the neighbouring slice
    other = grey.roll(1, 1) + draw.normal(count, labels) * 0.01
    grey = torch.where(draw.chance(settings.alike_tissues, count, labels), other, grey)
    black = torch.zeros_like(grey[:, 0])
    grey[:, 0] = torch.where(draw.chance(0.7, count), black, grey.amin(1) - 0.2)
    texture = draw.uniform(0, 1, count, labels) * draw.uniform(*settings.texture, count, 1)
    return Tissues(grey[:, same_as], texture[:, same_as])


def paint(draw: Draw, labels: Tensor, tissues: Tissues, settings: SyntheticSettings) -> Tensor:
    """Image of label volumes.

    Args:
        draw: random numbers.
        labels: int64 [B, depth, size, size].
        tissues: look of each label.
        settings: ranges.

    Returns:
        [B, depth, size, size], each volume of mean 0 and deviation 1, as `preprocessing.normalise` gives them.
    """
    count, depth, size, _ = labels.shape
    one, shape = (count, 1, 1, 1), (depth, size, size)
    flat = labels.flatten(1)
    image = tissues.grey.gather(1, flat).view_as(labels)
    grain = draw.smooth(count, 1, shape, draw.one_of((1.0, 2.0, 4.0, 8.0)), 1.5)[:, 0]
    image = image + tissues.texture.gather(1, flat).view_as(labels) * grain
    shading = draw.smooth(count, 1, shape, size / 2, max(2, depth))[:, 0]
    image = image + draw.uniform(*settings.bias, *one) * shading * (labels > 0)
    image = blur(image, draw.number(*settings.blur))
    if depth > 1:
        image = _mix_slices(image, draw.uniform(*settings.across, *one))
    image = image + draw.normal(*image.shape) * draw.uniform(*settings.noise, *one)
    if draw.number(0, 1) < 0.3:  # noise of a reconstruction is not white
        image = blur(image, draw.number(0.3, 0.8))
    low, high = image.amin((1, 2, 3), True), image.amax((1, 2, 3), True)
    image = ((image - low) / (high - low + 1e-6)) ** draw.uniform(*settings.gamma, *one).exp()
    return (image - image.mean((1, 2, 3), True)) / (image.std((1, 2, 3), keepdim=True) + 1e-5)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur within slices: [B, depth, h, w], sigma in pixels."""
    reach = int(3 * sigma + 1)
    at = torch.arange(-reach, reach + 1, device=image.device).float()
    kernel = torch.exp(-at.square() / (2 * sigma * sigma))
    kernel = kernel / kernel.sum()
    planes = image.flatten(0, 1)[:, None]
    planes = F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    return planes.view_as(image)


def _mix_slices(image: Tensor, share: Tensor) -> Tensor:
    """Each slice with this share of its two neighbours' mean."""
    padded = torch.cat([image[:, :1], image, image[:, -1:]], 1)
    return (1 - share) * image + share * 0.5 * (padded[:, :-2] + padded[:, 2:])
