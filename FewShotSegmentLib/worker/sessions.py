"""What stays from request to request: the model, the volumes that are worked on, and weights that wait to be kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..weights import find_weights_folder, read_manifest
from .messages import VolumeRef

if TYPE_CHECKING:
    from ..engine import Engine
    from ..finetune import TrainingLogic
    from ..session import VolumeSession

MOST_VOLUMES = 2
"""Volumes (each along one axis) whose features are kept: the one in hand and the one before."""


class Kept:
    """What stays; used by one request at a time.

    Attributes:
        training: the last fine-tuning, or None.
        thumbnails: pictures of library entries by (library, id).
    """

    def __init__(self) -> None:
        self.training: TrainingLogic | None = None
        self.thumbnails: dict[tuple[str, str], NDArray[np.uint8]] = {}
        self._engine: tuple[tuple[str, ...], Engine] | None = None
        self._volumes: OrderedDict[tuple[object, ...], VolumeSession] = OrderedDict()

    def engine(self, device: str, weights: str | None) -> Engine:
        """The model on a device, loaded if it is not there yet; the one before is let go.

        Args:
            device: as in `Engine.load`.
            weights: folder or name of adapted weights; the bundled ones by default.

        Raises:
            DeviceError: the device is not there.
            WeightsError: the weights are missing or damaged.
        """
        from ..devices import resolve_device  # noqa: PLC0415 - imports torch, as all that follow

        folder = find_weights_folder(weights)
        # all that the folder holds: adapted weights differ in their refiner alone
        infos = read_manifest(folder).values()
        key = (str(resolve_device(device)), *(word for info in infos for word in (str(info.path), info.sha256)))
        if self._engine is None or self._engine[0] != key:
            from ..engine import Engine  # noqa: PLC0415

            self.clear()  # first: two models may not fit
            self._engine = key, Engine.load(device, weights_folder=folder)
        return self._engine[1]

    def session(self, engine: Engine, volume: VolumeRef, array: NDArray[np.generic], axis: int) -> VolumeSession:
        """A volume's session along an axis, with what has been computed of it; the least recently used is let go.

        Args:
            engine: of `engine`.
            volume: whose `key` names the voxels.
            array: its voxels.
            axis: across which the slices lie.
        """
        from ..session import VolumeSession  # noqa: PLC0415
        from .inputs import geometry_of  # noqa: PLC0415

        spacing = geometry_of(volume, array.shape).spacing
        key = (volume.key, axis, volume.modality, spacing, array.shape)
        if key not in self._volumes:
            self._volumes[key] = VolumeSession(engine, array, axis=axis, spacing=spacing, modality=volume.modality)
        self._volumes.move_to_end(key)
        while len(self._volumes) > MOST_VOLUMES:
            self._volumes.popitem(last=False)
        return self._volumes[key]

    def forget(self, keys: Collection[str]) -> None:
        """Let go of volumes with these keys; of all, and of the model, if there are none."""
        if not keys:
            self.clear()
        for key in [key for key in self._volumes if key[0] in keys]:
            del self._volumes[key]

    def clear(self) -> None:
        """Let go of the model and all volumes, as when something else needs the memory."""
        self._volumes.clear()
        if self._engine is not None:
            on_cpu = self._engine[1].device.type == "cpu"
            self._engine = None
            if not on_cpu:
                import torch  # noqa: PLC0415

                torch.cuda.empty_cache()  # does nothing where CUDA is not in use

    @property
    def volumes(self) -> int:
        """How many are kept."""
        return len(self._volumes)
