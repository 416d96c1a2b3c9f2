"""Validation while training goes on: how good the weights of now are on labelled volumes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...devices import is_out_of_memory
from ...errors import FewShotError, InputError
from ..networks import make_task
from ..settings import TrainSettings
from .files import Notes
from .labelled import LabelledFiles, LabelledVolume, choose, find_labelled, read_labelled
from .measure import Measure, Scored, mean_scores, measure_few_shot, measure_propagator, pairs
from .table import CsvTable, read_table

MOST_CASES = 6
MOST_SLICES = 64
MOST_STRUCTURES = 2
"""Bounds on what is looked at: on 2 CPU cores at 160 pixels a validation of the propagator takes about half a minute,
on an accelerator a few seconds."""


class Validation:
    """Scores the weights on labelled volumes, every so many steps; an `Observer`.

    The propagator is given the middle slice of a structure and carries it through the same volume; a few-shot network
    is given the middle slice of the structure in another case of the same region and modality and segments every slice
    of this one (see `measure`). Dice is over the whole volume (`whole`) and over the slices from the structure's first
    to its last (`own`), the given slice left out, averaged over each group of cases, then over the groups. A network of
    its own is loaded with the weights, and no random number of the training is used up: training does not notice.

    Attributes:
        path: of the table.
        cases: names of the volumes that are looked at.
        notes: what was left out, and why a validation failed, a sentence each.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: TrainSettings,
        path: Path,
        *,
        device: torch.device | None = None,
        every: int = 1000,
        most_cases: int = MOST_CASES,
        most_slices: int = MOST_SLICES,
        most_structures: int = MOST_STRUCTURES,
        listeners: Sequence[Callable[[Mapping[str, float]], None]] = (),
    ):
        """Read the cases; they stay in memory.

        Args:
            folder: with NAME_image and NAME_labels files, and perhaps cases.json.
            settings: of the training; its network, and the size of slices.
            path: usually `validation.csv` in the training's folder.
            device: where to compute.
            every: least steps between two validations; the last step is validated in any case.
            most_cases: see `labelled.choose`.
            most_slices: of a volume.
            most_structures: of a case.
            listeners: told of each row of the table.

        Raises:
            InputError: there is no folder, nothing in it to validate with, or a file that cannot be read.
        """
        self.path = path
        self.notes = Notes()
        self._settings = settings
        self._device = device or torch.device("cpu")
        self._every = every
        self._listeners = list(listeners)
        cases = _read(folder, settings.network == "propagator", most_cases, most_slices, most_structures, self.notes)
        self.cases = tuple(case.files.name for case in cases)
        groups = sorted({case.files.group or "all" for case in cases})
        scores = [f"{part}_{_slug(group)}" for group in groups for part in ("whole", "own")]
        self._table = CsvTable(path, ("step", "whole", "own", "structures", "seconds", *scores))
        self._measure: Measure = partial(
            measure_propagator if settings.network == "propagator" else measure_few_shot,
            cases=cases,
            size=settings.size,
        )
        self._last: float | None = None

    def resumed(self, step: int) -> None:
        """Later validations are removed."""
        self._table.drop_after(step)
        self._last = None

    def told(self, row: dict[str, float]) -> None:
        """Nothing to do before the next checkpoint."""

    def checkpoint(self, step: int, weights: dict[str, Tensor]) -> None:
        """Validate, if it is time."""
        if self._last is None:
            self._last = self._last_step(step)
        due = step - self._last >= self._every or step == self._settings.iterations
        if due and step > self._last:
            self._last = step
            self._validate(step, weights)

    def close(self) -> None:
        """Write what could not be written before."""
        self._table.flush()
        self.notes += [note for note in self._table.notes if note not in self.notes]

    def scored(self, weights: Mapping[str, Tensor]) -> list[Scored]:
        """Scores of weights on every structure.

        Raises:
            DeviceError: the device's memory does not suffice.
        """
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            network = make_task(self._settings, "random").network
            assert isinstance(network, torch.nn.Module)
            network.load_state_dict(dict(weights))
            return self._measure(network.eval(), self._device)

    def _validate(self, step: int, weights: Mapping[str, Tensor]) -> None:
        start = time.perf_counter()
        try:
            scored = self.scored(weights)
        except FewShotError as error:
            self.notes.once("failed", f"The validation after step {step} failed: {error}")
            return
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.notes.once("memory", f"The validation after step {step} was left out: the device's memory is full.")
            return
        means = mean_scores(scored)
        row = {
            "step": float(step),
            **means.pop("")._asdict(),
            "structures": float(len(scored)),
            "seconds": time.perf_counter() - start,
        }
        for group, mean in means.items():
            row |= {f"{part}_{_slug(group)}": value for part, value in mean._asdict().items()}
        self._table.append(row)
        for listener in self._listeners:
            listener(row)

    def _last_step(self, step: int) -> float:
        """The last step before this one that the table has, 0 if none."""
        try:
            steps = read_table(self.path).get("step", ())
        except OSError:
            return 0.0
        return max((float(s) for s in steps if s <= step), default=0.0)


def _read(
    folder: str | Path, alone: bool, most_cases: int, most_slices: int, most_structures: int, notes: Notes
) -> list[LabelledVolume]:
    """The cases that are looked at; for few-shot networks such as make pairs."""
    found = find_labelled(folder)
    chosen = _chosen(found, alone, most_cases, most_slices)
    if not chosen:
        what = f"volume of at most {most_slices} slices" if alone else "two volumes of the same region and modality"
        raise InputError(f"The folder {folder} has nothing to validate with: it needs a labelled {what}.")
    cases = []
    for files in chosen:
        case = read_labelled(files, most_structures)
        if case is None:
            notes.append(f"{files.name} is left out of the validation: no structure is on 3 slices or more.")
        else:
            cases.append(case)
    if not cases or not (alone or pairs(cases)):
        what = "structure on 3 slices or more" if alone else "structure that two volumes share"
        raise InputError(f"The folder {folder} has nothing to validate with: it needs a labelled {what}.")
    return cases


def _chosen(found: Sequence[LabelledFiles], alone: bool, most: int, most_slices: int) -> list[LabelledFiles]:
    return choose(found, most, 1 if alone else 2, most_slices)


def _slug(group: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", group.lower()).strip("_")
