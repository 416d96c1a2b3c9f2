"""Few-shot networks by name."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import InputError
from .encoders import FeatureEncoder, build_encoder
from .fewshot import FewShotNetwork


class _Entry(NamedTuple):
    module: str
    class_name: str
    encoder: str


_NETWORKS = {
    "dspnet": _Entry("dspnet", "RepairedDSPNet", "resnet50"),
    "dspnet-published": _Entry("dspnet_published", "DSPNet", "resnet101"),
    "alpnet": _Entry("alpnet", "ALPNet", "resnet101"),
    "prototype": _Entry("prototype", "PrototypeNetwork", "resnet50"),
    "conditional": _Entry("conditional", "ConditionalNetwork", "resnet18"),
}
"""Name → module of this package, class in it, encoder by default; further networks are entered here."""


def names() -> tuple[str, ...]:
    """Names that `build` knows."""
    return tuple(_NETWORKS)


def build(name: str, encoder: str | FeatureEncoder | None = None, **settings: Any) -> FewShotNetwork[Any]:
    """A new network with random weights; nothing is fetched, and only what it needs is imported.

    Args:
        name: one of `names`.
        encoder: name of an encoder (see `encoders.encoder_names`) or the encoder itself; the network's usual one by
            default.
        settings: of the network, see its class.

    Raises:
        InputError: there is no network, encoder or setting of that name (the text lists those there are).
    """
    if name not in _NETWORKS:
        raise InputError(f"There is no network called “{name}”; there are: {', '.join(_NETWORKS)}.")
    entry = _NETWORKS[name]
    network = getattr(import_module(f".{entry.module}", __package__), entry.class_name)
    known = [parameter for parameter in inspect.signature(network).parameters if parameter != "encoder"]
    unknown = [setting for setting in settings if setting not in known]
    if unknown:
        raise InputError(
            f"The network “{name}” has no setting called “{unknown[0]}”; it has: encoder, {', '.join(known)}."
        )
    if encoder is None or isinstance(encoder, str):
        encoder = build_encoder(encoder or entry.encoder)
    built: FewShotNetwork[Any] = network(encoder, **settings)
    return built
