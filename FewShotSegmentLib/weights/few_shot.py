"""A few-shot network from a folder of weights, as `fewshotsegment pretrain` leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..networks import FewShotNetwork, build, names
from .load import load_state
from .manifest import find_weights


def load_few_shot(folder: Path, method: str) -> FewShotNetwork[Any]:
    """The network, in evaluation mode.

    Args:
        folder: with a manifest, whose first entry is of the network "METHOD" or "METHOD/ENCODER".
        method: name of the network that is wanted.

    Raises:
        WeightsError: the weights are damaged, or of another network.
    """
    info = find_weights(None, folder)
    name, _, encoder = info.network.partition("/")
    if name != method or name not in names():
        raise WeightsError(f"The weights {info.name} are of the network {info.network}, not of {method}.")
    network = build(name, encoder or None)
    try:
        network.load_state_dict(load_state(info))
    except RuntimeError as error:
        raise WeightsError(f"The weights {info.name} do not fit the network {info.network}; use others.") from error
    return network.eval()
