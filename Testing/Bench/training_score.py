"""Scores few-shot networks that a bench has trained: each alone, on another patient's volume, as the transfer's bench.

The protocol is that of `transfer_accuracy`, one annotated slice: the network segments every slice by itself, nothing is
propagated, so that what is compared is what was trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cases import read_cases
from pairs import make_pairs
from training_run import Plan, weights_file
from transfer_accuracy import TransferRecord, measure
from transfer_methods import Row
from transfer_runner import Outcome
from transfer_volumes import Scene


def untrained() -> dict[str, Any]:
    """What the trainings start from, but for the published network's random ResNet: heads on encoders as they are."""
    import torch
    from engine import load

    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder
    from FewShotSegmentLib.training.networks import make_task
    from FewShotSegmentLib.training.settings import preset

    encoder = PropagatorEncoder(load().network)
    random: Any = make_task(preset("fast"), "random").network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # as `make_task`: what has no weights of its own comes out the same
        return {
            "random-fast": build("dspnet", PropagatorEncoder(random)),
            "bundled-fast": build("dspnet", encoder),
            "bundled-published": build("dspnet-published", encoder),
        }


def few_shot_network(folder: Path, plan: Plan) -> Any:
    """The few-shot network of a training: what was trained, or the repaired DSPNet on the propagator's encoder."""
    from safetensors.torch import load_file

    from FewShotSegmentLib.networks import build
    from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder
    from FewShotSegmentLib.training.networks import make_task
    from FewShotSegmentLib.training.settings import preset

    settings = preset(plan.preset).changed(encoder=plan.encoder)
    network: Any = make_task(settings, "random").network
    network.load_state_dict(load_file(weights_file(folder, plan)))
    if settings.network == "propagator":
        return build("dspnet", PropagatorEncoder(network))
    return network


class NetworkRunner:
    """Runs few-shot networks on pairs; what `transfer_accuracy.measure` asks for."""

    def __init__(self, networks: Mapping[str, Any], device: str):
        from FewShotSegmentLib import Settings
        from FewShotSegmentLib.devices import resolve_device

        self._device = resolve_device(device)
        self._settings = Settings()
        self._networks = {
            key: network.eval().requires_grad_(False).to(self._device) for key, network in networks.items()
        }

    def run(self, row: Row, scene: Scene, supports: dict) -> dict[str, Outcome]:
        """Every structure of a pair, the query encoded once for all."""
        import torch

        from FewShotSegmentLib.errors import InputError
        from FewShotSegmentLib.transfer.frame import query_axis
        from FewShotSegmentLib.transfer.per_slice import segment_slices
        from FewShotSegmentLib.transfer.query import read_query

        network, volume = self._networks[row.key], scene.query
        found, query = {}, None
        with torch.inference_mode():
            for name, support in supports.items():
                start = time.perf_counter()
                try:
                    if query is None:
                        axis = query_axis(support, volume.geometry).axes[0]
                        query = read_query(
                            volume.image, volume.geometry, axis, volume.modality, network, self._device, self._settings
                        )
                    mask = segment_slices(query, [support], network, self._device, self._settings, False).mask
                    remark = ""
                except InputError as error:
                    mask, remark = np.zeros(volume.image.shape, bool), str(error)
                found[name] = Outcome(mask, time.perf_counter() - start, remark)
        return found


def score(
    networks: Mapping[str, Any],
    titles: Mapping[str, str],
    shared: Path,
    limit: int | None,
    device: str,
    left_out: list[str],
    tell: Callable[[str], None] = lambda text: None,
) -> list[TransferRecord]:
    """Scores of all networks on the same pairs of data/dev, by their keys."""
    pairs = make_pairs(read_cases(shared), limit, left_out)
    rows = [Row(key, titles[key], "bare") for key in networks]
    return measure(pairs, rows, NetworkRunner(networks, device), ("one",), left_out, tell)


def sources(records: Sequence[TransferRecord]) -> list[str]:
    """In the order of the records."""
    return list(dict.fromkeys(record.source for record in records))
