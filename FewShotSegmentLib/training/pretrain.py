"""From folders of images, or from nothing but random anatomies, to a folder with weights: what the command runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..progress import Progress
from ..settings import Settings
from ..version import __version__
from ..weights.places import check_name
from .record import Record, check_same, check_settings, clear, read_record
from .settings import PRESETS, SEQUENCES, TrainSettings

if TYPE_CHECKING:
    from ..episodes import TrainingData
    from ..weights import WeightsInfo
    from .processes import Processes
    from .trainer import Outcome


@dataclass(frozen=True)
class PretrainJob:
    """What is to be done; paths are not looked at before `run`.

    Attributes:
        volumes: images without labels, or folders with such.
        folder: for everything that is written; a training that was stopped there goes on.
        settings: of the training.
        name: of the weights.
        weights: what to start from: "bundled", "random", or a folder or name of weights; None for the bundled ones
            where they fit the network.
        device: "auto", "cpu", "cuda" or "mps".
        max_seconds: stop after this time of training (it can be resumed); reading images is not counted.
        validate: folder of labelled volumes to validate on, or None.
        modality: of the images: "auto", "ct" or "mr".
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        jobs: processes that read images.
        restart: forget what an earlier training left in the folder.
        data_licence: of the images, said in the weights' card.
        command: that was given, for the weights' card.
    """

    volumes: Sequence[Path]
    folder: Path
    settings: TrainSettings = field(default_factory=lambda: PRESETS["fast"])
    name: str = "weights"
    weights: str | None = None
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
        tell: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Do it.

        Args:
            progress: called with (steps done, steps in all).
            cancelled: asked before every step; what was trained is kept and can be resumed.
            reading: called with (images read, images in all) before that.
            tell: called with what has to be said about the training as soon as it is known; the report has it too.

        Returns:
            A report that can be written as JSON; with several processes only the first one's has “weights”.

        Raises:
            FewShotError: anything that its user can mend; what was trained in the folder before is as it was.
        """
        start = time.perf_counter()
        self._check()
        before = read_record(self.folder)
        if before is not None and not self.restart:
            check_settings(before, self.settings, self.folder)
        from ..devices import resolve_device  # noqa: PLC0415 - imports torch: a wrong name must not wait for it
        from .processes import join_processes  # noqa: PLC0415

        with join_processes(self.device) as processes:
            device = resolve_device(processes.device(self.device))
            if not processes.first:
                processes.wait()  # the first one makes the superpixels, the others find them
            data = self._read(reading, cancelled)
            if processes.first:
                processes.wait()
            from .networks import find_start  # noqa: PLC0415

            refined = self.settings.network == "refiner"
            begun = None if self._start == "random" else find_start(self._start, "refiner" if refined else "propagator")
            outcome, notes = self._train(device, processes, data, (before, begun), progress, cancelled, tell)
            report = self._report(outcome, data, [*data.notes, *notes], str(device), time.perf_counter() - start)
            if processes.first:
                report["weights"] = str(self._write(outcome, data, begun))
            return report

    def _check(self) -> None:
        """What can be seen before anything is read."""
        check_name(self.name)
        if self.settings.data != "synthetic" and not self.volumes:
            raise InputError(
                "Name images to learn from (files or folders), or use --data synthetic to learn from random anatomies."
            )
        if self.validate is not None and not self.validate.is_dir():
            raise InputError(f"There is no folder {self.validate} to validate on.")
        if self.validate is not None and self.settings.network == "refiner":
            raise InputError("The refiner cannot be validated on its own; leave out --validate.")
        for name in ("validate_every", "checkpoint_every", "jobs"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise InputError(f"--{option} must be a whole number of at least 1, not {getattr(self, name)}.")
        if not self.max_seconds >= 0:
            raise InputError(f"--max-seconds must be a time from 0, not {self.max_seconds}.")

    @property
    def _start(self) -> str:
        fits = self.settings.network == "propagator" or self.settings.encoder == "propagator"
        return self.weights or ("bundled" if fits else "random")

    def _read(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> TrainingData:
        """The images with their superpixels; none for synthetic data."""
        from ..episodes import TrainingData, read_training_volumes  # noqa: PLC0415

        if self.settings.data == "synthetic":
            return TrainingData([], ["The images are not used with --data synthetic."] if self.volumes else [])
        from ..superpixels import SuperpixelSettings  # noqa: PLC0415

        side = self.settings.long_side if self.settings.network in SEQUENCES else self.settings.size
        # episodes of one slice want the published 2D superpixels; sequences must know where a structure ends
        flat = self.settings.network not in SEQUENCES and self.settings.episodes == "published"
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
        known: tuple[dict[str, Any] | None, WeightsInfo | None],
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
        tell: Callable[[str], None] | None,
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
            # all that can be refused has been: only now is anything in the folder touched
            if processes.first:
                self._prepare(data, *known)
            processes.wait()
            outcome = trainer.run(progress, cancelled, self.max_seconds, tell=tell)
        return outcome, [*outcome.notes, *(watchers.notes if watchers else [])]

    def _prepare(self, data: TrainingData, before: dict[str, Any] | None, begun: WeightsInfo | None) -> None:
        """See that the folder's training is this one, or begin it."""
        weights = f"{begun.name}, sha256 {begun.sha256[:12]}" if begun else "random"
        names = tuple(volume.name for volume in data.volumes)
        record = Record(self.settings, weights, names, self.data_licence, self.command)
        if before is not None:
            if self.restart:
                clear(self.folder)
            else:
                check_same(before, record, self.folder)
        record.write(self.folder)

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

    def _write(self, outcome: Outcome, data: TrainingData, begun: WeightsInfo | None) -> Path:
        """The weights so far, with their card; each call replaces the training's own earlier ones."""
        from ..weights.save import write_weights  # noqa: PLC0415
        from .networks import network_name  # noqa: PLC0415

        folder = self.folder / "weights"
        licence, since = self.data_licence, ""
        if self.settings.data == "synthetic":
            licence = "Apache-2.0"
        elif not licence:
            licence = "not said (--data-licence); that of the images decides"
        if begun is not None:
            since = f" Begun from {begun.name} (sha256 {begun.sha256[:12]}; {begun.licence}): {begun.training_data}"
            licence = licence if licence == begun.licence else f"{licence}; begun from weights under {begun.licence}"
        card = {
            "network": network_name(self.settings),
            "licence": licence,
            "training_data": _say_data(self.settings, data) + since,
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


def _say_data(settings: TrainSettings, data: TrainingData) -> str:
    """What was learned from, in words; volumes are not named, since names may be patients'."""
    synthetic = "synthetic anatomies (random 3D label volumes and appearances, no image of a patient)"
    counts = " and ".join(f"{len(group)} {name.upper()}" for name, group in data.by_modality.items())
    if settings.data == "synthetic":
        return f"Trained on {synthetic}."
    return f"Trained on {counts} volumes without labels{f', and on {synthetic}' if settings.data == 'both' else ''}."
