"""The one training loop: for few-shot networks and the propagator, alone or in several processes, resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..devices import repeatable
from ..errors import InputError
from ..progress import Progress
from .checkpoint import Checkpoints
from .gradients import Gradients
from .interrupts import heard_between_steps
from .optimiser import MovingAverage, build_optimiser, gradient_norm, learning_rate, set_rate
from .prefetch import prefetched
from .processes import Processes
from .settings import TrainSettings

_CHECKPOINT_EVERY = 250


class Part(Protocol):
    """A piece of a batch."""

    @property
    def number(self) -> int:
        """How many sequences or episodes."""

    @property
    def weight(self) -> float:
        """What it counts beside other pieces of the same part."""

    @property
    def slices(self) -> int:
        """Slices that pass through the network."""

    def to(self, device: torch.device) -> Any:
        """The same on a device."""

    def pieces(self, number: int) -> Sequence[Any]:
        """In at most so many pieces."""


class Source(Protocol):
    """Where parts come from; must give the same part for the same numbers, whatever was asked for before."""

    def part(self, step: int, part: int) -> Part:
        """Part `part` of the batch of step `step`."""


class Observer(Protocol):
    """Who is told how training goes (logs, plots, validation); only the first process tells."""

    def resumed(self, step: int) -> None:
        """Training goes on after `step` steps; what was told of later ones is void."""

    def told(self, row: dict[str, float]) -> None:
        """A step is done: its number, loss, rate and times."""

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """A checkpoint was written; `weights` are what would be kept now."""


@dataclass
class Outcome:
    """How a run of the trainer ended.

    Attributes:
        step: steps done in all.
        why: "done", "cancelled", "time" or "diverged".
        weights: state of the network to keep: the average where there is one, else the last step's.
        notes: what has to be said, a sentence each.
        rows: what was told of the steps of this run.
        asked: whether a stop was asked for, be it in the last step.
    """

    step: int
    why: str
    weights: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    asked: bool = False


class Trainer:
    """Trains one task's network on one source.

    Nothing but the settings, the source and the initial weights decides about the curve: every step draws from its own
    seed, so a run that was stopped and resumed gives the same bits as one that was not (on the same kind of device and
    number of threads).
    """

    def __init__(
        self,
        task: nn.Module,
        source: Source,
        settings: TrainSettings,
        folder: Path | None = None,
        *,
        device: torch.device | None = None,
        processes: Processes | None = None,
        observers: Sequence[Observer] = (),
        checkpoint_every: int = _CHECKPOINT_EVERY,
    ):
        """Prepare; nothing is read or written yet.

        Args:
            task: part → `Losses` with the same names in each; its `network` is what is trained and kept.
            source: of parts.
            settings: of the training.
            folder: for checkpoints; None to keep none (then nothing can be resumed).
            device: where to compute.
            processes: this process among those that train together.
            observers: who is told.
            checkpoint_every: steps between checkpoints.

        Raises:
            InputError: the batch cannot be shared out among the processes.
        """
        self.device = device or torch.device("cpu")
        self.task = task.to(self.device)
        self.network: nn.Module = task.network  # type: ignore[assignment]
        self.settings = settings
        self.notes: list[str] = []
        self._source = source
        self._processes = processes or Processes()
        self._mine = self._processes.parts(settings.parts)
        self._checkpoints = Checkpoints(folder) if folder else None
        self._observers = list(observers) if self._processes.first else []
        self._every = checkpoint_every
        self._optimiser = build_optimiser(self.network, settings)
        self._average = MovingAverage(self.network, settings.average) if settings.average else None
        self._gradients = Gradients(self.task, self._wrapped(), self.device, settings.precision == "bfloat16")
        self._gradients.notes = self.notes
        self._step = 0
        self._saved = -1
        self._told = 0

    def run(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        max_seconds: float = math.inf,
        until: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Train from where the folder's last checkpoint is, to the end or until asked to stop.

        Ctrl-C and SIGTERM end it like `cancelled`, after the step under way; Ctrl-C twice ends it at once.

        Args:
            progress: called with (steps done, steps in all).
            cancelled: asked before every step.
            max_seconds: stop after the step in which this time is over.
            until: stop after so many steps in all; `settings.iterations` by default.
            tell: called with what has to be said as soon as it is known; it is in the outcome's notes too.

        Returns:
            How it ended. A checkpoint is written in each case but "diverged".

        Raises:
            InputError: the folder's checkpoints are of other settings, or all damaged.
            DeviceError: one sequence alone does not fit into memory.
        """
        start = time.perf_counter()
        self._resume()
        self._tell(tell)
        last = min(until or self.settings.iterations, self.settings.iterations)
        rows: list[dict[str, float]] = []
        why = "done"
        self.task.train()
        keys = ((step, part) for step in range(self._step, last) for part in self._mine)
        with (
            repeatable(self.device),
            heard_between_steps() as request,
            prefetched(lambda key: self._source.part(*key), keys) as data,
        ):
            if progress:
                progress(self._step, last)
            while self._step < last:
                asked = request.asked or bool(cancelled and cancelled())
                late = time.perf_counter() - start > max_seconds
                if self._processes.any(asked or late):
                    why = "cancelled" if self._processes.any(asked) else "time"
                    break
                row = self._one_step(data)
                if row is None:
                    why = "diverged"
                    break
                rows.append(row)
                for observer in self._observers:
                    observer.told(row)
                if progress:
                    progress(self._step, last)
                if self._step % self._every == 0:
                    self._save()
                self._tell(tell)
            if why != "diverged" and self._saved != self._step:
                self._save()
        self._tell(tell)
        self._processes.wait()  # nobody goes on before the checkpoint is written
        return Outcome(self._step, why, self.weights(), self.notes, rows, request.asked or why == "cancelled")

    def _tell(self, tell: Callable[[str], None] | None) -> None:
        """Say what was noted since: a disk that is full must be known before the night is over."""
        for note in self.notes[self._told :]:
            if tell:
                tell(note)
        self._told = len(self.notes)

    def weights(self) -> dict[str, Tensor]:
        """What would be kept now, copied."""
        state = self._average.state if self._average else self.network.state_dict()
        return {name: value.detach().clone().cpu() for name, value in state.items()}

    def _wrapped(self) -> nn.Module:
        if self._processes.count == 1:
            return self.task
        devices = [self.device.index] if self.device.type == "cuda" else None
        # which weights have a gradient differs between sequences and pairs of patients
        return DistributedDataParallel(self.task, device_ids=devices, find_unused_parameters=True)

    def _one_step(self, data: Any) -> dict[str, float] | None:
        """One step of the optimiser; None if the loss or its gradient is not a number, then nothing is changed."""
        start, waited = time.perf_counter(), data.waited
        rate = learning_rate(self._step, self.settings)
        set_rate(self._optimiser, rate)
        parts = [data.take((self._step, part)).to(self.device) for part in self._mine]
        loss, told = self._gradients.of(parts, self._step + 1)
        norm = gradient_norm(self.network.parameters(), self.settings.clip)
        if self._processes.any(not bool(torch.isfinite(loss) & torch.isfinite(norm))):
            self._gradients.take_back()
            what = "loss" if not bool(torch.isfinite(loss)) else "gradient"
            self.notes.append(
                f"The {what} is not a number at step {self._step + 1} (rate {rate:g}), so training has stopped; the "
                f"weights after step {self._step} are kept. Begin again from them with a lower learning rate."
            )
            return None
        self._optimiser.step()
        if self._average:
            self._average.update(self.network, self._step)
        self._step += 1
        row = {
            "step": float(self._step),
            "loss": float(self._processes.mean(loss)),
            "rate": rate,
            "norm": float(norm),
            "seconds": time.perf_counter() - start,
            "waiting": data.waited - waited,
            "slices": self._processes.sum(sum(part.slices for part in parts)),
        }
        return row | {name: float(self._processes.mean(value)) for name, value in sorted(told.items())}

    def _resume(self) -> None:
        if self._checkpoints is None or self._step:
            return
        loaded = self._checkpoints.load(self.device)
        here = loaded.step if loaded else 0
        if self._processes.any(self._processes.sum(here) != here * self._processes.count):
            raise InputError(
                "The processes find different checkpoints; give all of them the same folder, on a disk that they share."
            )
        if loaded is None:
            return
        self.notes += loaded.notes
        before = TrainSettings.from_json(loaded.state["settings"])
        changed = self.settings.differences(before)
        if changed:
            assert self._checkpoints.folder is not None
            raise InputError(
                f"The training in {self._checkpoints.folder.parent} was begun with other settings "
                f"({', '.join(changed)}); give the same ones, or another folder."
            )
        if before.iterations != self.settings.iterations:
            self.notes.append(
                f"The training was begun for {before.iterations} steps and goes on to {self.settings.iterations}."
            )
        self.network.load_state_dict(loaded.state["network"])
        self._optimiser.load_state_dict(loaded.state["optimiser"])
        if self._average:
            for name, value in loaded.state["average"].items():
                self._average.state[name].copy_(value)
        torch.set_rng_state(loaded.state["rng"].cpu())
        self._gradients.pieces = int(loaded.state["pieces"])
        self._step = self._saved = loaded.step
        for observer in self._observers:
            observer.resumed(self._step)

    def _save(self) -> None:
        """Write a checkpoint, then tell of it; a disk that is full does not end the training."""
        self._saved = self._step
        if not self._processes.first:
            return
        if self._checkpoints is not None:
            state = {
                "settings": self.settings.to_json(),
                "network": self.network.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "average": self._average.state if self._average else {},
                "rng": torch.get_rng_state(),
                "pieces": self._gradients.pieces,
            }
            try:
                self._checkpoints.save(self._step, state)
            except OSError as error:
                self.notes.append(
                    f"The checkpoint of step {self._step} could not be written ({error.strerror or error}); training "
                    f"goes on, and could be resumed from {self._checkpoints.last()}."
                )
        for observer in self._observers:
            observer.checkpoint(self._step, self.weights())


def waiting_share(rows: Sequence[dict[str, float]]) -> float:
    """Share of the time that was spent waiting for data, 0 to 1; the first step, which fills the queue, left out."""
    rows = rows[1:]
    seconds = sum(row["seconds"] for row in rows)
    return sum(row["waiting"] for row in rows) / seconds if seconds else 0.0
