"""The network that is trained, and where its weights start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError, WeightsError
from ..networks import Propagator, Refiner, build, names
from ..networks.encoders.propagator import PropagatorEncoder
from ..weights import WeightsInfo, find_weights, find_weights_folder, load_state, read_manifest
from .few_shot_task import FewShotTask
from .propagator_task import PropagatorTask
from .refiner_task import RefinerTask
from .settings import SEQUENCES, TrainSettings

START = ("random", "bundled")
"""What weights can start from, beside a folder of weights."""


def make_task(settings: TrainSettings, start: str | Path) -> nn.Module:
    """The task of a new network.

    Args:
        settings: network, encoder and loss; random weights depend on the seed alone.
        start: "random"; "bundled" (weights of the propagator or the refiner, or the propagator's encoder for a few-shot
            network with the encoder "propagator"); or a folder or name of weights of the same network.

    Raises:
        InputError: there are no such weights for this network.
        WeightsError: they are damaged, or of another network.
    """
    state = torch.get_rng_state()
    torch.manual_seed(settings.seed)
    try:
        return _make(settings, start)
    finally:
        torch.set_rng_state(state)


def network_name(settings: TrainSettings) -> str:
    """What the manifest calls the network: "propagator", "refiner", or with its encoder "dspnet/resnet50" and such."""
    return settings.network if not settings.encoder else f"{settings.network}/{settings.encoder}"


def _make(settings: TrainSettings, start: str | Path) -> nn.Module:
    if settings.network in SEQUENCES:
        return _make_carrier(settings, start)
    encoder: Any = settings.encoder
    if str(start) == "bundled":
        if encoder != "propagator":
            raise InputError(
                f"The bundled weights do not fit the encoder {encoder or 'of this network'}; "
                "use --encoder propagator, or --weights random."
            )
        propagator = Propagator()
        _load(propagator, start, "propagator")
        encoder = PropagatorEncoder(propagator)
    if settings.network not in names():
        known = ", ".join((*SEQUENCES, *names()))
        raise InputError(f"There is no network called “{settings.network}” to train; there are: {known}.")
    network = build(settings.network, encoder)
    if str(start) not in START:
        _load(network, start, network_name(settings))
    return FewShotTask(network, settings.alignment, settings.background_weight)


def _make_carrier(settings: TrainSettings, start: str | Path) -> nn.Module:
    """The task of a network that is led along slices."""
    name = settings.network
    if settings.encoder:
        raise InputError(f"The {name} takes no encoder; leave out --encoder.")
    network = Propagator() if name == "propagator" else Refiner()
    if str(start) != "random":
        _load(network, start, name)
    # what the kernels of CPUs and tensor cores take two to three times as fast
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return RefinerTask(network) if isinstance(network, Refiner) else PropagatorTask(network, settings.few_shot)


def find_start(start: str | Path, network: str = "propagator") -> WeightsInfo:
    """The manifest's entry of weights to start from.

    Args:
        start: "bundled", or a folder or name of weights.
        network: of which the bundled ones are taken; a folder's are the first ones, whatever they are of.

    Raises:
        WeightsError: there are none.
    """
    if str(start) != "bundled":
        return find_weights(None, find_weights_folder(start))
    for info in read_manifest().values():
        if info.network == network:
            return info
    raise WeightsError(
        f"No weights of the {network} are bundled; use --weights random, or a folder of weights that were trained."
    )


def _load(network: nn.Module, start: str | Path, name: str) -> None:
    info = find_start(start, name)
    if info.network != name:
        raise WeightsError(f"The weights {info.name} are of the network {info.network}; {name} is needed.")
    try:
        network.load_state_dict(load_state(info))
    except RuntimeError as error:
        raise WeightsError(f"The weights {info.name} do not fit the network {name}; use others.") from error
