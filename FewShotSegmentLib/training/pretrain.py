"""From folders of images, or from nothing but random anatomies, to a folder with weights: what the command runs."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OutputError
from ..progress import Progress
from ..settings import Settings
from ..version import __version__
from .settings import PRESETS, TrainSettings

if TYPE_CHECKING:
    from ..episodes import TrainingData
    from .processes import Processes
    from .trainer import Outcome

_ABOUT = "training.json"


@dataclass(frozen=True)
class PretrainJob:
    """What is to be done; paths are not looked at before `run`.

    Attributes:
        volumes: images without labels, or folders with such.
        folder: for everything that is written; a training that was stopped there goes on.
        settings: of the training.
        name: of the weights.
        start: "bundled", "random", or a folder with weights; None for the bundled ones where they fit the network.
        device: "auto", "cpu", "cuda" or "mps".
        max_seconds: stop after this time (the training can be resumed).
        validate: folder of labelled volumes to validate on, or None.
        modality: of the images: "auto", "ct" or "mr".
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        jobs: processes that read images.
        restart: remove what an earlier training left in the folder.
        data_licence: of the images, said in the weights' card.
        command: that was given, for the weights' card.
    """

    volumes: Sequence[Path]
    folder: Path
    settings: TrainSettings = field(default_factory=lambda: PRESETS["fast"])
    name: str = "weights"
    start: str | None = None
    device: str = "auto"
    max_seconds: float = math.inf
    validate: Path | None = None
    modality: str = "auto"
    validate_every: int = 1000
    checkpoint_every: int = 250
    jobs: int = 1
    restart: bool = False
    data_licence: str = ""
    command: str = ""

    def run(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        reading: Progress | None = None,
    ) -> dict[str, Any]:
        """Do it.

        Args:
            progress: called with (steps done, steps in all).
            cancelled: asked before every step; what was trained is kept and can be resumed.
            reading: called with (images read, images in all) before that.

        Returns:
            A report that can be written as JSON (see the README's “Training”).

        Raises:
            FewShotError: anything that its user can mend.
        """
        start = time.perf_counter()
        self._check()
        from ..devices import resolve_device  # noqa: PLC0415 - imports torch: a wrong name must not wait for it
        from .processes import join_processes  # noqa: PLC0415

        with join_processes(self.device) as processes:
            device = resolve_device(processes.device(self.device))
            self._prepare(processes)
            data = self._read(reading, cancelled)
            outcome, notes = self._train(device, processes, data, progress, cancelled)
            report = self._report(outcome, data, [*data.notes, *notes], str(device), time.perf_counter() - start)
            if processes.first:
                report["weights"] = str(self._write(outcome, report))
            return report

    def _check(self) -> None:
        if self.settings.data != "synthetic" and not self.volumes:
            raise InputError(
                "Name images to learn from (files or folders), or use --data synthetic to learn from random anatomies."
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder} is a file; name a folder.")
        if self.validate is not None and not self.validate.is_dir():
            raise InputError(f"There is no folder {self.validate} to validate on.")

    @property
    def _start(self) -> str:
        fits = self.settings.network == "propagator" or self.settings.encoder == "propagator"
        return self.start or ("bundled" if fits else "random")

    def _prepare(self, processes: Processes) -> None:
        """Make the folder, or see that what is there is a training's."""
        if not processes.first:
            return
        about = self.folder / _ABOUT
        if self.folder.is_dir() and any(self.folder.iterdir()) and not about.is_file():
            raise OutputError(f"{self.folder} holds other files; name a new folder, or that of a training to resume.")
        if self.restart and about.is_file():
            _clear(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            values = {"engine_version": __version__, "settings": self.settings.to_json(), "command": self.command}
            about.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written ({error.strerror}); choose another place.") from error

    def _read(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> TrainingData:
        """The images with their superpixels; none for synthetic data."""
        from ..episodes import TrainingData, read_training_volumes  # noqa: PLC0415

        if self.settings.data == "synthetic":
            return TrainingData([], [])
        from ..superpixels import SuperpixelSettings  # noqa: PLC0415

        # episodes of one slice want the published 2D superpixels; sequences must know where a structure ends
        side = self.settings.long_side if self.settings.network == "propagator" else self.settings.size
        flat = self.settings.network != "propagator" and self.settings.episodes == "published"
        return read_training_volumes(
            self.volumes,
            replace(Settings(), long_side=side),
            SuperpixelSettings(dimensions=2 if flat else 3),
            self.folder / "superpixels",
            modality=self.modality,
            jobs=self.jobs,
            progress=progress,
            cancelled=cancelled,
        )

    def _train(
        self,
        device: Any,
        processes: Processes,
        data: TrainingData,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> tuple[Outcome, list[str]]:
        from .networks import make_task  # noqa: PLC0415
        from .sources import make_source  # noqa: PLC0415
        from .trainer import Trainer  # noqa: PLC0415

        task = make_task(self.settings, self._start)
        source = make_source(self.settings, data.volumes, device)
        with self._watching(source, device, processes) as watchers:
            trainer = Trainer(
                task,
                source,
                self.settings,
                self.folder / "checkpoints",
                device=device,
                processes=processes,
                observers=watchers.observers if watchers else [],
                checkpoint_every=self.checkpoint_every,
            )
            outcome = trainer.run(progress, cancelled, self.max_seconds)
        return outcome, [*outcome.notes, *(watchers.notes if watchers else [])]

    def _watching(self, source: Any, device: Any, processes: Processes) -> Any:
        """All that is seen of the training; nothing in processes that do not write."""
        if not processes.first:
            return nullcontext()
        from .observe import sample_parts, watching  # noqa: PLC0415

        return watching(
            self.folder,
            self.settings,
            device=device,
            validation=self.validate,
            validate_every=self.validate_every,
            parts=sample_parts(source, self.settings),
            title=self.name,
        )

    def _report(
        self, outcome: Outcome, data: TrainingData, notes: list[str], device: str, seconds: float
    ) -> dict[str, Any]:
        from .trainer import waiting_share  # noqa: PLC0415

        rows = outcome.rows
        busy = sum(row["seconds"] for row in rows)
        return {
            "engine_version": __version__,
            "device": device,
            "settings": self.settings.to_json(),
            "folder": str(self.folder),
            "ended": outcome.why,
            "step": outcome.step,
            "seconds": round(seconds, 1),
            "steps_per_second": round(len(rows) / busy, 3) if busy else None,
            "slices_per_second": round(sum(row["slices"] for row in rows) / busy, 2) if busy else None,
            "waiting_share": round(waiting_share(rows), 4),
            "loss": round(rows[-1]["loss"], 5) if rows else None,
            "volumes": [volume.name for volume in data.volumes],
            "notes": notes,
        }

    def _write(self, outcome: Outcome, report: dict[str, Any]) -> Path:
        """The weights so far, with their card; each call replaces the training's own earlier ones."""
        from ..weights import find_weights  # noqa: PLC0415
        from ..weights.save import write_weights  # noqa: PLC0415
        from .networks import network_name  # noqa: PLC0415

        folder = self.folder / "weights"
        own = "Apache-2.0" if self.settings.data == "synthetic" else "not said: that of the images decides"
        data, begun = _say_data(self.settings, report["volumes"]), ""
        if self._start != "random":
            before = find_weights(None, None if self._start == "bundled" else Path(self._start))
            begun = f" Begun from {before.name} (sha256 {before.sha256[:12]}): {before.training_data}"
        card = {
            "network": network_name(self.settings),
            "licence": self.data_licence or own,
            "training_data": data + begun,
            "date": date.today().isoformat(),
            "metrics": {
                "command": self.command,
                "steps": outcome.step,
                "settings": self.settings.to_json(),
                "ended": outcome.why,
            },
        }
        write_weights(folder, self.name, outcome.weights, card, force=True)
        return folder


def _say_data(settings: TrainSettings, volumes: Sequence[str]) -> str:
    synthetic = "synthetic anatomies (random 3D label volumes and appearances), no image of a patient"
    real = f"{len(volumes)} volumes without labels: {', '.join(volumes)}"
    if settings.data == "synthetic":
        return synthetic[0].upper() + synthetic[1:] + "."
    return (f"{synthetic}; and {real}" if settings.data == "both" else real).capitalize() + "."


def _clear(folder: Path) -> None:
    """Remove what a training has written, but for its superpixels, which stay true."""
    for name in ("checkpoints", "weights", "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("log.csv", "validation.csv", "curves.png", "parts.png"):
        (folder / name).unlink(missing_ok=True)
