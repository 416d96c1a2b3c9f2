"""Networks as methods use them: loaded once in a process, whatever methods use them, and queries encoded once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from ...devices import repeatable
from ...engine import Engine
from ...networks import FewShotNetwork, build
from ...networks.encoders.propagator import PropagatorEncoder
from ...transfer.query import Query, read_query
from ...weights import find_weights_folder
from ...weights.few_shot import load_few_shot
from ..method import Volume
from .base import Last


class Encoded:
    """Queries with the features of one encoder; the last volume's are kept, for all organs and methods.

    Args:
        engine: says where to compute, and how volumes are looked at.
        network: any that embeds with that encoder.
    """

    def __init__(self, engine: Engine, network: FewShotNetwork[Any]):
        self._engine = engine
        self._network = network
        self._last: Last[dict[int, Query]] = Last(lambda volume: {})

    def query(self, volume: Volume, axis: int) -> Query:
        """A volume, encoded.

        Args:
            volume: to be segmented.
            axis: array axis across its slices.

        Raises:
            InputError: the image cannot be used.
        """
        kept = self._last.of(volume)
        if axis not in kept:
            device = self._engine.device
            with torch.inference_mode(), repeatable(device):
                kept[axis] = read_query(
                    volume.image,
                    volume.geometry,
                    axis,
                    volume.modality,
                    self._network.to(device),
                    device,
                    self._engine.settings,
                )
        return kept[axis]


class Loaded:
    """An engine, and its encoder for few-shot networks.

    Args:
        engine: loaded.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.encoder = PropagatorEncoder(engine.network)
        # what embeds for all networks on this encoder; it has no parameters of its own
        self.encoded = Encoded(engine, build("prototype", self.encoder).eval())

    def network(self, name: str, folder: str | None) -> tuple[FewShotNetwork[Any], Encoded]:
        """A few-shot network in evaluation mode on the engine's device, and what encodes queries for it.

        Args:
            name: of the network.
            folder: with its own weights; None for the engine's encoder, and what else it learns as it starts out.

        Raises:
            WeightsError: the weights are missing, damaged or another network's.
        """
        if folder is not None:
            place = find_weights_folder(folder)
            assert place is not None
            network = load_few_shot(place, name).requires_grad_(False).to(self.engine.device)
            return network, Encoded(self.engine, network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # what has no weights comes out the same at every start
            network = build(name, self.encoder)
        return network.eval().requires_grad_(False).to(self.engine.device), self.encoded


def load(options: Mapping[str, str]) -> Loaded:
    """What a recipe's options ask for, once in a process: "device" (the CPU by default) and "weights".

    Raises:
        WeightsError: there are no such weights, or they are damaged.
        DeviceError: the device is not there.
    """
    return _load(options.get("device", "cpu"), options.get("weights"))


@lru_cache(maxsize=2)
def _load(device: str, weights: str | None) -> Loaded:
    return Loaded(Engine.load(device, weights_folder=find_weights_folder(weights)))


def count(*modules: nn.Module | None) -> int:
    """Numbers that were learned in some networks; what they share counts once."""
    learned = {id(p): p.numel() for module in modules if module is not None for p in module.parameters()}
    return sum(learned.values())
