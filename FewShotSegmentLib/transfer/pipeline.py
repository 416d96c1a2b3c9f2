"""All of it: supports and a volume in, the organs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import checks
from ..devices import repeatable, with_less_memory
from ..engine import Engine
from ..errors import InputError
from ..images.geometry import Geometry
from ..networks import FewShotNetwork, build
from ..networks.encoders.propagator import PropagatorEncoder
from ..preprocessing import decide_modality
from ..progress import Progress
from ..support import Support
from .complete import complete
from .find import find
from .frame import query_axis
from .per_slice import segment_slices
from .query import read_query
from .result import TransferResult

_PARTS = 100
"""Steps of progress in each half."""

METHODS = ("dspnet", "dspnet-published", "alpnet", "prototype", "conditional")
"""Few-shot networks by the name that users choose them by; the first one is the default."""


class Transfer:
    """Carries segments from annotated slices of some volumes to other volumes.

    Attributes:
        engine: whose propagator completes the volume.
        network: the few-shot network that finds the organ, in evaluation mode on the engine's device.
        notes: what the last call wants its user to know, a sentence each.
        modality: "ct" or "mr", as which the last call took its volume.
    """

    def __init__(self, engine: Engine, method: str = "dspnet", network: FewShotNetwork[Any] | None = None):
        """Make one.

        Args:
            engine: loaded.
            method: one of `METHODS`, with the propagator's encoder for its features: there are no weights yet that
                were trained for it.
            network: used in place of `method`, for instance one from a published checkpoint.

        Raises:
            InputError: there is no such method.
        """
        if network is None:
            if method not in METHODS:
                raise InputError(f"There is no method “{method}”; there are: {', '.join(METHODS)}.")
            # parts without weights of their own (conditional) must come out the same at every start
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = build(method, PropagatorEncoder(engine.network))
        self.engine = engine
        self.network = network.eval().requires_grad_(False).to(engine.device)
        self.notes: list[str] = []
        self.modality = ""

    def run(
        self,
        volume: NDArray[np.generic],
        geometry: Geometry,
        segments: Mapping[str, Sequence[Support]],
        *,
        modality: str = "auto",
        propagate: bool = True,
        keep_probability: bool = True,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, TransferResult]:
        """Find segments in a volume.

        Args:
            volume: [z, y, x], any real type; CT in HU. Not changed.
            geometry: where it lies.
            segments: {name: supports}; supports of several volumes are shots.
            modality: "ct", "mr", or "auto" to guess from the values (then noted).
            propagate: False gives each slice as the few-shot network segments it, alone.
            keep_probability: False saves 4 bytes a voxel and segment.
            progress: called with (steps done, steps in all).
            cancelled: asked before every batch of slices.

        Returns:
            {name: result} in the order given.

        Raises:
            InputError: something handed in cannot be used.
            DeviceError: out of memory even after retries.
            Cancelled: `cancelled` said yes; nothing is kept.
        """
        array = checks.check_volume(volume)
        self.notes = []
        used, note = decide_modality(checks.check_modality(modality), array)
        self.notes += [note] if note else []
        self.modality = used
        groups = self._by_axis(segments, geometry)
        results: dict[str, TransferResult] = {}
        for number, (axis, group) in enumerate(groups.items()):
            self._note_poor_supports(group, geometry, used)
            task = _Task(
                array, geometry, axis, used, group, propagate, keep_probability, _Steps(progress, number, len(groups)),
                cancelled,
            )  # fmt: skip
            results |= self._with_less_memory(task)
        return {name: results[name] for name in segments}

    def _with_less_memory(self, task: _Task) -> dict[str, TransferResult]:
        here = self.engine.device
        attempts: list[tuple[str, Callable[[], dict[str, TransferResult]]]] = [
            ("as usual", partial(self._run, task, here))
        ]
        if here.type != "cpu":
            attempts.append(("on the CPU", partial(self._run, task, torch.device("cpu"))))
        return with_less_memory(attempts, self.notes)

    def _run(self, task: _Task, device: torch.device) -> dict[str, TransferResult]:
        """All segments whose slices lie across one axis."""
        settings, steps = self.engine.settings, task.steps
        self.network.to(device)
        propagator = self.engine.network.to(device)
        with torch.inference_mode(), repeatable(device):
            query = read_query(
                task.array, task.geometry, task.axis, task.modality, self.network, device, settings, steps.first,
                task.cancelled,
            )  # fmt: skip
            if not task.propagate:
                bare = {}
                for done, (name, supports) in enumerate(task.segments.items(), 1):
                    bare[name] = segment_slices(
                        query, supports, self.network, device, settings, task.keep_probability, task.cancelled
                    )
                    self.notes += [note for note in [bare[name].note] if note]
                    steps.second(done, len(task.segments))
                return bare
            findings = {
                name: find(query, supports, self.network, propagator, device, settings, task.cancelled)
                for name, supports in task.segments.items()
            }
            self.notes += [finding.note for finding in findings.values() if finding.note]
        results = complete(
            query, findings, self.engine, task.modality, task.keep_probability, steps.second, task.cancelled
        )
        self.notes += [note for note in self.engine.notes if note not in self.notes]
        steps.second(1, 1)
        return results

    def _by_axis(
        self, segments: Mapping[str, Sequence[Support]], geometry: Geometry
    ) -> dict[int, dict[str, list[Support]]]:
        """Segments by the query's axis that their first support's slices lie across; `find` uses no others."""
        groups: dict[int, dict[str, list[Support]]] = {}
        for name, supports in segments.items():
            if not supports:
                raise InputError(f"There is no support for {name}; annotate it on at least one slice.")
            axes = [query_axis(support, geometry).axes[0] for support in supports]
            groups.setdefault(axes[0], {})[name] = list(supports)
            if len(set(axes)) > 1:
                self.notes.append(
                    f"The supports of {name} are drawn on different planes; those on the first one's plane are used."
                )
        return groups

    def _note_poor_supports(self, group: Mapping[str, Sequence[Support]], geometry: Geometry, modality: str) -> None:
        """Say what makes a support a poor one for this volume."""
        for name, supports in group.items():
            others = sorted({s.modality.upper() for s in supports if s.modality != modality})
            if others:
                self.notes.append(
                    f"The support of {name} is {' and '.join(others)}, the volume is {modality.upper()}: organs look "
                    "different there, so check the result, or annotate a volume of the same kind."
                )
            if all(part.mask.all() for s in supports for part in s.slices):
                self.notes.append(
                    f"The annotation of {name} covers whole slices, so that nothing tells it from its surroundings; "
                    "draw the structure only."
                )
            match = max((query_axis(s, geometry) for s in supports), key=lambda m: m.across)
            if match.tilted:
                self.notes.append(
                    f"The support of {name} is tilted by {match.across:.0f}° against the volume's slices: the organ "
                    "is cut at another angle there, so check the result."
                )


@dataclass(frozen=True)
class _Task:
    """What is to be done along one axis."""

    array: NDArray[np.generic]
    geometry: Geometry
    axis: int
    modality: str
    segments: Mapping[str, Sequence[Support]]
    propagate: bool
    keep_probability: bool
    steps: _Steps
    cancelled: Callable[[], bool] | None


class _Steps:
    """One progress out of several: each axis group has a half for encoding and one for carrying on."""

    def __init__(self, progress: Progress | None, group: int, groups: int):
        self._progress = progress
        self._group = group
        self._groups = groups

    def first(self, done: int, total: int) -> None:
        """Progress of the first half."""
        self._report(0, done, total)

    def second(self, done: int, total: int) -> None:
        """Progress of the second half."""
        self._report(1, done, total)

    def _report(self, half: int, done: int, total: int) -> None:
        if self._progress:
            # slices of different passes cost alike; a total that changes on the way makes a bar jump
            here = (2 * self._group + half) * _PARTS + round(_PARTS * done / max(1, total))
            self._progress(here, 2 * self._groups * _PARTS)
