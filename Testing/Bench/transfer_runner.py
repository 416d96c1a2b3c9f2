"""Runs the transfer's rows on one pair; the query is encoded once for each encoder, whatever uses it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transfer_methods import ALONE, Row, build_network
from transfer_volumes import Scene

from FewShotSegmentLib import Engine, Settings
from FewShotSegmentLib.errors import InputError
from FewShotSegmentLib.networks import build
from FewShotSegmentLib.networks.encoders.propagator import PropagatorEncoder
from FewShotSegmentLib.transfer import Transfer
from FewShotSegmentLib.transfer.find import frame_supports
from FewShotSegmentLib.transfer.frame import query_axis
from FewShotSegmentLib.transfer.per_slice import segment_slices
from FewShotSegmentLib.transfer.query import read_query


class Outcome(NamedTuple):
    """What a row made of one structure.

    Attributes:
        mask: bool [z, y, x] of the query.
        seconds: encoding in equal shares for the pair's structures.
        remark: why the mask is empty, where the product says so.
    """

    mask: np.ndarray
    seconds: float
    remark: str = ""


class Runner:
    """All networks, built once, on one engine's encoder."""

    def __init__(self, engine: Engine, rows: Sequence[Row]):
        self.engine = engine
        strides = sorted({row.stride for row in rows})
        encoders = {stride: PropagatorEncoder(engine.network, stride) for stride in strides}
        self._alone = {row.key: build_network(row, encoders[row.stride]) for row in rows if row.kind in ALONE}
        self._pipelines = {row.key: Transfer(engine, row.network) for row in rows if row.kind == "pipeline"}
        # what embeds for all networks of a stride; it has no parameters of its own
        self._embedding = {stride: build("prototype", encoder) for stride, encoder in encoders.items()}
        self._scene: Scene | None = None
        self._queries: dict[int, tuple[Any, float]] = {}

    def run(self, row: Row, scene: Scene, supports: dict) -> dict[str, Outcome]:
        """Every structure of a pair."""
        if self._scene is not scene:
            self._scene, self._queries = scene, {}
        if row.kind == "pipeline":
            return self._pipeline(row, scene, supports)
        return {name: self._one(row, scene, support) for name, support in supports.items()}

    def _pipeline(self, row: Row, scene: Scene, supports: dict) -> dict[str, Outcome]:
        query = scene.query
        start = time.perf_counter()
        segments = {name: [support] for name, support in supports.items()}
        try:
            found = self._pipelines[row.key].run(
                query.image, query.geometry, segments, modality=query.modality, keep_probability=False
            )
        except InputError as error:
            if len(supports) > 1:  # one structure must not take the others with it
                alone = [self._pipeline(row, scene, {name: support}) for name, support in supports.items()]
                return {name: outcome for outcomes in alone for name, outcome in outcomes.items()}
            return {name: self._nothing(scene, start, error) for name in supports}
        seconds = (time.perf_counter() - start) / len(supports)
        return {
            name: Outcome(result.mask, seconds, "" if result.found else result.note or "said not to be found")
            for name, result in found.items()
        }

    @torch.inference_mode()
    def _one(self, row: Row, scene: Scene, support: Any) -> Outcome:
        query, encoding = self._query(row, scene, support)
        start = time.perf_counter()
        device, settings = self.engine.device, self.engine.settings
        try:
            if row.kind == "floor":
                mask, encoding = paste(query, support, settings), 0.0
            else:
                mask = segment_slices(query, [support], self._alone[row.key], device, settings, False).mask
        except InputError as error:
            return self._nothing(scene, start, error)
        return Outcome(mask, time.perf_counter() - start + encoding / len(scene.names))

    def _query(self, row: Row, scene: Scene, support: Any) -> tuple[Any, float]:
        """The query with its features at the row's stride, and the seconds that encoding it took."""
        if row.stride not in self._queries:
            volume, start = scene.query, time.perf_counter()
            axis = query_axis(support, volume.geometry).axes[0]
            query = read_query(
                volume.image,
                volume.geometry,
                axis,
                volume.modality,
                self._embedding[row.stride],
                self.engine.device,
                self.engine.settings,
            )
            self._queries[row.stride] = query, time.perf_counter() - start
        return self._queries[row.stride]

    @staticmethod
    def _nothing(scene: Scene, start: float, error: InputError) -> Outcome:
        return Outcome(np.zeros(scene.query.image.shape, bool), time.perf_counter() - start, str(error))


def paste(query: Any, support: Any, settings: Settings) -> np.ndarray:
    """The support's mask in the query's frame, on every slice; of several, that of the one nearest along the body."""
    framed = frame_supports(query, [support], settings)
    masks = [(query.grid.logits_to_native(item.mask[None, None] - 0.5)[0] > 0).numpy() for item in framed]
    count = len(query.grid.slices)
    found = np.zeros((count, *query.grid.native), bool)
    for index in range(count):
        place = index / max(1, count - 1)
        found[index] = masks[int(np.argmin([abs((item.place or 0.0) - place) for item in framed]))]
    return np.moveaxis(found, 0, query.frame.axis)
