"""Encoders by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...errors import InputError
from .base import FeatureEncoder


def _resnet(name: str) -> Callable[..., FeatureEncoder]:
    from .resnet import ResNetEncoder  # noqa: PLC0415 - only what is asked for is imported

    def make(channels: int = 256) -> FeatureEncoder:
        return ResNetEncoder(name, channels)

    return make


def _vgg(_: str) -> Callable[..., FeatureEncoder]:
    from .vgg import VGGEncoder  # noqa: PLC0415

    return VGGEncoder


def _propagator(_: str) -> Callable[..., FeatureEncoder]:
    from .propagator import PropagatorEncoder  # noqa: PLC0415

    return PropagatorEncoder


_ENCODERS: dict[str, Callable[[str], Callable[..., FeatureEncoder]]] = {
    "resnet18": _resnet,
    "resnet34": _resnet,
    "resnet50": _resnet,
    "resnet101": _resnet,
    "vgg16": _vgg,
    "propagator": _propagator,
}
"""Name → function that imports the encoder's module and returns its constructor; further encoders are entered here."""


def encoder_names() -> tuple[str, ...]:
    """Names that `build_encoder` knows."""
    return tuple(_ENCODERS)


def build_encoder(name: str, **options: Any) -> FeatureEncoder:
    """A new encoder with random weights.

    Args:
        name: one of `encoder_names`.
        options: of that encoder, such as `channels`.

    Raises:
        InputError: there is no encoder or option of that name (the text lists those there are).
    """
    if name not in _ENCODERS:
        raise InputError(f"There is no encoder called “{name}”; there are: {', '.join(_ENCODERS)}.")
    make = _ENCODERS[name](name)
    known = list(inspect.signature(make).parameters)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            f"The encoder “{name}” has no option called “{unknown[0]}”; it has: {', '.join(known) or 'none'}."
        )
    return make(**options)
